"""The names of the bones of a light rig's limbs with IK: arms and legs, of SKEL the legs."""

from collections.abc import Collection
from dataclasses import dataclass

from .built_rig import BuiltLimb
from .control_names import LIMBS, SKEL_LIMBS, SUFFIXES, SWITCH, control_name, mechanism_name


@dataclass(frozen=True)
class RigLimb:
    """A limb of the rig: its side ("left") and kind ("leg"), the names of its joints, and of its bones.

    fk, output: three controls and three hidden bones, from root to end. ik, pole: the IK controls. twists: two controls. hinge: the
    joint whose bone has the limb's hinge as its X axis.
    """

    side: str
    kind: str
    joints: tuple[str, ...]
    fk: tuple[str, ...]
    output: tuple[str, ...]
    ik: str
    pole: str
    twists: tuple[str, str]
    hinge: str

    @property
    def chain(self) -> tuple[str, str]:
        """The two bones that IK bends."""
        return f"MCH-{self.fk[0].replace('_fk', '_ik')}", f"MCH-{self.fk[1].replace('_fk', '_ik')}"

    @property
    def built(self) -> BuiltLimb:
        """The limb as the keys need it."""
        return BuiltLimb(
            self.side, self.kind, self.joints, self.hinge, self.ik, self.pole, self.twists, self.turned, (self.ik, SWITCH), 1.0, 0.0
        )

    @property
    def turned(self) -> tuple[str, str]:
        """The two hidden bones that the twist controls carry, with the axes of the person's."""
        return f"MCH-{self.twists[0]}", f"MCH-{self.twists[1]}"

    @property
    def ik_end(self) -> str:
        """The hidden bone at the end of the bent bones, which turns as the IK control does."""
        return f"MCH-{self.ik}"


def rig_limbs(names: Collection[str]) -> list[RigLimb]:
    """The limbs with IK of a rig for the joints `names`."""
    limbs: list[RigLimb] = []
    is_skel = "femur_l" in names
    for kind, (parts, ik, pole, twists) in (SKEL_LIMBS if is_skel else LIMBS).items():
        for side, suffix in SUFFIXES.items():
            joints = tuple(f"{part}_{side[0]}" if is_skel else f"{side}_{part}" for part in parts)
            fk = tuple(control_name(joint) for joint in joints)
            outputs = tuple(mechanism_name(name.replace("_fk", "")) for name in fk)
            named_twists = twists[0] + suffix, twists[1] + suffix
            hinge = joints[1] if is_skel else joints[0]
            limbs.append(RigLimb(side, kind, joints, fk, outputs, ik + suffix, pole + suffix, named_twists, hinge))
    return limbs
