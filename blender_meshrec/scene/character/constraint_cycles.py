"""Cycles among bones and objects that depend on each other through parents and constraints."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import bpy

from ..context import armature_data, pose_bones_if_any

# An object, and the name of a bone of it or "" for the object itself.
_Node: TypeAlias = tuple[bpy.types.Object, str]


def find_constraint_cycle(armature_object: bpy.types.Object) -> list[str] | None:
    """The names of bones and objects that depend on each other, in order, the first one again at the end; None without a cycle.

    A bone depends on its parent and on the targets of its constraints. Blender evaluates a cycle in an arbitrary order.
    """
    cycle = _find_cycle(_dependency_graph(armature_object))
    return [bone or obj.name for obj, bone in cycle] if cycle else None


def _dependency_graph(armature_object: bpy.types.Object) -> dict[_Node, list[_Node]]:
    """Each bone or object -> the bones and objects that it depends on."""
    graph: dict[_Node, list[_Node]] = {}

    def add(node: _Node, target: bpy.types.Object | None, bone: str = "") -> None:
        if target is not None:
            graph.setdefault(node, []).append(_target_node(target, bone))

    for obj in _related_objects(armature_object):
        add((obj, ""), obj.parent, obj.parent_bone if obj.parent_type == "BONE" else "")
        for constraint in obj.constraints:
            for target, bone_name in _targets_of(constraint):
                add((obj, ""), target, bone_name)
        for bone in pose_bones_if_any(obj):
            graph.setdefault((obj, bone.name), []).append((obj, bone.parent.name if bone.parent else ""))
            for constraint in bone.constraints:
                for constrained in constrained_bones(bone, constraint):
                    for target, bone_name in _targets_of(constraint):
                        add((obj, constrained), target, bone_name)
    return graph


def _target_node(target: bpy.types.Object, bone: str) -> _Node:
    is_bone = target.type == "ARMATURE" and bone in armature_data(target).bones
    return target, bone if is_bone else ""


def _related_objects(armature_object: bpy.types.Object) -> Iterable[bpy.types.Object]:
    """The armature and every object that it depends on through parents and constraints."""
    found: dict[str, bpy.types.Object] = {}
    pending: list[bpy.types.Object | None] = [armature_object]
    while pending:
        obj = pending.pop()
        if obj is None or obj.name_full in found:
            continue
        found[obj.name_full] = obj
        pending.append(obj.parent)
        constraints = [*obj.constraints, *(constraint for bone in pose_bones_if_any(obj) for constraint in bone.constraints)]
        for constraint in constraints:
            pending += [target for target, _ in _targets_of(constraint)]
    return found.values()


def constrained_bones(bone: bpy.types.PoseBone, constraint: bpy.types.Constraint) -> list[str]:
    """The names of the bones that a constraint moves: the whole chain for IK."""
    if not isinstance(constraint, bpy.types.KinematicConstraint | bpy.types.SplineIKConstraint):
        return [bone.name]
    uses_tail = not isinstance(constraint, bpy.types.KinematicConstraint) or constraint.use_tail
    chain = [bone if uses_tail else bone.parent]
    while (last := chain[-1]) and last.parent and len(chain) != constraint.chain_count:
        chain.append(last.parent)
    return [link.name for link in chain if link]


def _targets_of(constraint: bpy.types.Constraint) -> list[tuple[bpy.types.Object, str]]:
    """The (object, bone name) targets of an active constraint; dependencies on objects' shapes are not followed."""
    if constraint.mute or not constraint.enabled:
        return []
    if isinstance(constraint, bpy.types.ArmatureConstraint):
        pairs = [(target.target, target.subtarget) for target in constraint.targets]
    else:  # every other type that has a target names it so
        pairs = [(getattr(constraint, "target", None), getattr(constraint, "subtarget", ""))]
    if isinstance(constraint, bpy.types.KinematicConstraint):
        pairs.append((constraint.pole_target, constraint.pole_subtarget))
    return [(target, bone) for target, bone in pairs if target is not None]


def _find_cycle(graph: Mapping[_Node, list[_Node]]) -> list[_Node] | None:
    """A cycle of a graph, by depth-first search without recursion."""
    done: set[_Node] = set()
    for start in list(graph):
        if start in done:
            continue
        path, on_path = [start], {start}
        stack = [(start, iter(graph.get(start, ())))]
        while stack:
            node, successors = stack[-1]
            successor = next(successors, None)
            if successor is None:
                stack.pop()
                path.pop()
                on_path.discard(node)
                done.add(node)
            elif successor in on_path:
                return [*path[path.index(successor) :], successor]
            elif successor not in done:
                path.append(successor)
                on_path.add(successor)
                stack.append((successor, iter(graph.get(successor, ()))))
    return None
