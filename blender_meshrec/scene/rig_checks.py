"""What keeps a character from being animated, said before anything is changed."""

import numpy as np

from ..core.errors import InputError

_MIN_LENGTH = 1e-5  # of the longest bone; numbers in Blender are not finer
_MIN_VOLUME = 1e-9  # of the largest scale, cubed


def check_rig(armature_object):
    """Refuse an armature that a new action cannot animate as it should.

    Raises:
        InputError: it is no armature, has no bones, is linked from a library, mirrored or flattened by its scale, in Edit
            Mode or in the NLA's tweak mode, its constraints go in a circle, or its bones hold values that are no numbers.
    """
    rig = armature_object
    if rig is None or rig.type != "ARMATURE":
        what = "Nothing" if rig is None else f'"{rig.name}"'
        raise InputError("object-not-armature", "{name} is not an armature.", "Choose the armature of a character.", name=what)
    if not rig.data.bones:
        raise InputError("rig-without-bones", '"{name}" has no bones.', "Choose an armature that has bones.", name=rig.name)
    library = rig.library or (rig.override_library and rig.override_library.is_system_override and rig.override_library.reference.library)
    if library:
        raise InputError(
            "rig-linked",
            '"{name}" is linked from {path} and cannot be animated here.',
            "Make a library override that can be edited of the character (Object > Library Override > Make), or make it local.",
            name=rig.name,
            path=library.filepath,
        )
    if rig.mode == "EDIT":
        raise InputError("rig-in-edit-mode", '"{name}" is in Edit Mode.', "Leave Edit Mode first.", name=rig.name)
    if rig.animation_data and rig.animation_data.use_tweak_mode:
        raise InputError(
            "rig-nla-tweaked", 'An NLA strip of "{name}" is being tweaked.', "Leave the NLA editor's tweak mode (Tab) first.", name=rig.name
        )
    _check_scale(rig)
    _check_rest(rig)
    if circle := find_constraint_cycle(rig):
        names = " -> ".join(f'"{name}"' for name in circle)
        raise InputError(
            "rig-constraints-circular",
            'The constraints of "{name}" go in a circle: {bones}.',
            "Mute or remove one of these constraints.",
            name=rig.name,
            bones=names,
        )


def check_bone_lengths(rig, bones):
    """Refuse bones (names) of a Rig that are to be animated and have no length, and so no direction.

    Raises:
        InputError: names them.
    """
    least = _MIN_LENGTH * rig.lengths.max()
    if short := [bone for bone in bones if not rig.lengths[rig.index(bone)] > least]:
        names = ", ".join(f'"{bone}"' for bone in short[:4]) + (f" and {len(short) - 4} more" if len(short) > 4 else "")
        raise InputError(
            "rig-bones-without-length",
            'In "{name}" these bones have no length: {bones}.',
            "Give them a length in Edit Mode, or choose others in Mapping.",
            name=rig.name,
            bones=names,
        )


def _check_scale(rig):
    world = np.array(rig.matrix_world)[:3, :3]
    volume = np.linalg.det(world) if np.isfinite(world).all() else 0.0
    if volume < 0:
        raise InputError(
            "rig-mirrored",
            '"{name}" is mirrored: its scale is negative.',
            "Apply the scale (Object > Apply > Scale), or make it positive.",
            name=rig.name,
        )
    if volume <= _MIN_VOLUME * np.abs(world).max() ** 3:
        raise InputError(
            "rig-flat", '"{name}" is flat: its scale is zero along an axis.', "Give it a scale that is not zero.", name=rig.name
        )


def _check_rest(rig):
    bones = rig.data.bones
    rest = np.empty(16 * len(bones), np.float32)
    bones.foreach_get("matrix_local", rest)
    broken = ~np.isfinite(rest.reshape(len(bones), 16)).all(1)
    if broken.any():
        name = bones[int(np.argmax(broken))].name
        raise InputError(
            "rig-rest-pose-damaged",
            'The rest pose of "{name}" is damaged at "{bone}".',
            "Export the character again.",
            name=rig.name,
            bone=name,
        )


def find_constraint_cycle(rig):
    """Bones and objects that wait for each other, in order, the first one again at the end; None where there is no circle.

    A bone waits for its parent and for what its constraints look at; Blender would evaluate a circle in an order nobody chose.
    """
    waits = {}

    def add(node, other, bone=""):
        if other is not None:
            place = (other, bone) if other.type == "ARMATURE" and bone in other.data.bones else (other, "")
            waits.setdefault(node, []).append(place)

    for thing in _related_objects(rig):
        add((thing, ""), thing.parent, thing.parent_bone if thing.parent_type == "BONE" else "")
        _constraint_targets(thing.constraints, (thing, ""), add)
        for bone in thing.pose.bones if thing.pose else ():
            node = (thing, bone.name)
            waits.setdefault(node, []).append((thing, bone.parent.name if bone.parent else ""))
            for held, constraint in ((held, c) for c in bone.constraints for held in _constrained_bones(bone, c)):
                _constraint_targets([constraint], (thing, held), add)
    circle = _find_cycle(waits)
    return [bone or thing.name for thing, bone in circle] if circle else None


def _related_objects(rig):
    """The armature and every object that it or its constraints can wait for."""
    found, waiting = {}, [rig]
    while waiting:
        thing = waiting.pop()
        if thing is None or thing.name_full in found:
            continue
        found[thing.name_full] = thing
        waiting.append(thing.parent)
        holders = [thing, *(thing.pose.bones if thing.pose else ())]
        for constraint in (c for holder in holders for c in holder.constraints):
            waiting += [target for target, _ in _targets_of(constraint)]
    return found.values()


def _constrained_bones(bone, constraint):
    """The bones that a constraint moves: an IK's whole chain."""
    if constraint.type not in ("IK", "SPLINE_IK"):
        return [bone.name]
    chain = [bone if getattr(constraint, "use_tail", True) else bone.parent]
    while chain[-1] and chain[-1].parent and len(chain) != constraint.chain_count:
        chain.append(chain[-1].parent)
    return [link.name for link in chain if link]


def _constraint_targets(constraints, node, add):
    for constraint in constraints:
        for target, bone in _targets_of(constraint):
            # Objects' shapes are waited for by other ways, which are not followed here.
            if target is not None:
                add(node, target, bone)


def _targets_of(constraint):
    if constraint.mute or not constraint.enabled:
        return []
    if constraint.type == "ARMATURE":
        return [(target.target, target.subtarget) for target in constraint.targets]
    pairs = [(getattr(constraint, "target", None), getattr(constraint, "subtarget", ""))]
    if constraint.type == "IK":
        pairs.append((constraint.pole_target, constraint.pole_subtarget))
    return [(target, bone) for target, bone in pairs if target is not None]


def _find_cycle(waits):
    """A circle in a graph node -> nodes, by depth-first search without recursion."""
    done = set()
    for start in list(waits):
        path, on_path, stack = [], set(), [(start, iter(waits.get(start, ())))]
        if start in done:
            continue
        path.append(start)
        on_path.add(start)
        while stack:
            node, following = stack[-1]
            other = next(following, None)
            if other is None:
                stack.pop()
                path.pop()
                on_path.discard(node)
                done.add(node)
            elif other in on_path:
                return [*path[path.index(other) :], other]
            elif other not in done:
                path.append(other)
                on_path.add(other)
                stack.append((other, iter(waits.get(other, ()))))
    return None
