"""Synthetic characters: people of random proportions and rest poses, with any bone names and any extra bones."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blender_meshrec.core.array_types import ArrayLike, FloatArray
from blender_meshrec.retarget.rig import FINGER_SLOTS, SIDES, Rig

# The parts of the body that every mapping test compares; fingers and twist bones are compared on their own.
BODY = ("hips", "spine", "neck", "head")
LIMBS = ("clavicle", "upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot", "toes")
_HEIGHT = 1.7  # m

Truth = dict[str, list[str]]  # slot -> bones


def body_slots(slots: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """The slots of the body, without fingers, twist bones and the root."""
    return {slot: tuple(bones) for slot, bones in slots.items() if slot in BODY or slot.split("_", 1)[-1] in LIMBS}


class RigBuilder:
    """The bones of a character, added one by one by name, parent and head; tails follow from the children."""

    def __init__(self) -> None:
        self.heads: dict[str, FloatArray] = {}
        self.parent: dict[str, str | None] = {}

    def add(self, name: str, parent: str | None, head: ArrayLike) -> None:
        """Add a bone with a new name to an existing parent."""
        assert name not in self.heads, name
        assert parent is None or parent in self.heads, parent
        self.heads[name], self.parent[name] = np.array(head, float), parent

    def add_chain(self, names: Sequence[str], parent: str | None, start: FloatArray, stop: FloatArray) -> str | None:
        """Add bones between two points, each the child of the one before. Returns the last one's name, `parent` if there are none."""
        for number, name in enumerate(names):
            self.add(name, parent, start + (stop - start) * number / len(names))
            parent = name
        return parent

    def build_rig(
        self,
        rng: np.random.Generator,
        name: str = "character",
        tails: str = "along",
        armature_from_body: FloatArray | None = None,
        world: FloatArray | None = None,
        order: str = "depth",
        **fields: Any,
    ) -> Rig:
        """Make a Rig of the bones.

        tails: "along" to the next joint, or "anywhere", as importers of game formats place them. armature_from_body: (4,4), the
        body's axes in the armature. order: of the bones, "depth" or "breadth" first, children in random order. fields: of the Rig.
        """
        children = self._children()
        names = self._ordered_names(rng, children, order)
        transform = np.eye(4) if armature_from_body is None else armature_from_body
        scale = np.cbrt(abs(np.linalg.det(transform[:3, :3])))
        rest, lengths = [], []
        for bone in names:
            along = self._bone_vector(rng, bone, children[bone], tails)
            matrix = transform @ _bone_matrix(self.heads[bone], along, rng)
            matrix[:3, :3] /= scale
            rest.append(matrix)
            lengths.append(np.linalg.norm(along) * scale)
        parents = [names.index(parent) if (parent := self.parent[bone]) else -1 for bone in names]
        return Rig(name, tuple(names), parents, rest, lengths, np.eye(4) if world is None else world, **fields)

    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {bone: [] for bone in self.heads}
        for bone, parent in self.parent.items():
            if parent is not None:
                children[parent].append(bone)
        return children

    def _ordered_names(self, rng: np.random.Generator, children: dict[str, list[str]], order: str) -> list[str]:
        """All bones, parents before children."""
        names: list[str] = []
        pending = [bone for bone, parent in self.parent.items() if parent is None][::-1]
        while pending:
            names.append(pending.pop() if order == "depth" else pending.pop(0))
            following = list(children[names[-1]])
            rng.shuffle(following)
            pending.extend(following)
        return names

    def _bone_vector(self, rng: np.random.Generator, bone: str, children: list[str], tails: str) -> FloatArray:
        """The vector (3,) from a bone's head to its tail."""
        size = np.ptp(np.array(list(self.heads.values())), axis=0).max()
        parent = self.parent[bone]
        if tails == "anywhere":
            along = rng.normal(size=3)
            along *= rng.uniform(0.02, 0.1) * size / np.linalg.norm(along)
        elif children:
            along = np.mean([self.heads[child] for child in children], axis=0) - self.heads[bone]
        else:
            along = self.heads[bone] - self.heads[parent] if parent else np.array([0, 0, 0.1 * size])
        return along if np.linalg.norm(along) >= 0.005 * size else np.array([0, 0, 0.02 * size])


