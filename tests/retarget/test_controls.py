"""Keys of a control rig's own controls: they bring each control where the solved motion has it, and poles bend limbs in their planes."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.core.axis_rotations import rotation_about_axis, unit_vector
from blender_meshrec.core.rotations import quat_from_rotmat, rotmat_from_quat
from blender_meshrec.retarget.rig import BoneMapping, Controls, RetargetedMotion, RetargetOptions, Rig
from blender_meshrec.retarget.write.controls import (
    IkPole,
    control_names,
    control_skeleton,
    key_controls,
    key_ik_poles,
    switch_values,
)

FRAMES = 5
LIMBS = {"leg": ("upper_leg", "lower_leg", "foot"), "arm": ("upper_arm", "lower_arm", "hand")}
SLOTS = {"hips": ["hips"], **{f"left_{part}": [f"left_{part}"] for limb in LIMBS.values() for part in limb}, "left_toes": ["left_toes"]}
CONTROLS = Controls(
    fk=(("leg_switch", "ik_fk", 1.0), ("arm_switch", "ik_fk", 1.0)),
    ik=(("leg_switch", "ik_fk", 0.0), ("arm_switch", "stretch", 0.5)),
    ik_targets={"left_foot": "foot_ik", "left_hand": "hand_ik", "left_toes": "toes_ik", "right_foot": "other_ik"},
    poles={"left_leg": "knee_pole", "left_arm": "elbow_pole"},
)
MAPPING = BoneMapping(SLOTS, controls=CONTROLS)
# Controls hang from helpers in the rig; these are the controls that they follow.
CONTROL_PARENTS = {
    "hips": None, "left_upper_leg": "hips", "left_lower_leg": "left_upper_leg", "left_foot": "left_lower_leg", "left_toes": "left_foot",
    "left_upper_arm": "hips", "left_lower_arm": "left_upper_arm", "left_hand": "left_lower_arm",
    "foot_ik": None, "hand_ik": "hips", "toes_ik": "foot_ik", "knee_pole": "foot_ik", "elbow_pole": None,
}  # fmt: skip
HEADS = {
    "hips": (0, 0, 1),
    "left_upper_leg": (0.1, 0, 0.9),
    "left_lower_leg": (0.1, -0.05, 0.5),
    "left_foot": (0.1, 0, 0.1),
    "left_toes": (0.1, -0.1, 0),
    "left_upper_arm": (0.2, 0, 1.4),
    "left_lower_arm": (0.5, 0.04, 1.4),
    "left_hand": (0.8, 0, 1.4),
    "foot_ik": (0.1, 0, 0.1),
    "hand_ik": (0.8, 0, 1.4),
    "toes_ik": (0.1, -0.1, 0),
    "knee_pole": (0.1, -0.6, 0.5),
    "elbow_pole": (0.5, 0.6, 1.4),
    "other_ik": (-0.1, 0, 0.1),
    "helper": (0.3, 0.2, 0.1),
}


def turns(rng, *shape):
    return rotmat_from_quat(rng.normal(size=(*shape, 4)))


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


@pytest.fixture
def rig(rng):
    """The whole rig: all controls hang from a helper, and some lack local location."""
    names = ["helper", *(name for name in HEADS if name != "helper")]
    rest = np.tile(np.eye(4), (len(names), 1, 1))
    rest[:, :3, :3] = turns(rng, len(names))
    rest[:, :3, 3] = [HEADS[name] for name in names]
    local = rng.random(len(names)) < 0.5
    modes = tuple(rng.choice(["XYZ", "QUATERNION"], len(names)))
    locks = rng.random((2, len(names), 3)) < 0.3
    parents = np.array([-1] + [0] * (len(names) - 1))
    return Rig("rig", tuple(names), parents, rest, np.linspace(0.1, 0.5, len(names)), 2 * np.eye(4), rotation_modes=modes,
               local_location=local, lock_location=locks[0], lock_rotation=locks[1])  # fmt: skip


@pytest.fixture
def skeleton(rig):
    return control_skeleton(rig, MAPPING, CONTROL_PARENTS)


@pytest.fixture
def motion(rng, skeleton):
    """The skeleton's motion: all bones turn, the hips move too; FK of rigid bones."""
    count = len(skeleton)
    deltas = turns(rng, FRAMES, count)
    rotmats, heads = np.empty((FRAMES, count, 3, 3)), np.empty((FRAMES, count, 3))
    for bone, parent in enumerate(skeleton.parents):
        rest, above = skeleton.rest[bone], skeleton.rest[max(parent, 0)]
        rotmats[:, bone] = deltas[:, bone] @ rest[:3, :3]
        if parent < 0:
            heads[:, bone] = rest[:3, 3] + rng.normal(size=(FRAMES, 3))
        else:
            heads[:, bone] = heads[:, parent] + rotmats[:, parent] @ above[:3, :3].T @ (rest[:3, 3] - above[:3, 3])
    rotations = rng.normal(size=(FRAMES, count, 4))
    return RetargetedMotion(skeleton.bones, rotations, {"hips": np.zeros((FRAMES, 3))}, rotmats, heads, np.arange(FRAMES) / 30, 30.0)


