"""Retargeting without contacts: directions, proportions, rest poses, object transforms, bone chains and twist."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.rotations import angle_between_rotmats, quat_from_rotmat, rotmat_from_quat, rotmat_from_rotvec
from blender_meshrec.retarget.rig import SIDES, BoneMapping, RetargetOptions
from blender_meshrec.retarget.solve.retarget import retarget
from blender_meshrec.retarget.source.motion import performance_from_motion
from tests.support.retargeting import limb_vector, make_slots, max_direction_error, motion_from_walker, random_character, world_heads
from tests.support.synthetic_gait import squat, walk
from tests.support.synthetic_rigs import make_humanoid

FK = RetargetOptions(feet=False)
TIMES = np.arange(0, 2.5, 1 / 30)
Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # a z-up body in a y-up armature


@pytest.fixture(scope="module")
def lively():
    """A turning walk with arms, spine and wrists that move in all directions."""
    rng = np.random.default_rng(0)
    walker = walk(TIMES, turn=0.7)
    swing = np.sin(TIMES[:, None, None] * rng.uniform(1, 4, (1, 24, 3)) + rng.uniform(0, 6, (1, 24, 3)))
    joints = [3, 6, 9, 12, 15, 13, 14, 16, 17, 18, 19, 20, 21]
    walker.rotmats[:, joints] = walker.rotmats[:, joints] @ rotmat_from_rotvec(0.5 * swing[:, joints])
    return performance_from_motion(motion_from_walker(walker))


def random_world(rng, even=True):
    """A world matrix of random heading and position, with one scale or three."""
    world = np.eye(4)
    world[:3, :3] = rotmat_from_rotvec([0, 0, rng.uniform(-3, 3)]) @ np.diag(np.full(3, 0.01) if even else rng.uniform(0.5, 2, 3))
    world[:2, 3] = rng.normal(size=2)
    return world


@pytest.mark.parametrize("seed", range(16))
def test_limb_directions_match_the_source(lively, seed):
    """Within 0.1 degrees for any proportions, rest pose, rolls, tails, bone counts; also y-up, turned, tiny or huge objects."""
    rng = np.random.default_rng(100 + seed)
    options = {}
    if seed % 3 == 1:
        options = {"armature_from_body": Y_UP * [[100], [100], [100], [1]], "world": random_world(rng) @ np.linalg.inv(Y_UP)}
    elif seed % 3 == 2:
        options = {"world": random_world(rng) * 100 / [[1], [1], [1], [100]]}
    rig, mapping = random_character(seed, **options)
    assert max_direction_error(lively, rig, mapping, retarget(lively, rig, mapping, FK)) < 0.1


@pytest.mark.parametrize("seed", range(4))
def test_limb_directions_match_on_stretched_objects(lively, seed):
    rig, mapping = random_character(seed, world=random_world(np.random.default_rng(seed), even=False))
    assert max_direction_error(lively, rig, mapping, retarget(lively, rig, mapping, FK)) < 0.1


def test_retarget_onto_the_source_is_identity(lively):
    """Onto the source's own skeleton nothing changes: rotations within 1e-6, heads within 0.01 mm."""
    result = retarget(lively, lively.rig, lively.mapping, FK)
    mapped = [lively.rig.index(bone) for bone in lively.mapping.bones]
    np.testing.assert_allclose(result.rotmats[:, mapped], lively.rotations[:, mapped], atol=1e-6)
    offset = result.heads - lively.heads
    np.testing.assert_allclose(offset, np.broadcast_to(offset[0, 0], offset.shape), atol=1e-5)
    assert np.abs(offset[0, 0, :2]).max() < 1e-5


@pytest.mark.parametrize("seed", range(6))
def test_round_trip_restores_limb_rotations(lively, seed):
    """To a character and back to the source: limbs turn as before, twist included; the spine is exempt."""
    rng = np.random.default_rng(seed)
    truth = make_slots(spine=3)
    rig, mapping = make_humanoid(truth, rng, arms_down=40).build_rig(rng), BoneMapping(truth)
    there = retarget(lively, rig, mapping, FK)
    world = there.rotmats
    passed_on = replace(lively, rig=rig, mapping=mapping, rotations=world, heads=there.heads, contacts=None)
    back = retarget(passed_on, lively.rig, lively.mapping, FK)
    for slot in lively.mapping.slots:
        row = lively.rig.index(lively.mapping.slots[slot][0])
        if slot not in ("spine", "neck"):
            assert np.degrees(angle_between_rotmats(back.rotmats[:, row], lively.rotations[:, row])).max() < 0.5, slot


