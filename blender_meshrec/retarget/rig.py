"""The records of retargeting: a rig at rest, the mapping of its bones to body parts, a performance, options and the result.

Letters for axes: F frames, B bones. Rotation matrices act on columns. World: z up, metres.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..core.array_types import BoolArray, FloatArray, IntArray
from ..core.character_options import CharacterOptions
from ..core.frozen_arrays import freeze_arrays
from ..core.messages import Message

SIDES = ("left", "right")
# The body parts ("slots") that bones are mapped to. A slot may hold several bones, from parent to child: a spine, a neck, an upper
# arm that is split in two. "root" is a bone on the floor that carries root motion.
BODY_SLOTS = ("root", "hips", "spine", "neck", "head")
LIMB_SLOTS = ("clavicle", "upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot", "toes")
# Bones beside a limb that share its twist.
TWIST_SLOTS = ("upper_arm_twist", "lower_arm_twist", "upper_leg_twist", "lower_leg_twist")
FINGER_SLOTS = ("thumb", "index", "middle", "ring", "little")
SLOTS = (*BODY_SLOTS, *(f"{side}_{slot}" for side in SIDES for slot in (*LIMB_SLOTS, *TWIST_SLOTS, *FINGER_SLOTS)))
# A humanoid has at least these.
REQUIRED_SLOTS = (
    "hips", "head", *(f"{side}_{slot}" for side in SIDES for slot in ("upper_arm", "lower_arm", "upper_leg", "lower_leg"))
)  # fmt: skip


def _default_flags() -> BoolArray:
    """The default of a Rig's flags, replaced in __post_init__, where the number of bones is known."""
    return np.empty(0, bool)


@dataclass(frozen=True)
class Rig:
    """A character's skeleton at rest, as Blender describes it.

    bones: names, parents before children. parents: (B,), -1 at roots. rest: (B,4,4), each bone's matrix in armature space
    (`bone.matrix_local`): y along the bone, the head as translation. lengths: (B,) of the bones. world: (4,4), the
    object's matrix. deform: (B,) bool, bones with skin. rotation_modes: Blender's names, one a bone.
    lock_location, lock_rotation: (B,3) bool. inherit_rotation, local_location, connected: (B,) bool, Blender's
    `use_inherit_rotation`, `use_local_location` and `use_connect`. humanoid: VRM's own map, its names (such as
    leftUpperArm) -> bones, empty where the file has none.
    """

    name: str
    bones: tuple[str, ...]
    parents: IntArray
    rest: FloatArray
    lengths: FloatArray
    world: FloatArray = field(default_factory=lambda: np.eye(4))
    deform: BoolArray = field(default_factory=_default_flags)
    rotation_modes: tuple[str, ...] = ()
    lock_location: BoolArray = field(default_factory=_default_flags)
    lock_rotation: BoolArray = field(default_factory=_default_flags)
    inherit_rotation: BoolArray = field(default_factory=_default_flags)
    local_location: BoolArray = field(default_factory=_default_flags)
    connected: BoolArray = field(default_factory=_default_flags)
    humanoid: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.bones)
        for name, default in (
            ("deform", np.ones(count, bool)),
            ("lock_location", np.zeros((count, 3), bool)),
            ("lock_rotation", np.zeros((count, 3), bool)),
            ("inherit_rotation", np.ones(count, bool)),
            ("local_location", np.ones(count, bool)),
            ("connected", np.zeros(count, bool)),
        ):
            if np.size(getattr(self, name)) == 0:
                object.__setattr__(self, name, default)
        object.__setattr__(self, "bones", tuple(self.bones))
        object.__setattr__(self, "rotation_modes", tuple(self.rotation_modes) or ("QUATERNION",) * count)
        freeze_arrays(
            self,
            {
                "parents": (np.int64, (count,)),
                "rest": (np.float64, (count, 4, 4)),
                "lengths": (np.float64, (count,)),
                "world": (np.float64, (4, 4)),
                "deform": (bool, (count,)),
                "lock_location": (bool, (count, 3)),
                "lock_rotation": (bool, (count, 3)),
                "inherit_rotation": (bool, (count,)),
                "local_location": (bool, (count,)),
                "connected": (bool, (count,)),
            },
            require_finite=False,
        )
        if (self.parents >= np.arange(count)).any():
            raise ValueError("Rig.bones must list parents before their children")

    def __len__(self) -> int:
        return len(self.bones)

    def index(self, bone: str) -> int:
        """The position of a bone in `bones`. Raises KeyError if there is none of that name."""
        try:
            return self.bones.index(bone)
        except ValueError:
            raise KeyError(bone) from None


# Bone, custom property, value.
ControlSwitch = tuple[str, str, float]