def test_names_and_switches_of_the_controls():
    assert control_names(MAPPING) == (*MAPPING.bones, "foot_ik", "hand_ik", "toes_ik", "other_ik", "knee_pole", "elbow_pole")
    both = {("leg_switch", "ik_fk"): 1.0, ("arm_switch", "ik_fk"): 1.0, ("arm_switch", "stretch"): 0.5}
    assert switch_values(MAPPING, "fk") == switch_values(MAPPING, "both") == both
    assert switch_values(MAPPING, "ik") == {**both, ("leg_switch", "ik_fk"): 0.0}
    with pytest.raises(ValueError, match="control rig"):
        control_names(replace(MAPPING, controls=None))


def test_the_controls_are_a_skeleton_with_their_own_parents(rig, skeleton):
    assert set(skeleton.bones) == set(MAPPING.bones) and skeleton.name == rig.name and np.array_equal(skeleton.world, rig.world)
    for number, bone in enumerate(skeleton.bones):
        row, parent = rig.index(bone), CONTROL_PARENTS[bone]
        assert skeleton.parents[number] == (-1 if parent is None else skeleton.index(parent))
        for field in ("rest", "lengths", "lock_location", "lock_rotation", "rotation_modes"):
            assert np.array_equal(getattr(skeleton, field)[number], getattr(rig, field)[row]), field


def posed(rig, keys, control_parents):
    """Control -> its pose matrix (F,4,4): each control's channels, relative to the control that it follows."""
    done = {}
    while len(done) < len(control_parents):
        for control, parent in control_parents.items():
            if control in done or (parent is not None and parent not in done):
                continue
            row = rig.index(control)
            rest = rig.rest[row]
            follows = np.tile(np.eye(4), (FRAMES, 1, 1)) if parent is None else done[parent] @ np.linalg.inv(rig.rest[rig.index(parent)])
            basis = np.tile(np.eye(4), (FRAMES, 1, 1))
            if control in keys.bones:
                basis[:, :3, :3] = rotmat_from_quat(keys.rotations[:, keys.bones.index(control)])
            pose = follows @ rest @ basis
            axes = rest[:3, :3] if rig.local_location[row] else rig.rest[0, :3, :3] if rig.parents[row] >= 0 else np.eye(3)
            if control in keys.locations:
                pose[:, :3, 3] += (follows[:, :3, :3] @ axes @ keys.locations[control][..., None])[..., 0]
            done[control] = pose
    return done


@pytest.mark.parametrize("drive", ["fk", "ik", "both"])
def test_ik_controls_are_where_the_limbs_end(rig, skeleton, motion, drive):
    own = {bone: motion.rotations[:, number] for number, bone in enumerate(motion.bones)}
    keys = key_controls(motion, rig, skeleton, MAPPING, CONTROL_PARENTS, RetargetOptions(drive=drive))
    kept = set(MAPPING.bones) if drive != "ik" else {"hips"}
    ik = {"foot_ik", "hand_ik", "toes_ik"} if drive != "fk" else set()
    assert set(keys.bones) == kept | ik
    assert keys.locations.keys() == {"hips"} | ik | ({"knee_pole", "elbow_pole"} if ik else set())
    for bone in kept:
        np.testing.assert_array_equal(keys.rotations[:, keys.bones.index(bone)], own[bone])
    assert keys.rotmats is motion.rotmats and keys.heads is motion.heads and keys.rotations.shape == (FRAMES, len(keys.bones), 4)
    if not ik:
        return
    # The hand's control follows the hips, whose own rotation is the skeleton's.
    hips = skeleton.index("hips")
    delta = skeleton.rest[hips, :3, :3].T @ motion.rotmats[:, hips]
    exact = replace(keys, rotations=keys.rotations.copy())
    exact.rotations[:, keys.bones.index("hips")] = quat_from_rotmat(delta)
    found = posed(rig, exact, {control: CONTROL_PARENTS[control] for control in ("hips", *sorted(ik), "knee_pole", "elbow_pole")})
    np.testing.assert_allclose(found["hips"][:, :3, 3], motion.heads[:, hips], atol=1e-9)
    for control, end in (("foot_ik", "left_foot"), ("hand_ik", "left_hand"), ("toes_ik", "left_toes")):
        row = skeleton.index(end)
        turned = motion.rotmats[:, row] @ skeleton.rest[row, :3, :3].T
        np.testing.assert_allclose(found[control][:, :3, 3], motion.heads[:, row], atol=1e-9)
        np.testing.assert_allclose(found[control][:, :3, :3], turned @ rig.rest[rig.index(control), :3, :3], atol=1e-9)
    for limb, pole in (("leg", "knee_pole"), ("arm", "elbow_pole")):
        check_pole(skeleton, motion, limb, found[pole][:, :3, 3], np.subtract(HEADS[pole], HEADS[f"left_{LIMBS[limb][1]}"]))