def test_unmapped_hands_and_feet_do_not_matter(lively):
    """A source without hands and feet in its mapping moves forearms and shins as with them, within 1e-4 degrees."""
    fewer = {slot: bones for slot, bones in lively.mapping.slots.items() if not slot.endswith(("hand", "foot", "toes"))}
    sources = replace(lively, contacts=None), replace(lively, mapping=BoneMapping(fewer), contacts=None)
    rig, mapping = random_character(5)
    results = [retarget(source, rig, mapping, FK) for source in sources]
    for side in SIDES:
        for part, below in (("lower_arm", "hand"), ("lower_leg", "foot")):
            start, end = (rig.index(mapping.slots[f"{side}_{name}"][0]) for name in (part, below))
            one, other = (result.heads[:, end] - result.heads[:, start] for result in results)
            cosine = (one * other).sum(-1) / (np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1))
            assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 1e-4


def test_rest_poses_do_not_twist_limbs(lively):
    """The same character with level or hanging arms at rest: its arms' skin turns alike within 5 degrees.

    Not closer, because the arms are a few degrees off the plane in which they are lowered.
    """
    truth = make_slots()
    level = make_humanoid(truth, np.random.default_rng(7), arms_down=0).build_rig(np.random.default_rng(8))
    expected = retarget(lively, level, BoneMapping(truth), FK)
    for down in (40.0, 75.0):
        rest, lifts = level.rest.copy(), {}
        for side, sign in zip(SIDES, (1, -1), strict=True):
            lower = np.eye(4)
            lower[:3, :3] = rotmat_from_rotvec([0, sign * np.radians(down), 0])
            shoulder = np.eye(4)
            shoulder[:3, 3] = level.rest[level.index(f"{side}_upper_arm"), :3, 3]
            for part in ("upper_arm", "lower_arm", "hand"):
                row = level.index(f"{side}_{part}")
                rest[row] = shoulder @ lower @ np.linalg.inv(shoulder) @ level.rest[row]
                lifts[row] = lower[:3, :3]
        hanging = replace(level, rest=rest)
        result = retarget(lively, hanging, BoneMapping(truth), FK)
        for row, lower in lifts.items():
            skin = result.rotmats[:, row] @ rest[row, :3, :3].T @ lower
            assert np.degrees(angle_between_rotmats(skin, expected.rotmats[:, row] @ level.rest[row, :3, :3].T)).max() < 5.0, level.bones[
                row
            ]


def test_keys_reproduce_heads_and_rotations(lively):
    """Composed down the tree as Blender does, the keys give the result's heads and rotations within 1e-9."""
    rig, mapping = random_character(5)
    result = retarget(lively, rig, mapping, FK)
    rows = {bone: number for number, bone in enumerate(result.bones)}
    frames = len(lively)
    posed = np.empty((frames, len(rig), 4, 4))
    for bone, parent in enumerate(rig.parents):
        basis = np.tile(np.eye(4), (frames, 1, 1))
        if rig.bones[bone] in rows:
            basis[:, :3, :3] = rotmat_from_quat(result.rotations[:, rows[rig.bones[bone]]])
        if rig.bones[bone] in result.locations:
            basis[:, :3, 3] = result.locations[rig.bones[bone]]
        above = posed[:, parent] @ np.linalg.inv(rig.rest[parent]) @ rig.rest[bone] if parent >= 0 else rig.rest[bone]
        posed[:, bone] = above @ basis
    np.testing.assert_allclose(posed[..., :3, 3], result.heads, atol=1e-9)
    np.testing.assert_allclose(posed[..., :3, :3], result.rotmats, atol=1e-9)
    assert (np.abs(np.diff(result.rotations, axis=0)).max(-1) < 1).all()  # signs are continuous


def test_spine_distributes_its_bend():
    """A spine of any number of bones ends in the chest's rotation and bends evenly."""
    performance = performance_from_motion(motion_from_walker(squat(TIMES)))
    chest = performance.rig.index("spine3")
    for count in (1, 2, 4, 5):
        truth = make_slots(spine=count)
        rig = make_humanoid(truth, np.random.default_rng(count)).build_rig(np.random.default_rng(0))
        result = retarget(performance, rig, BoneMapping(truth), FK)
        turned = [result.rotmats[:, rig.index(name)] @ rig.rest[rig.index(name), :3, :3].T for name in ["hips", *truth["spine"]]]
        whole = angle_between_rotmats(turned[0], turned[-1])
        expected = performance.rotations[:, chest] @ performance.rig.rest[chest, :3, :3].T
        assert np.degrees(angle_between_rotmats(turned[-1], expected)).max() < 1e-3
        steps = np.array([angle_between_rotmats(a, b) for a, b in pairwise(turned)])
        np.testing.assert_allclose(steps.sum(0), whole, atol=1e-3)
        if count == 5:
            assert (steps.max(0)[whole > 0.1] < 0.75 * whole[whole > 0.1]).all()


