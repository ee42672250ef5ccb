"""Mapping by shape alone: meaningless names, any axes, size and rest pose; and rigs that are refused."""

import time

import numpy as np
import pytest

from blender_meshrec.core.array_types import ArrayLike
from blender_meshrec.core.errors import InputError
from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.rig import FINGER_SLOTS, SIDES, BoneMapping, Rig
from tests.support.synthetic_rigs import LIMBS, RigBuilder, Truth, add_extra_bones, anonymise_bones, body_slots, make_humanoid, rename_bones

LONG_BONES = ("upper_arm", "lower_arm", "upper_leg", "lower_leg")
TRUTH = {"hips": ["hips"], "head": ["head"]}
TRUTH |= {f"{side}_{part}": [f"{side}_{part}"] for side in SIDES for part in LIMBS}
TRUTH |= {f"{side}_{finger}": [f"{side}_{finger}_{joint}" for joint in range(3)] for side in SIDES for finger in FINGER_SLOTS}
FULL_TRUTH = {**TRUTH, "spine": ["spine_0", "spine_1"], "neck": ["neck"]}
MIN_MAPPED_FRACTION = 0.95  # of the body's bones


def random_truth(rng: np.random.Generator) -> Truth:
    truth = dict(TRUTH)
    truth["spine"] = [f"spine_{number}" for number in range(rng.integers(2, 6))]
    truth["neck"] = [f"neck_{number}" for number in range(rng.integers(0, 3))]
    if rng.random() < 0.5:
        truth["root"] = ["root"]
    if rng.random() < 0.25:
        truth = without_parts(truth, ("clavicle",))
    if rng.random() < 0.3:
        truth = without_parts(truth, FINGER_SLOTS)
    return truth


def without_parts(truth: Truth, parts: tuple[str, ...]) -> Truth:
    return {slot: bones for slot, bones in truth.items() if not slot.endswith(parts)}


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return matrix * np.sign(np.linalg.det(matrix))


def assert_mapped_by_shape(rig: Rig, truth: Truth, min_fraction: float = MIN_MAPPED_FRACTION) -> BoneMapping:
    """Assert that no bone is mapped to a wrong slot, and that most of the body's bones are mapped."""
    mapping = map_bones(rig)
    assert mapping.found_by == "geometry"
    expected = {bone: slot for slot, bones in body_slots(truth).items() for bone in bones}
    found = {bone: slot for slot, bones in body_slots(mapping.slots).items() for bone in bones}
    assert {bone: (slot, expected.get(bone)) for bone, slot in found.items() if expected.get(bone) != slot} == {}
    assert len(found) / len(expected) >= min_fraction
    return mapping


@pytest.mark.parametrize("seed", range(60))
def test_body_is_found_by_shape(seed):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng)
    build, truth = anonymise_bones(make_humanoid(truth, rng, hip_joints=("a", "b") if seed % 5 == 0 else None), truth, rng)
    mapping = assert_mapped_by_shape(build.build_rig(rng, tails="along" if seed % 2 else "anywhere"), truth)
    assert max(mapping.confidence.values()) <= 0.6, "shape alone is less certain than names"


@pytest.mark.parametrize("seed", range(30))
def test_body_is_found_among_extra_bones(seed):
    rng = np.random.default_rng(1000 + seed)
    truth = random_truth(rng)
    truth["neck"] = truth["neck"] or ["neck"]
    build = add_extra_bones(make_humanoid(truth, rng), truth, rng)
    build, truth = anonymise_bones(build, truth, rng)
    assert_mapped_by_shape(build.build_rig(rng), truth)


def add_ends(build: RigBuilder) -> None:
    """Add a bone at the tip of every chain."""
    parents = dict(build.parent)
    for bone in [bone for bone in parents if bone not in parents.values()]:
        build.add(f"{bone}_end", bone, 1.6 * build.heads[bone] - 0.6 * build.heads[parents[bone]])


def add_twist_bones(build: RigBuilder, bones: list[str]) -> None:
    """Add two twist bones beside each bone."""
    parents = dict(build.parent)
    for bone in bones:
        child_head = next(build.heads[child] for child, parent in parents.items() if parent == bone)
        for fraction in (0.3, 0.6):
            build.add(f"{bone} twist {fraction}", bone, build.heads[bone] + fraction * (child_head - build.heads[bone]))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["no toes", "no feet", "no hands", "limbs in two", "arms hang", "ends", "twists beside"])