def check_pole(skeleton, motion, limb, pole, reach):
    """A pole is as far from the middle joint as at rest, across the line from root to end, and in the plane of a limb that is bent."""
    a, b, c = (motion.heads[:, skeleton.index(f"left_{part}")] for part in LIMBS[limb])
    axis = unit_vector(c - a)
    np.testing.assert_allclose(np.linalg.norm(pole - b, axis=1), np.linalg.norm(reach), atol=1e-9)
    np.testing.assert_allclose(((pole - b) * axis).sum(1), 0, atol=1e-9)
    plane = np.cross(b - a, c - b)
    sine = np.linalg.norm(plane, axis=1) / np.linalg.norm(b - a, axis=1) / np.linalg.norm(c - b, axis=1)
    clear = sine > 0.12
    outward = b - a - ((b - a) * axis).sum(1)[:, None] * axis
    assert clear.any() and (((pole - b) * outward).sum(1)[clear] > 0).all()
    np.testing.assert_allclose(((pole - b) * plane).sum(1)[clear], 0, atol=1e-9)


def straightened(skeleton, motion, bend):
    """The motion with the leg's shin turned so that it bends by `bend` rad about the knee's hinge at rest, in the thigh's axes."""
    thigh, shin, foot = (skeleton.index(f"left_{part}") for part in LIMBS["leg"])
    heads = motion.heads.copy()
    along0 = unit_vector(np.subtract(HEADS["left_lower_leg"], HEADS["left_upper_leg"]))
    hinge0 = unit_vector(np.cross(along0, np.subtract(HEADS["left_foot"], HEADS["left_lower_leg"])))
    turned = motion.rotmats[:, thigh] @ skeleton.rest[thigh, :3, :3].T
    shin0 = rotation_about_axis(hinge0, bend) @ along0
    heads[:, foot] = heads[:, shin] + 0.4 * turned @ shin0
    return replace(motion, heads=heads), turned


@pytest.mark.parametrize("bend", [0.0, 0.01, 0.05, 0.1, 0.3])
def test_the_pole_of_a_straight_limb_is_where_the_hinge_at_rest_puts_it(rig, skeleton, motion, bend):
    """A limb that bends about its hinge at rest turns its pole with it, however little it is bent."""
    moved, turned = straightened(skeleton, motion, bend)
    keys = key_controls(moved, rig, skeleton, MAPPING, {**CONTROL_PARENTS, "knee_pole": None}, RetargetOptions(drive="both"))
    pole = posed(rig, keys, {"knee_pole": None})["knee_pole"][:, :3, 3]
    a, b, c = (moved.heads[:, skeleton.index(f"left_{part}")] for part in LIMBS["leg"])
    axis = unit_vector(c - a)
    forwards = turned @ np.subtract(HEADS["knee_pole"], HEADS["left_lower_leg"])
    expected = forwards - (forwards * axis).sum(1)[:, None] * axis
    np.testing.assert_allclose(unit_vector(pole - b), unit_vector(expected), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(pole - b, axis=1), 0.55, atol=1e-9)