def test_twist_spreads_along_the_forearm():
    """With the hand turned about the forearm, split bones and twist bones turn in between, in order along it."""
    walker = walk(TIMES)
    turn = np.linspace(-2.2, 2.2, len(TIMES))
    walker.rotmats[:, 20] = walker.rotmats[:, 20] @ rotmat_from_rotvec(turn[:, None] * [1.0, 0, 0])
    performance = performance_from_motion(motion_from_walker(walker))
    truth = make_slots(split=("lower_arm",))
    build = make_humanoid(truth, np.random.default_rng(2), arms_down=0)
    elbow, wrist = build.heads["left_lower_arm0"], build.heads["left_hand"]
    for k, place in enumerate((0.3, 0.7)):
        build.add(f"twist{k}", "left_lower_arm0", elbow + place * (wrist - elbow))
    truth["left_lower_arm_twist"] = ["twist0", "twist1"]
    rig = build.build_rig(np.random.default_rng(3))
    result = retarget(performance, rig, BoneMapping(truth), FK)

    def about_forearm(name):
        row, first = rig.index(name), rig.index("left_lower_arm0")
        delta = [result.rotmats[:, r] @ rig.rest[r, :3, :3].T for r in (first, row)]
        quat = quat_from_rotmat(np.swapaxes(delta[0], 1, 2) @ delta[1])
        axis = (wrist - elbow) / np.linalg.norm(wrist - elbow)
        return np.unwrap(2 * np.arctan2(quat[:, 1:] @ axis, quat[:, 0]))

    hand = about_forearm("left_hand")
    ranges = [np.ptp(about_forearm(name)) / np.ptp(hand) for name in ("left_lower_arm0", "twist0", "left_lower_arm1", "twist1")]
    assert np.ptp(hand) > 4
    assert 0 <= ranges[0] < 0.05 and ranges[0] < ranges[1] <= ranges[2] + 0.05 and ranges[2] < ranges[3] < 0.95


def test_path_scales_with_leg_length(lively):
    """The hips' path is scaled by the ratio of the legs' lengths."""
    rig, mapping = random_character(0)
    for scale in (0.01, 1.0, 3.0):
        world = np.diag([scale, scale, scale, 1.0])
        result = retarget(lively, replace(rig, world=world), mapping, FK)
        hips = [rig.index(f"{side}_upper_leg") for side in SIDES]
        path = world_heads(replace(rig, world=world), result)[:, hips].mean(1)
        theirs = lively.heads[:, [lively.rig.index(f"{side}_hip") for side in SIDES]].mean(1)
        ratio = result.quality["hip_scale"]
        np.testing.assert_allclose(np.diff(path, axis=0), ratio * np.diff(theirs, axis=0), atol=1e-9)
        assert 0.5 * scale < ratio < 2 * scale


