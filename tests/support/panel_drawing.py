"""Draws panels without a window, on a layout that records the calls and rejects those that this Blender would reject."""

from types import SimpleNamespace

import bpy

_FUNCTIONS = bpy.types.UILayout.bl_rna.functions
_PROPERTIES = bpy.types.UILayout.bl_rna.properties
_ICONS = set(_FUNCTIONS["label"].parameters["icon"].enum_items.keys())


class RecordingLayout:
    """Replaces a panel's layout. Unknown functions, arguments, properties, operators and icons are errors, as in Blender.

    calls: list to which each call is added, as (function, arguments ..., text, factor).
    """

    def __init__(self, calls):
        self.__dict__["calls"] = calls

    def __getattr__(self, kind):
        assert kind in _FUNCTIONS, f"UILayout has no {kind}"
        known = set(_FUNCTIONS[kind].parameters.keys()) | {"text_ctxt", "translate"}

        def record(*arguments, **options):
            assert set(options) <= known, f"{kind} takes no {set(options) - known}"
            icon = options.get("icon", "NONE")
            assert isinstance(icon, int) or icon in _ICONS, f"no icon {icon}"
            if kind == "popover":  # Blender itself only prints a warning
                assert hasattr(bpy.types, options["panel"]), f"no panel {options['panel']}"
            if kind == "operator":
                area, name = arguments[0].split(".")
                assert name in dir(getattr(bpy.ops, area)), f"no operator {arguments[0]}"
            if kind == "prop" and hasattr(arguments[0], "bl_rna"):  # tests may replace settings by plain objects
                assert arguments[1] in arguments[0].bl_rna.properties, f"no property {arguments[1]}"
            self.calls.append((kind, *arguments, *(options.get(key) for key in ("text", "factor") if key in options)))
            return ButtonProperties(arguments[0], self.calls) if kind == "operator" else RecordingLayout(self.calls)

        return record

    def __setattr__(self, name, value):
        assert name in _PROPERTIES, f"UILayout has no {name}"


class ButtonProperties:
    """Replaces the properties that a button gives its operator."""

    def __init__(self, idname, calls):
        area, name = idname.split(".")
        self.__dict__["known"] = getattr(getattr(bpy.ops, area), name).get_rna_type().properties.keys()
        self.__dict__["calls"] = calls

    def __setattr__(self, name, value):
        assert name in self.known, f"the operator has no {name}"
        self.calls.append(("with", name, value))


class NoLayout:
    """Accepts every call and does nothing, to measure the time of the panel itself."""

    def __getattr__(self, kind):
        return self

    def __call__(self, *arguments, **options):
        return self

    def __setattr__(self, name, value):
        pass


def drawing_context():
    """The current context, as panels see it in a sidebar."""
    return SimpleNamespace(
        scene=bpy.context.scene,
        object=bpy.context.object,
        selected_objects=bpy.context.selected_objects,
        preferences=bpy.context.preferences,
        active_pose_bone=None,
        window_manager=bpy.context.window_manager,
        region=SimpleNamespace(width=300),
    )


def draw_panel(panel, layout=None, context=None):
    """The calls with which a panel draws in a context, the current one if None; None if its poll fails."""
    context = context or drawing_context()
    if hasattr(panel, "poll") and not panel.poll(context):
        return None
    calls = []
    panel_instance = SimpleNamespace(layout=layout or RecordingLayout(calls))
    for header in ("draw_header", "draw_header_preset"):
        if hasattr(panel, header):
            getattr(panel, header)(panel_instance, context)
    panel.draw(panel_instance, context)
    return calls


def operators_drawn(calls):
    """The operators among the recorded calls."""
    return [entry[1] for entry in calls if entry[0] == "operator"]


def visible_text(calls):
    """The labels among the recorded calls, as one text."""
    return " ".join(entry[1] for entry in calls if entry[0] == "label" and len(entry) > 1)