def test_the_hinge_fades_from_rest_to_the_limbs_own_plane(rig, skeleton, motion):
    """A nearly straight limb bent about another axis: its own plane counts from a sine of 0.03, and alone from 0.12."""
    thigh = skeleton.index("left_upper_leg")
    found = []
    for sine in (0.01, 0.029, 0.06, 0.1, 0.121, 0.3):
        moved, turned = straightened(skeleton, motion, 0.0)
        along0 = unit_vector(np.subtract(HEADS["left_lower_leg"], HEADS["left_upper_leg"]))
        shin = rotation_about_axis(unit_vector(np.cross(along0, [1.0, 0, 0])), np.arcsin(sine)) @ along0  # sideways
        heads = moved.heads.copy()
        heads[:, skeleton.index("left_foot")] = heads[:, skeleton.index("left_lower_leg")] + 0.4 * turned @ shin
        keys = key_controls(
            replace(moved, heads=heads), rig, skeleton, MAPPING, {**CONTROL_PARENTS, "knee_pole": None}, RetargetOptions(drive="both")
        )
        pole = posed(rig, keys, {"knee_pole": None})["knee_pole"][:, :3, 3]
        local = np.einsum("fji,fj->fi", turned, pole - moved.heads[:, skeleton.index("left_lower_leg")])
        angle = np.degrees(np.arctan2(local[:, 0], -local[:, 1]))
        np.testing.assert_allclose(angle, angle[0], atol=1e-6)
        found.append(abs(angle[0]))
    assert thigh >= 0 and max(found[:2]) < 1 < found[2] < found[3] < found[4] and min(found[4:]) > 85  # degrees


@pytest.mark.parametrize("angle", [-2.0, 0.0, 0.7])
def test_poles_of_keyed_limbs_lie_where_the_upper_bone_points(rig, rng, angle):
    """The pole is in the plane of the limb's line and of the direction that the pole angle names on the upper bone."""
    count = len(rig)
    rotmats, heads = turns(rng, FRAMES, count), rng.normal(size=(FRAMES, count, 3))
    motion = RetargetedMotion(
        rig.bones, np.zeros((FRAMES, count, 4)), {"hips": np.ones((FRAMES, 3))}, rotmats, heads, np.arange(FRAMES) / 30, 30.0
    )
    assert key_ik_poles(motion, rig, MAPPING, {}) is motion
    keys = key_ik_poles(motion, rig, MAPPING, {"left_leg": IkPole("knee_pole", angle), "left_arm": IkPole("helper", angle)})
    assert keys.locations.keys() == {"hips", "knee_pole", "helper"} and np.array_equal(keys.locations["hips"], motion.locations["hips"])
    for limb, pole in (("leg", "knee_pole"), ("arm", "helper")):
        upper, lower, end = (rig.index(f"left_{part}") for part in LIMBS[limb])
        row, parent = rig.index(pole), rig.parents[rig.index(pole)]
        axes = rig.rest[row, :3, :3] if rig.local_location[row] else rig.rest[parent, :3, :3] if parent >= 0 else np.eye(3)
        position = rig.rest[row, :3, 3] + keys.locations[pole] @ axes.T
        if parent >= 0:
            turned = rotmats[:, parent] @ rig.rest[parent, :3, :3].T
            position = heads[:, parent] + (turned @ (position - rig.rest[parent, :3, 3])[..., None])[..., 0]
        a, b, c = heads[:, upper], heads[:, lower], heads[:, end]
        pointer = rotmats[:, upper] @ [np.cos(angle), 0, np.sin(angle)]
        axis = unit_vector(c - a)
        middle = a + ((b - a) * axis).sum(1)[:, None] * axis
        across = pointer - (pointer * axis).sum(1)[:, None] * axis
        reach = np.linalg.norm(rig.rest[row, :3, 3] - rig.rest[lower, :3, 3])
        np.testing.assert_allclose(position, middle + reach * unit_vector(across), atol=1e-9)


def test_upper_bones_whose_ik_locks_axes_are_kept_at_rest(rig, rng):
    """The other bones keep their keys, and so does the limb where IK locks nothing."""
    bones = tuple(name for name in rig.bones if name.startswith("left"))
    count, quats = len(rig), rng.normal(size=(FRAMES, len(bones), 4))
    rotmats, heads = turns(rng, FRAMES, count), rng.normal(size=(FRAMES, count, 3))
    motion = RetargetedMotion(bones, quats, {}, rotmats, heads, np.arange(FRAMES) / 30, 30.0)
    for limb, upper in (("left_leg", "left_upper_leg"), ("left_arm", "left_upper_arm")):
        free, locked = (key_ik_poles(motion, rig, MAPPING, {limb: IkPole("knee_pole", 0.3, at_rest)}) for at_rest in (False, True))
        np.testing.assert_array_equal(free.rotations, quats)
        row = bones.index(upper)
        assert (locked.rotations[:, row] == [1, 0, 0, 0]).all()
        np.testing.assert_array_equal(np.delete(locked.rotations, row, 1), np.delete(quats, row, 1))
        np.testing.assert_array_equal(locked.locations["knee_pole"], free.locations["knee_pole"])
    assert motion.rotations is not None and np.array_equal(motion.rotations, quats), "the given motion is unchanged"
