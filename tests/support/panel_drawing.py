"""Panels drawn without a window: on a layout that takes only what this Blender's own would take, and notes it."""

import bpy

_FUNCTIONS = bpy.types.UILayout.bl_rna.functions
_PROPERTIES = bpy.types.UILayout.bl_rna.properties
_ICONS = set(_FUNCTIONS["label"].parameters["icon"].enum_items.keys())


class RecordingLayout:
    """Stands for a panel's layout. Unknown functions, arguments, properties, operators and icons are errors, as in Blender."""

    def __init__(self, seen):
        self.__dict__["seen"] = seen

    def __getattr__(self, kind):
        assert kind in _FUNCTIONS, f"UILayout has no {kind}"
        known = set(_FUNCTIONS[kind].parameters.keys()) | {"text_ctxt", "translate"}

        def put(*arguments, **options):
            assert set(options) <= known, f"{kind} takes no {set(options) - known}"
            icon = options.get("icon", "NONE")
            assert isinstance(icon, int) or icon in _ICONS, f"no icon {icon}"
            if kind == "popover":  # Blender only prints a complaint
                assert hasattr(bpy.types, options["panel"]), f"no panel {options['panel']}"
            if kind == "operator":
                area, name = arguments[0].split(".")
                assert name in dir(getattr(bpy.ops, area)), f"no operator {arguments[0]}"
            if kind == "prop" and hasattr(arguments[0], "bl_rna"):  # tests may have others stand for settings
                assert arguments[1] in arguments[0].bl_rna.properties, f"no property {arguments[1]}"
            self.seen.append((kind, *arguments, *(options.get(key) for key in ("text", "factor") if key in options)))
            return OperatorSettings(arguments[0], self.seen) if kind == "operator" else RecordingLayout(self.seen)

        return put

    def __setattr__(self, name, value):
        assert name in _PROPERTIES, f"UILayout has no {name}"


class OperatorSettings:
    """Stands for what a button gives its operator."""

    def __init__(self, idname, seen):
        area, name = idname.split(".")
        self.__dict__["known"] = getattr(getattr(bpy.ops, area), name).get_rna_type().properties.keys()
        self.__dict__["seen"] = seen

    def __setattr__(self, name, value):
        assert name in self.known, f"the operator has no {name}"
        self.seen.append(("with", name, value))


class NoLayout:
    """Takes everything and does nothing: what is left is what the panel itself costs."""

    def __getattr__(self, kind):
        return lambda *arguments, **options: NoLayout()

    def __setattr__(self, name, value):
        pass


def draw_panel(panel, layout=None):
    """What a panel draws now; None where it is not shown."""

    class Context:
        scene, object = bpy.context.scene, bpy.context.object
        selected_objects, preferences = bpy.context.selected_objects, bpy.context.preferences
        active_pose_bone = None
        window_manager = bpy.context.window_manager
        region = type("Region", (), {"width": 300})

    if hasattr(panel, "poll") and not panel.poll(Context):
        return None
    seen = []
    shown = type("Panel", (), {"layout": layout or RecordingLayout(seen)})
    for header in ("draw_header", "draw_header_preset"):
        if hasattr(panel, header):
            getattr(panel, header)(shown, Context)
    panel.draw(shown, Context)
    return seen


def operators_drawn(seen):
    """The operators of what was drawn."""
    return [entry[1] for entry in seen if entry[0] == "operator"]


def visible_text(seen):
    """The sentences of what was drawn."""
    return " ".join(entry[1] for entry in seen if entry[0] == "label" and len(entry) > 1)