def test_root_motion_and_in_place(lively):
    """A root bone carries path and heading on the floor; in place nothing travels; the body's pose is the same in all three."""
    truth = make_slots() | {"root": ["root"]}
    rig = make_humanoid(truth, np.random.default_rng(1)).build_rig(np.random.default_rng(2))
    mapping = BoneMapping(truth)
    hips, root = rig.index("hips"), rig.index("root")
    free, rooted, still = (retarget(lively, rig, mapping, replace(FK, root=root)) for root in ("hips", "root", "in_place"))
    np.testing.assert_allclose(rooted.rotmats[:, hips], free.rotmats[:, hips], atol=1e-9)
    np.testing.assert_allclose(rooted.heads[:, hips], free.heads[:, hips], atol=1e-9)
    assert "root" in rooted.locations and "root" not in free.bones
    np.testing.assert_allclose(rooted.heads[:, root, 2], 0, atol=1e-9)
    np.testing.assert_allclose(
        rooted.rotmats[:, root] @ rig.rest[root, :3, :3].T @ [0, 0, 1.0], np.tile([0, 0, 1.0], (len(lively), 1)), atol=1e-9
    )
    assert np.ptp(rooted.locations["hips"][:, :3], axis=0).max() < 0.2 < np.ptp(free.heads[:, hips, 1])
    np.testing.assert_allclose(np.ptp(still.heads[:, hips, :2], axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(still.heads[:, hips, 2], free.heads[:, hips, 2], atol=1e-9)


def test_other_frame_rates_and_uneven_timestamps(lively):
    """Twice the frame rate gives the frames in between; uneven timestamps remain."""
    rig, mapping = random_character(2)
    plain, double = retarget(lively, rig, mapping, FK), retarget(lively, rig, mapping, replace(FK, fps=60.0))
    np.testing.assert_allclose(double.heads[::2], plain.heads, atol=1e-6)
    assert double.fps == 60.0 and len(double.timestamps) == 2 * len(plain.timestamps) - 1
    uneven = performance_from_motion(motion_from_walker(walk(np.cumsum(np.random.default_rng(0).uniform(0.02, 0.06, 60)))))
    result = retarget(uneven, rig, mapping)
    np.testing.assert_array_equal(result.timestamps, uneven.timestamps)
    assert result.quality["foot_slide_after"] < 0.1


def test_single_frame(lively):
    one = performance_from_motion(motion_from_walker(walk(TIMES)))
    one = replace(
        one, rotations=one.rotations[:1], heads=one.heads[:1], timestamps=one.timestamps[:1], contacts=one.contacts[:1], soles=None
    )
    rig, mapping = random_character(1)
    assert retarget(one, rig, mapping).rotations.shape[0] == 1


def test_mirrored_objects_are_refused(lively):
    rig, mapping = random_character(0, world=np.diag([-1.0, 1, 1, 1]))
    with pytest.raises(InputError, match="negative"):
        retarget(lively, rig, mapping)


@pytest.mark.parametrize("without", [("toes",), ("toes", "foot"), ("hand",), ("clavicle",), ("clavicle", "hand", "foot", "toes")])
def test_rigs_that_lack_parts(lively, without):
    """Whichever of clavicles, hands, feet and toes is missing, the other limbs point as the source's, and feet do not slide."""
    for seed in range(3):
        truth = make_slots(without=without, spine=seed, neck=seed)
        build = make_humanoid({**make_slots(), **truth} if seed else {**truth, "spine": ["spine0"]}, np.random.default_rng(seed))
        rig, mapping = build.build_rig(np.random.default_rng(seed)), BoneMapping(truth)
        result = retarget(lively, rig, mapping, FK)
        for side in SIDES:
            for part, below in (("upper_arm", "lower_arm"), ("upper_leg", "lower_leg")):
                ours = limb_vector(result.heads, rig, mapping, f"{side}_{part}", f"{side}_{below}")
                theirs = limb_vector(lively.heads, lively.rig, lively.mapping, f"{side}_{part}", f"{side}_{below}")
                cosine = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
                assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.1
        planted = retarget(lively, rig, mapping)
        assert "foot" in without or planted.quality["foot_slide_after"] < 0.1


def test_thighs_with_a_parent_above_the_hips(lively):
    """Where the thighs' parent is above the hips, that bone carries the body, and the legs stay attached."""
    truth = make_slots()
    rig = make_humanoid(truth, np.random.default_rng(0), thighs_from="pelvis", over_hips=("pelvis",)).build_rig(np.random.default_rng(1))
    mapping = BoneMapping(truth)
    result = retarget(lively, rig, mapping, FK)
    assert set(result.locations) == {"pelvis"}
    assert max_direction_error(lively, rig, mapping, result) < 0.1
    hips, thigh = rig.index("hips"), rig.index("left_upper_leg")
    local = np.einsum("fji,fj->fi", result.rotmats[:, hips], result.heads[:, thigh] - result.heads[:, hips])
    np.testing.assert_allclose(local, np.broadcast_to(local[0], local.shape), atol=1e-9)


def test_fingers_follow_only_a_source_that_has_them(lively):
    truth = make_slots() | {f"{side}_index": [f"{side}_index{k}" for k in range(3)] for side in SIDES}
    rig = make_humanoid(truth, np.random.default_rng(0)).build_rig(np.random.default_rng(1))
    mapping = BoneMapping(truth)
    plain = retarget(lively, rig, mapping, FK)
    assert not any("index" in bone for bone in plain.bones)
    # A character with fingers as the source: its index fingers bend.
    curl = rotmat_from_rotvec(np.sin(TIMES)[:, None] * [0.3, 0.8, 0.0])
    rotations = np.ascontiguousarray(plain.rotmats)
    for side in SIDES:
        for k in range(3):
            rotations[:, rig.index(f"{side}_index{k}")] = curl @ rotations[:, rig.index(f"{side}_index{k}")]
    source = replace(lively, rig=rig, mapping=mapping, rotations=rotations, heads=plain.heads, contacts=None)
    other = make_humanoid(truth, np.random.default_rng(5)).build_rig(np.random.default_rng(6))
    result = retarget(source, other, mapping, FK)
    for name in ("left_index1", "right_index2"):
        row, theirs = other.index(name), rig.index(name)
        turned = result.rotmats[:, row] @ np.swapaxes(result.rotmats[:1, row], 1, 2)
        expected = rotations[:, theirs] @ np.swapaxes(rotations[:1, theirs], 1, 2)
        assert np.degrees(angle_between_rotmats(turned, expected)).max() < 1e-3
