"""Naming conventions of characters: the shared tables as slots, and conventions that the tables lack."""

from collections.abc import Mapping, Sequence
from typing import Any

from blender_meshrec.retarget.rig import FINGER_SLOTS, SIDES

_EXPY_PARTS = {"shoulder": "clavicle", "arm": "upper_arm", "forearm": "lower_arm", "hand": "hand"}
_EXPY_PARTS |= {"upleg": "upper_leg", "leg": "lower_leg", "foot": "foot", "toe": "toes"}
_EXPY_SPINE = {"hips": "hips", "spine": "spine", "spine1": "spine", "spine2": "spine", "neck": "neck", "head": "head"}
_VRM_PARTS = {"SHOULDER": "clavicle", "UPPER_ARM": "upper_arm", "LOWER_ARM": "lower_arm", "HAND": "hand"}
_VRM_PARTS |= {"UPPER_LEG": "upper_leg", "LOWER_LEG": "lower_leg", "FOOT": "foot", "TOES": "toes"}
_VRM_SPINE = {"HIPS": "hips", "SPINE": "spine", "CHEST": "spine", "UPPER_CHEST": "spine", "NECK": "neck", "HEAD": "head"}
# An error of the tables: ActorCore's right forearm has the name of its twist bone.
_CORRECTIONS = {"CC_Base_R_ForearmTwist01": "CC_Base_R_Forearm"}
# Tables whose "twist" bones are part of the chain, so that the rest of the limb hangs from them.
_TABLES_WITH_INLINE_TWIST = ("expy:Daz_Genesis_8", "expy:Rigify_Deform")
TABLES = (
    "expy:ActorCore", "expy:Daz_Genesis_8", "expy:Mixamo", "expy:MocapOnline", "expy:RenderPeople", "expy:Rigify_Deform",
    "expy:Rigify_Metarig", "expy:Unreal_Mannequin", "expy:Unreal_Mannequin_5_0", "vrm:mixamo", "vrm:reallusion",
    "vrm:ready_player_me", "vrm:microsoft_rocketbox", "vrm:mpfb", "vrm:mpfb 2", "vrm:rigify_meta_rig", "vrm:unreal", "vrm:vroid",
    "vrm:cats_blender_plugin_fix_model",
)  # fmt: skip


class TrueMapping:
    """The content of a table.

    slots: slot -> bones. twist: (side, part) -> twist bones beside it. metacarpals: (side, finger) -> bone.
    """

    def __init__(self) -> None:
        self.slots: dict[str, list[str]] = {}
        self.twist: dict[tuple[str, str], list[str]] = {}
        self.metacarpals: dict[tuple[str, str], str] = {}

    def add(self, slot: str, bone: str) -> None:
        """Add a bone at the end of its slot."""
        self.slots.setdefault(slot, []).append(_CORRECTIONS.get(bone, bone))


def read_table(tables: Mapping[str, Any], name: str) -> TrueMapping:
    """The mapping of one of TABLES. "vrm:mpfb 2" is the second alternative of a table that gives several names."""
    name, _, alternative = name.partition(" ")
    mapping = TrueMapping()
    if name.startswith("expy:"):
        _read_expy_table(mapping, tables[name], has_inline_twist=name in _TABLES_WITH_INLINE_TWIST)
    else:
        _read_vrm_table(mapping, tables[name], choice=-1 if alternative else 0)
    return mapping


def _read_expy_table(mapping: TrueMapping, table: Mapping[str, str], has_inline_twist: bool) -> None:
    for part, slot in _EXPY_SPINE.items():
        mapping.add(slot, table[f"spine.{part}"])
    for key, bone in table.items():
        side, _, rest = key.partition("_")
        area, *where = rest.split(".")
        if side not in SIDES or "_ik" in area:
            continue
        if area == "fingers":
            finger = {"pinky": "little"}.get(where[0], where[0])
            if where[1] == "meta":
                mapping.metacarpals[side, finger] = bone
            else:
                mapping.add(f"{side}_{finger}", bone)
        elif where[0] in _EXPY_PARTS:
            mapping.add(f"{side}_{_EXPY_PARTS[where[0]]}", bone)
        elif (part := _EXPY_PARTS.get(where[0].partition("_twist")[0])) and bone not in mapping.slots.get(f"{side}_{part}", ()):
            if has_inline_twist:
                mapping.add(f"{side}_{part}", bone)
            else:
                mapping.twist.setdefault((side, part), []).append(bone)