@dataclass(frozen=True)
class Controls:
    """How an animator's control rig is driven: by its controls, never by the bones with skin.

    fk, ik: switches as (bone, custom property, value), to set for FK or for IK. ik_targets: "left_hand", "right_foot",
    "left_toes", ... -> the control that the limb's IK follows; for toes the control that turns them under IK. poles: "left_leg",
    "right_arm", ... -> the control that its knee or elbow points to.
    """

    fk: tuple[ControlSwitch, ...] = ()
    ik: tuple[ControlSwitch, ...] = ()
    ik_targets: dict[str, str] = field(default_factory=dict)
    poles: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BoneMapping:
    """Which bones of a rig are which part of a human body.

    slots: slot of SLOTS -> bone names from parent to child; slots without bones are dropped. confidence: bone -> 0..1. found_by:
    "preset", "vrm", "names" or "geometry". convention: the recognised naming, for people to read. controls: of a control rig.
    """

    slots: Mapping[str, tuple[str, ...]]
    confidence: dict[str, float] = field(default_factory=dict)
    found_by: str = "preset"
    convention: str = ""
    controls: Controls | None = None

    def __post_init__(self) -> None:
        if unknown := [slot for slot in self.slots if slot not in SLOTS]:
            raise ValueError(f"There is no slot {unknown[0]}; there are {', '.join(SLOTS)}")
        object.__setattr__(self, "slots", {slot: tuple(bones) for slot, bones in self.slots.items() if bones})

    @property
    def bones(self) -> tuple[str, ...]:
        """Every mapped bone once, in the order of the slots."""
        return tuple(dict.fromkeys(bone for slot in SLOTS for bone in self.slots.get(slot, ())))


@dataclass(frozen=True)
class Performance:
    """Recorded motion of a source skeleton.

    rig, mapping: of the source. rotations: (F,B,3,3), each bone's rotation in the world, so that at rest it is that of
    world @ rest. heads: (F,B,3) m in the world. fps: nominal rate. timestamps: (F,) s. contacts: (F,4) 0..1, left heel, left
    toe, right heel, right toe, or None where they are unknown. soles: (F,4,3) m, those four points, or None. hand_contacts: (F,2)
    0..1, left and right, or None. notes: what the reader of a file had to assume.
    """

    rig: Rig
    mapping: BoneMapping
    rotations: FloatArray
    heads: FloatArray
    fps: float
    timestamps: FloatArray
    contacts: FloatArray | None = None
    soles: FloatArray | None = None
    hand_contacts: FloatArray | None = None
    notes: tuple[Message, ...] = ()

    def __post_init__(self) -> None:
        frames, count = len(self.timestamps), len(self.rig)
        freeze_arrays(
            self,
            {
                "rotations": (np.float64, (frames, count, 3, 3)),
                "heads": (np.float64, (frames, count, 3)),
                "timestamps": (np.float64, (frames,)),
                "contacts": (np.float64, (frames, 4)),
                "soles": (np.float64, (frames, 4, 3)),
                "hand_contacts": (np.float64, (frames, 2)),
            },
            require_finite=False,
        )

    def __len__(self) -> int:
        return len(self.timestamps)


# The parts of a body that may follow a performer less than fully: all their slots but those of twist bones.
INFLUENCE_PARTS: dict[str, tuple[str, ...]] = {
    "spine": ("spine",),
    "head": ("neck", "head"),
    **{f"{side}_arm": tuple(f"{side}_{slot}" for slot in ("clavicle", "upper_arm", "lower_arm", "hand", *FINGER_SLOTS)) for side in SIDES},
    **{f"{side}_leg": tuple(f"{side}_{slot}" for slot in ("upper_leg", "lower_leg", "foot", "toes")) for side in SIDES},
}


@dataclass(frozen=True)
class RetargetTuning:
    """What an artist corrects of a retargeting.

    offsets: bone -> (3,) rad, a rotation vector in the bone's own axes by which it is turned further; its children follow. influences:
    of INFLUENCE_PARTS -> 0..1, how far the part follows the performer rather than stay at rest; 1 where it is missing. path_offset: (3,) m,
    by which the whole motion is moved. heading: rad, by which it is turned about the vertical axis through the origin. path_scale: factor
    of the path on the floor.
    """

    offsets: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    influences: Mapping[str, float] = field(default_factory=dict)
    path_offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    heading: float = 0.0
    path_scale: float = 1.0

    def influence(self, part: str) -> float:
        """The influence of a part."""
        return self.influences.get(part, 1.0)

    @property
    def turns_bones(self) -> bool:
        """Whether it changes rotations of bones."""
        return any(any(offset) for offset in self.offsets.values()) or any(value != 1 for value in self.influences.values())


@dataclass(frozen=True, kw_only=True)
class RetargetOptions(CharacterOptions):
    """The options of retargeting to an artist's character.

    fps: of the timeline, None for the performance's own. tuning: an artist's corrections.
    """

    fps: float | None = None
    tuning: RetargetTuning = field(default_factory=RetargetTuning)


@dataclass(frozen=True)
class RetargetedMotion:
    """What to key on the rig, one row a frame of the performance.

    bones: the N keyed bones. rotations: (F,N,4) wxyz, each pose bone's own rotation (the rotation of Blender's
    `matrix_basis`). locations: bone -> (F,3) of `matrix_basis`, in armature units, for the few bones that move.
    rotmats, heads: (F,B,3,3) in armature space and (F,B,3) in armature units, of every bone of the rig once keyed.
    contacts: (F,4) or None. quality: numbers for the report, such as foot_slide_before and foot_slide_after, cm/s.
    """

    bones: tuple[str, ...]
    rotations: FloatArray
    locations: dict[str, FloatArray]
    rotmats: FloatArray
    heads: FloatArray
    timestamps: FloatArray
    fps: float
    contacts: FloatArray | None = None
    quality: dict[str, float] = field(default_factory=dict)