def test_incomplete_and_extended_skeletons_are_mapped_by_shape(kind, seed):
    rng = np.random.default_rng(3000 + seed)
    missing = {"no toes": ("toes",), "no feet": ("toes", "foot"), "no hands": ("hand", *FINGER_SLOTS)}
    truth = without_parts(random_truth(rng), missing.get(kind, ("nothing",)))
    long_slots = [slot for slot in truth if slot.endswith(LONG_BONES)]
    if kind == "limbs in two":
        truth |= {slot: [truth[slot][0], f"{truth[slot][0]} 2"] for slot in long_slots}
    build = make_humanoid(truth, rng, arms_down=80 if kind == "arms hang" else None)
    if kind == "ends":
        add_ends(build)
    if kind == "twists beside":
        add_twist_bones(build, [truth[slot][0] for slot in long_slots])
    build, truth = anonymise_bones(build, truth, rng)
    assert_mapped_by_shape(build.build_rig(rng, tails="along" if seed % 2 else "anywhere"), truth)


@pytest.mark.parametrize("seed", range(10))
def test_mapping_is_invariant_to_axes_size_and_position(seed):
    """Any armature axes, in an object whose transform makes the body upright again or leaves it as it is."""
    rng = np.random.default_rng(2000 + seed)
    truth = random_truth(rng)
    build, truth = anonymise_bones(make_humanoid(truth, rng), truth, rng)
    body = np.eye(4)
    body[:3, :3] = random_rotation(rng) * 10 ** rng.uniform(-2, 2)
    body[:3, 3] = rng.normal(size=3)
    world = np.linalg.inv(body) if seed % 2 else np.eye(4)
    assert_mapped_by_shape(build.build_rig(rng, armature_from_body=body, world=world), truth, min_fraction=0)


def test_sides_in_names_override_the_shape():
    """A name like bone.012.L names no part but a side, which is right even if the feet point backward."""
    rng = np.random.default_rng(0)
    build = make_humanoid(FULL_TRUTH, rng)
    swapped = {"left": ".R", "right": ".L"}
    build = rename_bones(build, {bone: f"bone.{k:03d}{swapped.get(bone.split('_')[0], '')}" for k, bone in enumerate(build.heads)})
    mapping = map_bones(build.build_rig(rng))
    for side, suffix in (("left", ".L"), ("right", ".R")):
        assert all(bone.endswith(suffix) for slot, bones in mapping.slots.items() for bone in bones if slot.startswith(side))


def test_shape_completes_limbs_that_names_lack():
    """Legs are found by name, arms by shape, with lower confidence."""
    rng = np.random.default_rng(3)
    arm_parts = ("clavicle", "upper_arm", "lower_arm", "hand")
    arm_bones = [bone for slot, bones in FULL_TRUTH.items() if slot.split("_", 1)[-1] in arm_parts for bone in bones]
    build = make_humanoid(FULL_TRUTH, rng)
    new_names = {bone: f"x{number}" if bone in arm_bones else bone for number, bone in enumerate(build.heads)}
    mapping = map_bones(rename_bones(build, new_names).build_rig(rng))
    for slot in ("left_clavicle", "left_upper_arm", "right_lower_arm", "right_hand", "left_upper_leg", "hips", "head"):
        assert mapping.slots[slot] == tuple(new_names[bone] for bone in FULL_TRUTH[slot]), slot
    assert mapping.confidence[mapping.slots["left_upper_arm"][0]] < mapping.confidence[mapping.slots["left_upper_leg"][0]]


# --- rigs that are refused ---------------------------------------------------------------------------------------------


def make_rig(parents: ArrayLike, heads: ArrayLike) -> Rig:
    """A rig of meaningless names with bones along y."""
    parents = np.asarray(parents, int)
    rest = np.tile(np.eye(4), (len(parents), 1, 1))
    rest[:, :3, 3] = np.asarray(heads, float).reshape(-1, 3)
    return Rig("thing", tuple(f"bone.{i:03d}" for i in range(len(parents))), parents, rest, np.full(len(parents), 0.1))


def test_rig_without_bones_is_refused():
    with pytest.raises(InputError, match="no bones"):
        map_bones(make_rig([], []))


@pytest.mark.parametrize("count", [1, 2, 12, 40])
def test_single_chain_is_refused(count):
    with pytest.raises(InputError, match="left arm, right arm, left leg or right leg"):
        map_bones(make_rig(np.arange(count) - 1, np.outer(np.arange(count), [0.1, 0, 0.2])))