def _read_vrm_table(mapping: TrueMapping, table: Mapping[str, Sequence[str]], choice: int) -> None:
    for part, slot in _VRM_SPINE.items():
        if part in table:
            mapping.add(slot, table[part][choice])
    for key, bones in table.items():
        side, _, part = key.partition("_")
        side, finger = side.lower(), part.split("_")[0].lower()
        if side not in SIDES:
            continue
        if part in _VRM_PARTS:
            mapping.add(f"{side}_{_VRM_PARTS[part]}", bones[choice])
        elif finger in FINGER_SLOTS:
            mapping.add(f"{side}_{finger}", bones[choice])


def _slots_from_text(sides: Sequence[str], text: str) -> dict[str, list[str]]:
    """Slot -> bones, from "slot=bone,bone; slot=..."; "{}" is replaced by the side."""
    truth: dict[str, list[str]] = {}
    for part in text.split("; "):
        slot, _, joined_names = part.partition("=")
        names = joined_names.split(",")
        if "{" not in names[0]:
            truth[slot] = names
            continue
        for side, side_word in zip(SIDES, sides, strict=True):
            truth[f"{side}_{slot}"] = [name.format(side_word) for name in names]
    return truth


# Conventions that the tables lack, from their makers' documents and characters: slot -> bones, and options of make_humanoid.
OTHER_CONVENTIONS: dict[str, tuple[dict[str, list[str]], dict[str, Any]]] = {
    "genesis 9": (
        _slots_from_text(
            "lr",
            "hips=hip; spine=spine1,spine2,spine3,spine4; neck=neck1,neck2; head=head; clavicle={}_shoulder; "
            "upper_arm={}_upperarm; lower_arm={}_forearm; hand={}_hand; upper_leg={}_thigh; lower_leg={}_shin; foot={}_foot; "
            "toes={}_toes; index={}_index1,{}_index2,{}_index3; thumb={}_thumb1,{}_thumb2,{}_thumb3",
        ),
        {"pelvis": "pelvis"},
    ),
    "genesis 2": (
        _slots_from_text(
            "lr",
            "hips=hip; spine=abdomen,abdomen2,chest; neck=neck; head=head; clavicle={}Collar; upper_arm={}Shldr; "
            "lower_arm={}ForeArm; hand={}Hand; upper_leg={}Thigh; lower_leg={}Shin; foot={}Foot; toes={}Toe",
        ),
        {"pelvis": "pelvis"},
    ),
    "character creator": (
        _slots_from_text(
            "LR",
            "root=CC_Base_BoneRoot; hips=CC_Base_Hip; spine=CC_Base_Waist,CC_Base_Spine01,CC_Base_Spine02; "
            "neck=CC_Base_NeckTwist01,CC_Base_NeckTwist02; head=CC_Base_Head; clavicle=CC_Base_{}_Clavicle; "
            "upper_arm=CC_Base_{}_Upperarm; lower_arm=CC_Base_{}_Forearm; hand=CC_Base_{}_Hand; upper_leg=CC_Base_{}_Thigh; "
            "lower_leg=CC_Base_{}_Calf; foot=CC_Base_{}_Foot; toes=CC_Base_{}_ToeBase; "
            "thumb=CC_Base_{}_Finger00,CC_Base_{}_Finger01,CC_Base_{}_Finger02; "
            "index=CC_Base_{}_Finger10,CC_Base_{}_Finger11,CC_Base_{}_Finger12; "
            "middle=CC_Base_{}_Finger20,CC_Base_{}_Finger21,CC_Base_{}_Finger22; "
            "ring=CC_Base_{}_Finger30,CC_Base_{}_Finger31,CC_Base_{}_Finger32; "
            "little=CC_Base_{}_Finger40,CC_Base_{}_Finger41,CC_Base_{}_Finger42",
        ),
        {"pelvis": "CC_Base_Pelvis"},
    ),
    "biped": (
        _slots_from_text(
            "LR",
            "hips=Bip001 Pelvis; spine=Bip001 Spine,Bip001 Spine1,Bip001 Spine2; neck=Bip001 Neck; head=Bip001 Head; "
            "clavicle=Bip001 {} Clavicle; upper_arm=Bip001 {} UpperArm; lower_arm=Bip001 {} Forearm; hand=Bip001 {} Hand; "
            "upper_leg=Bip001 {} Thigh; lower_leg=Bip001 {} Calf; foot=Bip001 {} Foot; toes=Bip001 {} Toe0",
        ),
        {"thighs_from": "Bip001 Spine", "clavicles_from": "Bip001 Neck", "over_hips": ["Bip001"]},
    ),
    "source engine": (
        _slots_from_text(
            "LR",
            "hips=ValveBiped.Bip01_Pelvis; "
            "spine=ValveBiped.Bip01_Spine,ValveBiped.Bip01_Spine1,ValveBiped.Bip01_Spine2,ValveBiped.Bip01_Spine4; "
            "neck=ValveBiped.Bip01_Neck1; head=ValveBiped.Bip01_Head1; clavicle=ValveBiped.Bip01_{}_Clavicle; "
            "upper_arm=ValveBiped.Bip01_{}_UpperArm; lower_arm=ValveBiped.Bip01_{}_Forearm; hand=ValveBiped.Bip01_{}_Hand; "
            "upper_leg=ValveBiped.Bip01_{}_Thigh; lower_leg=ValveBiped.Bip01_{}_Calf; foot=ValveBiped.Bip01_{}_Foot; "
            "toes=ValveBiped.Bip01_{}_Toe0",
        ),
        {},
    ),
    "cmu": (
        _slots_from_text(
            ("Left", "Right"),
            "hips=Hips; spine=LowerBack,Spine,Spine1; neck=Neck,Neck1; head=Head; clavicle={}Shoulder; upper_arm={}Arm; "
            "lower_arm={}ForeArm; hand={}Hand; upper_leg={}UpLeg; lower_leg={}Leg; foot={}Foot; toes={}ToeBase",
        ),
        {"hip_joints": ("LHipJoint", "RHipJoint")},
    ),
    "acclaim": (
        _slots_from_text(
            "lr",
            "hips=root; spine=lowerback,upperback,thorax; neck=lowerneck,upperneck; head=head; clavicle={}clavicle; "
            "upper_arm={}humerus; lower_arm={}radius; hand={}wrist,{}hand; upper_leg={}femur; lower_leg={}tibia; foot={}foot; "
            "toes={}toes",
        ),
        {"hip_joints": ("lhipjoint", "rhipjoint")},
    ),
    "older bvh": (
        _slots_from_text(
            "lr",
            "hips=hip; spine=abdomen,chest; neck=neck; head=head; clavicle={}Collar; upper_arm={}Shldr; lower_arm={}ForeArm; "
            "hand={}Hand; upper_leg={}Thigh; lower_leg={}Shin; foot={}Foot",
        ),
        {},
    ),
    "bvh by joints": (
        _slots_from_text(
            ("Left", "Right"),
            "hips=Hips; spine=Chest,Chest2,Chest3,Chest4; neck=Neck; head=Head; clavicle={}Collar; upper_arm={}Shoulder; "
            "lower_arm={}Elbow; hand={}Wrist; upper_leg={}Hip; lower_leg={}Knee; foot={}Ankle; toes={}Toe",
        ),
        {},
    ),
    "smpl": (
        _slots_from_text(
            ("left", "right"),
            "hips=pelvis; spine=spine1,spine2,spine3; neck=neck; head=head; clavicle={}_collar; upper_arm={}_shoulder; "
            "lower_arm={}_elbow; hand={}_wrist,{}_hand; upper_leg={}_hip; lower_leg={}_knee; foot={}_ankle; toes={}_foot",
        ),
        {},
    ),
    "smpl in maya": (
        _slots_from_text(
            "LR",
            "hips=m_avg_Pelvis; spine=m_avg_Spine1,m_avg_Spine2,m_avg_Spine3; neck=m_avg_Neck; head=m_avg_Head; "
            "clavicle=m_avg_{}_Collar; upper_arm=m_avg_{}_Shoulder; lower_arm=m_avg_{}_Elbow; hand=m_avg_{}_Wrist,m_avg_{}_Hand; "
            "upper_leg=m_avg_{}_Hip; lower_leg=m_avg_{}_Knee; foot=m_avg_{}_Ankle; toes=m_avg_{}_Foot",
        ),
        {},
    ),
    "auto-rig pro, exported": (
        _slots_from_text(
            "lr",
            "hips=root.x; spine=spine_01.x,spine_02.x,spine_03.x; neck=neck.x; head=head.x; clavicle=shoulder.{}; "
            "upper_arm=arm_stretch.{}; lower_arm=forearm_stretch.{}; hand=hand.{}; upper_leg=thigh_stretch.{}; "
            "lower_leg=leg_stretch.{}; foot=foot.{}; toes=toes_01.{}; index=index1.{},index2.{},index3.{}; "
            "thumb=thumb1.{},thumb2.{},thumb3.{}",
        ),
        {},
    ),
    "advanced skeleton": (
        _slots_from_text(
            "LR",
            "hips=Root_M; spine=Spine1_M,Spine2_M,Chest_M; neck=Neck_M; head=Head_M; clavicle=Scapula_{}; upper_arm=Shoulder_{}; "
            "lower_arm=Elbow_{}; hand=Wrist_{}; upper_leg=Hip_{}; lower_leg=Knee_{}; foot=Ankle_{}; toes=Toes_{}; "
            "index=IndexFinger1_{},IndexFinger2_{},IndexFinger3_{}; thumb=ThumbFinger1_{},ThumbFinger2_{},ThumbFinger3_{}",
        ),
        {},
    ),
    "godot and unity": (
        _slots_from_text(
            ("Left", "Right"),
            "root=Root; hips=Hips; spine=Spine,Chest,UpperChest; neck=Neck; head=Head; clavicle={}Shoulder; upper_arm={}UpperArm; "
            "lower_arm={}LowerArm; hand={}Hand; upper_leg={}UpperLeg; lower_leg={}LowerLeg; foot={}Foot; toes={}Toes; "
            "thumb={}ThumbMetacarpal,{}ThumbProximal,{}ThumbDistal; index={}IndexProximal,{}IndexIntermediate,{}IndexDistal",
        ),
        {},
    ),
    "rokoko": (
        _slots_from_text(
            ("Left", "Right"),
            "hips=Hips; spine=Spine1,Spine2,Spine3,Spine4; neck=Neck; head=Head; clavicle={}Shoulder; upper_arm={}Arm; "
            "lower_arm={}ForeArm; hand={}Hand; upper_leg={}Thigh; lower_leg={}Shin; foot={}Foot; toes={}Toe",
        ),
        {},
    ),
    "xsens": (
        _slots_from_text(
            ("Left", "Right"),
            "hips=Pelvis; spine=L5,L3,T12,T8; neck=Neck; head=Head; clavicle={}Shoulder; upper_arm={}UpperArm; "
            "lower_arm={}ForeArm; hand={}Hand; upper_leg={}UpperLeg; lower_leg={}LowerLeg; foot={}Foot; toes={}Toe",
        ),
        {},
    ),
    "mmd": (
        _slots_from_text(
            "左右",
            "root=全ての親; hips=センター; spine=上半身,上半身2; neck=首; head=頭; clavicle={}肩; upper_arm={}腕; "
            "lower_arm={}ひじ; hand={}手首; "
            "upper_leg={}足; lower_leg={}ひざ; foot={}足首; toes={}つま先",
        ),
        {"pelvis": "下半身"},
    ),
    "mmd in blender": (
        _slots_from_text(
            "LR",
            "root=全ての親; hips=センター; spine=上半身,上半身2; neck=首; head=頭; clavicle=肩.{}; upper_arm=腕.{}; "
            "lower_arm=ひじ.{}; hand=手首.{}; "
            "upper_leg=足.{}; lower_leg=ひざ.{}; foot=足首.{}; toes=つま先.{}",
        ),
        {"pelvis": "下半身"},
    ),
    "makehuman, complete": (
        _slots_from_text(
            "LR",
            "hips=root; spine=spine05,spine04,spine03,spine02,spine01; neck=neck01,neck02,neck03; head=head; "
            "clavicle=clavicle.{},shoulder01.{}; upper_arm=upperarm01.{},upperarm02.{}; lower_arm=lowerarm01.{},lowerarm02.{}; "
            "hand=wrist.{}; upper_leg=upperleg01.{},upperleg02.{}; lower_leg=lowerleg01.{},lowerleg02.{}; foot=foot.{}; "
            "thumb=finger1-1.{},finger1-2.{},finger1-3.{}; index=finger2-1.{},finger2-2.{},finger2-3.{}; "
            "middle=finger3-1.{},finger3-2.{},finger3-3.{}; ring=finger4-1.{},finger4-2.{},finger4-3.{}; "
            "little=finger5-1.{},finger5-2.{},finger5-3.{}",
        ),
        {"hip_joints": ("pelvis.L", "pelvis.R")},
    ),
    "synty": (
        _slots_from_text(
            "LR",
            "root=Root; hips=Hips; spine=Spine_01,Spine_02,Spine_03; neck=Neck; head=Head; clavicle=Clavicle_{}; "
            "upper_arm=Shoulder_{}; lower_arm=Elbow_{}; hand=Hand_{}; upper_leg=UpperLeg_{}; lower_leg=LowerLeg_{}; "
            "foot=Ankle_{}; toes=Ball_{}",
        ),
        {},
    ),
    "blender artist": (
        _slots_from_text(
            "LR",
            "hips=Hips; spine=Abdomen,Torso; neck=Neck; head=Head; clavicle=Shoulder.{}; upper_arm=UpperArm.{}; "
            "lower_arm=LowerArm.{}; hand=Hand.{}; upper_leg=UpperLeg.{}; lower_leg=LowerLeg.{}; foot=Foot.{}",
        ),
        {},
    ),
    "reversed words": (
        _slots_from_text(
            "LR",
            "hips=pelvis; spine=spine_lower,spine_upper; neck=neck; head=head; clavicle=clavicle_{}; upper_arm=arm_upper_{}; "
            "lower_arm=arm_lower_{}; hand=hand_{}; upper_leg=leg_upper_{}; lower_leg=leg_lower_{}; foot=foot_{}; toes=toe_{}",
        ),
        {},
    ),
    "numbered arms and legs": (
        _slots_from_text(
            "LR",
            "hips=Hip; spine=Spine; head=Head; upper_arm=Arm1.{}; lower_arm=Arm2.{}; hand=Hand.{}; upper_leg=Leg1.{}; "
            "lower_leg=Leg2.{}; foot=Foot.{}",
        ),
        {},
    ),
    "skel": (
        _slots_from_text(
            "lr",
            "hips=pelvis; spine=lumbar_body,thorax; head=head; clavicle=scapula_{}; upper_arm=humerus_{}; "
            "lower_arm=ulna_{},radius_{}; hand=hand_{}; upper_leg=femur_{}; lower_leg=tibia_{}; foot=talus_{},calcn_{}; "
            "toes=toes_{}",
        ),
        {},
    ),
}