def _bone_matrix(head: FloatArray, along: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The matrix (4,4) of a bone with y along the bone and a random roll."""
    y = along / np.linalg.norm(along)
    x = np.cross(y, rng.normal(size=3))
    x /= np.linalg.norm(x)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([x, y, np.cross(x, y)], axis=1)
    matrix[:3, 3] = head
    return matrix


# --- people --------------------------------------------------------------------------------------------------------------


@dataclass
class Proportions:
    """Random proportions of a standing person, m. arms_down: rad below the horizontal."""

    leg: float
    torso: float
    arm: float
    hip: float
    shoulder: float
    foot: float
    ankle: float
    arms_down: float
    hips_head: FloatArray
    neck_head: FloatArray
    skull_head: FloatArray


def random_proportions(rng: np.random.Generator, arms_down: float | None = None) -> Proportions:
    """Proportions between those of toys and giants. arms_down: degrees, None for random."""
    vary = rng.uniform
    leg, torso, arm = 0.47 * _HEIGHT * vary(0.7, 1.2), 0.28 * _HEIGHT * vary(0.85, 1.15), 0.32 * _HEIGHT * vary(0.85, 1.2)
    hip, shoulder = 0.055 * _HEIGHT * vary(0.8, 1.4), 0.11 * _HEIGHT * vary(0.85, 1.2)
    foot, ankle = 0.08 * _HEIGHT * vary(0.8, 1.5), 0.045 * _HEIGHT * vary(0.8, 1.6)
    down = np.radians(vary(0, 65) if arms_down is None else arms_down)
    hips_head = np.array([0, 0.01 * vary(-1, 1), leg + ankle])
    neck_head = hips_head + [0, 0.02, torso * vary(0.98, 1.06)]
    skull_head = neck_head + [0, -0.02, torso * vary(0.15, 0.3)]
    return Proportions(leg, torso, arm, hip, shoulder, foot, ankle, down, hips_head, neck_head, skull_head)


def make_humanoid(
    truth: Truth,
    rng: np.random.Generator,
    *,
    arms_down: float | None = None,
    thighs_from: str | None = None,
    clavicles_from: str | None = None,
    over_hips: Sequence[str] = (),
    pelvis: str | None = None,
    hip_joints: Sequence[str] | None = None,
    metacarpals: Mapping[tuple[str, str], str] | None = None,
) -> RigBuilder:
    """A standing person whose bones have the names of `truth`, as a RigBuilder to which more bones can be added.

    arms_down: degrees below the horizontal. thighs_from, clavicles_from: their parents in place of hips and chest. over_hips: bones
    above the hips, at the same place. pelvis: a bone beside the spine, the parent of the thighs. hip_joints: two bones from the
    middle of the hips to the thighs. metacarpals: names by (side, finger).
    """
    build, shape = RigBuilder(), random_proportions(rng, arms_down)
    hips, chest = _add_torso(build, truth, shape, over_hips)
    if pelvis:
        build.add(pelvis, hips, shape.hips_head - [0, 0, 0.01])
    for number, side in enumerate(SIDES):
        mirror = np.array([1.0 - 2 * number, 1, 1])
        _add_arm(build, truth, shape, side, mirror, clavicles_from or chest, metacarpals or {})
        leg_parent = thighs_from or pelvis or hips
        if hip_joints:
            build.add(hip_joints[number], leg_parent, shape.hips_head)
            leg_parent = hip_joints[number]
        _add_leg(build, truth, shape, side, mirror, leg_parent)
    return build


def _add_torso(build: RigBuilder, truth: Truth, shape: Proportions, over_hips: Sequence[str]) -> tuple[str | None, str | None]:
    """Add root, hips, spine, neck and head. Returns the last bones of hips and spine."""
    hips_head, torso = shape.hips_head, shape.torso
    parent = None
    if truth.get("root"):
        build.add(truth["root"][0], None, np.zeros(3))
        parent = truth["root"][0]
    for name in over_hips:
        build.add(name, parent, hips_head)
        parent = name
    hips = build.add_chain(truth["hips"], parent, hips_head, hips_head + [0, 0, 0.02])
    chest = build.add_chain(truth["spine"], hips, hips_head + [0, 0.01, 0.12 * torso], hips_head + [0, 0.02, torso])
    neck = build.add_chain(truth.get("neck", ()), chest, shape.neck_head, shape.skull_head)
    skull_head = shape.skull_head if truth.get("neck") else shape.neck_head + [0, 0, 0.1 * torso]
    build.add_chain(truth["head"], neck, skull_head, shape.skull_head + [0, 0, 0.1])
    return hips, chest


def _add_arm(
    build: RigBuilder,
    truth: Truth,
    shape: Proportions,
    side: str,
    mirror: FloatArray,
    parent: str | None,
    metacarpals: Mapping[tuple[str, str], str],
) -> None:
    arm, shoulder = shape.arm, shape.shoulder
    clavicle_head = shape.hips_head + mirror * [0.15 * shoulder, 0.0, 0.9 * shape.torso]
    shoulder_head = shape.hips_head + mirror * [shoulder, 0.02, 0.92 * shape.torso]
    direction = mirror * [np.cos(shape.arms_down), 0.0, -np.sin(shape.arms_down)]
    elbow_head = shoulder_head + direction * 0.53 * arm + [0, 0.01, 0]
    wrist_head = elbow_head + direction * 0.47 * arm - [0, 0.02, 0]
    joints = (clavicle_head, shoulder_head, elbow_head, wrist_head, wrist_head + direction * 0.18 * arm)
    for part, start, stop in zip(("clavicle", "upper_arm", "lower_arm", "hand"), joints[:-1], joints[1:], strict=True):
        parent = build.add_chain(truth.get(f"{side}_{part}", ()), parent, start, stop)
    for place, finger in enumerate(FINGER_SLOTS):
        offset = np.array([0, -0.03 + 0.015 * place, 0])
        knuckle = wrist_head + direction * (0.3 if finger == "thumb" else 0.8) * 0.18 * arm + offset
        finger_parent = parent
        if metacarpal := metacarpals.get((side, finger)):
            build.add(metacarpal, parent, wrist_head + direction * 0.1 * 0.18 * arm + offset * 0.6)
            finger_parent = metacarpal
        length = direction * 0.14 * arm + (np.array([0, -0.03, 0]) if finger == "thumb" else 0)
        build.add_chain(truth.get(f"{side}_{finger}", ()), finger_parent, knuckle, knuckle + length)


def _add_leg(build: RigBuilder, truth: Truth, shape: Proportions, side: str, mirror: FloatArray, parent: str | None) -> None:
    hip_head = shape.hips_head + mirror * [shape.hip, 0, -0.03 * shape.leg]
    knee_head = hip_head * [1, 1, 0] + [0, -0.01, shape.ankle + 0.48 * shape.leg] + mirror * [0.02, 0, 0]
    ankle_head = hip_head * [1, 1, 0] + [0, 0.02, shape.ankle] + mirror * [0.03, 0, 0]
    ball_head = ankle_head * [1, 1, 0.2] + [0, -shape.foot, 0]
    joints = (hip_head, knee_head, ankle_head, ball_head, ball_head - [0, 0.05, 0])
    for part, start, stop in zip(("upper_leg", "lower_leg", "foot", "toes"), joints[:-1], joints[1:], strict=True):
        parent = build.add_chain(truth.get(f"{side}_{part}", ()), parent, start, stop)


# --- changes to a character ----------------------------------------------------------------------------------------------


def add_extra_bones(build: RigBuilder, truth: Truth, rng: np.random.Generator, style: Callable[[str], str] = str) -> RigBuilder:
    """Add bones that are no part of a body: ends, face, hair, cloth, weapons, IK targets, correctives.

    style: turns plain words into a name in the rig's style.
    """
    base = truth["root"][0] if truth.get("root") else None
    head, hips, chest = truth["head"][-1], truth["hips"][-1], truth["spine"][-1]
    at = dict(build.heads)
    sides = {"left": "L", "right": "R"}
    for side, letter in sides.items():
        mirror = np.array([1.0 if side == "left" else -1.0, 1, 1])
        build.add(style(f"Eye_{letter}"), head, at[head] + mirror * [0.03, -0.08, 0.06])
        build.add(style(f"Breast_{letter}"), chest, at[chest] + mirror * [0.08, -0.1, 0.05])
        hand, foot, thigh = truth[f"{side}_hand"][-1], truth[f"{side}_foot"][-1], truth[f"{side}_upper_leg"][0]
        build.add(style(f"Weapon_{letter}"), hand, at[hand] + mirror * [0.03, -0.05, 0])
        build.add(style(f"IK_Foot_{letter}"), base, at[foot])
        build.add(style(f"IK_Hand_{letter}"), base, at[hand])
        build.add(style(f"Knee_Pole_{letter}"), base, at[foot] + [0, -0.8, 0.4])
        build.add(style(f"Thigh_Muscle_{letter}"), thigh, at[thigh] - [0, 0.05, 0.1])
        parent = hips
        for step in range(int(rng.integers(2, 5))):
            build.add(style(f"Skirt_{letter}_{step}"), parent, at[hips] + mirror * [0.12 + 0.02 * step, 0, -0.1 - 0.12 * step])
            parent = style(f"Skirt_{letter}_{step}")
        parent = head
        for step in range(3):
            build.add(style(f"Hair_{letter}_{step}"), parent, at[head] + mirror * [0.1, 0.02, 0.05 - 0.08 * step])
            parent = style(f"Hair_{letter}_{step}")
    build.add(style("Jaw"), head, at[head] + [0, -0.05, 0.02])
    build.add(style("HeadTop_End"), head, at[head] + [0, 0, 0.2])
    parent = hips
    for step in range(3):
        build.add(style(f"Tail_{step}"), parent, at[hips] + [0, 0.1 + 0.1 * step, -0.05])
        parent = style(f"Tail_{step}")
    leaves = [bone for bone in at if bone not in build.parent.values()]
    for bone in leaves:
        parent = build.parent[bone]
        assert parent is not None
        build.add(f"{bone}_end", bone, at[bone] + (at[bone] - at[parent]) * 0.5)
    return build


def detach_bones(build: RigBuilder, bones: Iterable[str], parent: str | None) -> RigBuilder:
    """The same character with these bones hanging from another parent, as feet do that are the targets of their legs' IK."""
    detached = RigBuilder()
    detached.heads, detached.parent = dict(build.heads), {**build.parent, **dict.fromkeys(bones, parent)}
    return detached


def rename_bones(build: RigBuilder, new_names: Mapping[str, str]) -> RigBuilder:
    """The same character with other bone names (old -> new)."""
    renamed = RigBuilder()
    renamed.heads = {new_names[bone]: head for bone, head in build.heads.items()}
    renamed.parent = {new_names[bone]: new_names[parent] if parent else None for bone, parent in build.parent.items()}
    return renamed


def anonymise_bones(build: RigBuilder, truth: Truth, rng: np.random.Generator) -> tuple[RigBuilder, Truth]:
    """The same character with meaningless names, and its truth."""
    numbers = rng.permutation(len(build.heads))
    new_names = {bone: f"bone.{number:03d}" for bone, number in zip(build.heads, numbers, strict=True)}
    return rename_bones(build, new_names), {slot: [new_names[bone] for bone in bones] for slot, bones in truth.items()}