def test_bones_that_all_coincide_are_refused():
    with pytest.raises(InputError):
        map_bones(make_rig(np.arange(30) - 1, np.zeros((30, 3))))


@pytest.mark.parametrize("seed", range(40))
def test_random_trees_are_refused(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(5, 80))
    parents = [-1, *(int(rng.integers(max(0, i - 6), i)) for i in range(1, count))]
    with pytest.raises(InputError) as refused:
        map_bones(make_rig(parents, rng.normal(size=(count, 3))))
    assert "by hand" in refused.value.remedy


def make_car() -> RigBuilder:
    """A symmetric rig with four branches."""
    build = RigBuilder()
    build.add("body", None, [0, 0, 0.5])
    build.add("roof", "body", [0, 0, 1.2])
    for x in (-1, 1):
        for place, y in (("f", -1.5), ("b", 1.5)):
            build.add_chain([f"axle_{x}_{place}", f"wheel_{x}_{place}"], "body", np.array([0.4 * x, y, 0.4]), np.array([0.9 * x, y, 0.4]))
        build.add_chain([f"door_{x}", f"window_{x}"], "body", np.array([0.9 * x, 0, 0.6]), np.array([0.9 * x, 0.8, 0.9]))
    return build


def make_spider() -> RigBuilder:
    build = RigBuilder()
    build.add_chain(["thorax", "abdomen"], None, np.array([0, 0, 0.3]), np.array([0, 1.0, 0.3]))
    for x in (-1, 1):
        for leg in range(4):
            start = np.array([0.1 * x, -0.3 + 0.2 * leg, 0.3])
            parent = build.add_chain([f"a{x}{leg}"], "thorax", start, start)
            parent = build.add_chain([f"b{x}{leg}"], parent, start + [0.4 * x, 0, 0.4], start)
            build.add_chain([f"c{x}{leg}"], parent, np.array([0.9 * x, -0.6 + 0.4 * leg, 0]), start)
    return build


def make_dog() -> RigBuilder:
    build = RigBuilder()
    build.add_chain(["s0", "s1", "s2", "s3"], None, np.array([0, 0.6, 0.6]), np.array([0, -0.1, 0.65]))
    build.add_chain(["n0", "n1", "h"], "s3", np.array([0, -0.2, 0.7]), np.array([0, -0.6, 0.9]))
    build.add_chain(["t0", "t1", "t2"], "s0", np.array([0, 0.7, 0.6]), np.array([0, 1.2, 0.7]))
    for x in (-1, 1):
        for name, parent, y in (("hind", "s0", 0.6), ("fore", "s3", -0.15)):
            names = [f"{name}{x}{i}" for i in range(4)]
            build.add_chain(names, parent, np.array([0.1 * x, y, 0.55]), np.array([0.1 * x, y - 0.05, 0.0]))
    return build


@pytest.mark.parametrize("make", [make_car, make_spider, make_dog])
def test_symmetric_rigs_that_are_no_people_are_refused(make):
    with pytest.raises(InputError) as refused:
        map_bones(make().build_rig(np.random.default_rng(0)))
    assert '"character"' in refused.value.problem


def test_separate_roots_are_refused_and_listed():
    """All names are right, but each leg has its own root."""
    rng = np.random.default_rng(0)
    build = make_humanoid({**TRUTH, "spine": ["spine_0"], "neck": ["neck"]}, rng)
    for side in SIDES:
        build.parent[f"{side}_upper_leg"] = None
    with pytest.raises(InputError, match=r'3 separate roots.*"left_upper_leg"'):
        map_bones(build.build_rig(rng))


# --- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "anonymous"])
def test_large_rigs_are_mapped_quickly(is_named):
    """A rig of 700 bones takes less than 0.3 s."""
    rng = np.random.default_rng(0)
    truth = FULL_TRUTH
    build = add_extra_bones(make_humanoid(truth, rng), truth, rng)
    for number in range(700 - len(build.heads)):
        build.add(f"face {number}", "head", build.heads["head"] + rng.normal(size=3) * 0.05)
    if not is_named:
        build, truth = anonymise_bones(build, truth, rng)
    rig = build.build_rig(rng)
    map_bones(rig)  # loads the naming tables
    start = time.perf_counter()
    map_bones(rig)
    assert time.perf_counter() - start < 0.3
