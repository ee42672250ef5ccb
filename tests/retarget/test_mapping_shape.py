"""Mapping by shape alone: names that mean nothing, any axes, size and rest pose; and what is refused."""

import time

import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.retarget.mapping.map_bones import map_bones
from blender_meshrec.retarget.rig import SIDES, Rig
from tests.support.synthetic_rigs import RigBuilder, add_extra_bones, anonymise_bones, body_slots, make_humanoid

TRUTH = {"hips": ["hips"], "head": ["head"]}
for _side in SIDES:
    for _part in ("clavicle", "upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot", "toes"):
        TRUTH[f"{_side}_{_part}"] = [f"{_side}_{_part}"]
    for _finger in ("thumb", "index", "middle", "ring", "little"):
        TRUTH[f"{_side}_{_finger}"] = [f"{_side}_{_finger}_{joint}" for joint in range(3)]


def random_truth(rng):
    truth = dict(TRUTH)
    truth["spine"] = [f"spine_{number}" for number in range(rng.integers(2, 6))]
    truth["neck"] = [f"neck_{number}" for number in range(rng.integers(0, 3))]
    if rng.random() < 0.5:
        truth["root"] = ["root"]
    if rng.random() < 0.25:
        truth = {slot: bones for slot, bones in truth.items() if not slot.endswith("clavicle")}
    if rng.random() < 0.3:
        truth = {slot: bones for slot, bones in truth.items() if not slot.endswith(("thumb", "index", "middle", "ring", "little"))}
    return truth


def turn(rng):
    matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return matrix * np.sign(np.linalg.det(matrix))


def mistakes(rig, truth):
    """Bones that were mapped to what they are not, and the share of the body's bones that was mapped to what they are."""
    mapping = map_bones(rig)
    assert mapping.found_by == "geometry"
    of = {bone: slot for slot, bones in body_slots(truth).items() for bone in bones}
    got = {bone: slot for slot, bones in body_slots(mapping.slots).items() for bone in bones}
    wrong = {bone: (slot, of.get(bone)) for bone, slot in got.items() if of.get(bone) != slot}
    return wrong, sum(got.get(bone) == slot for bone, slot in of.items()) / len(of), mapping


@pytest.mark.parametrize("seed", range(60))
def test_meaningless_names(seed):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng)
    build, truth, *_ = anonymise_bones(make_humanoid(truth, rng, hip_joints=("a", "b") if seed % 5 == 0 else None), truth, rng)
    wrong, share, mapping = mistakes(build.build_rig(rng, tails="along" if seed % 2 else "anywhere"), truth)
    assert not wrong
    assert share >= 0.95
    assert max(mapping.confidence.values()) <= 0.6, "shape alone is not trusted as names are"


@pytest.mark.parametrize("seed", range(30))
def test_meaningless_names_amid_clutter(seed):
    rng = np.random.default_rng(1000 + seed)
    truth = random_truth(rng)
    truth["neck"] = truth["neck"] or ["neck"]
    build = add_extra_bones(make_humanoid(truth, rng), truth, rng)
    build, truth, *_ = anonymise_bones(build, truth, rng)
    wrong, share, _ = mistakes(build.build_rig(rng), truth)
    assert not wrong
    assert share >= 0.95


def without(truth, *parts):
    return {slot: bones for slot, bones in truth.items() if not slot.endswith(parts)}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["no toes", "no feet", "no hands", "limbs in two", "arms hang", "ends", "twists beside"])
def test_meaningless_names_on_skeletons_with_less_or_more(kind, seed):
    rng = np.random.default_rng(3000 + seed)
    truth = random_truth(rng)
    fingers = ("thumb", "index", "middle", "ring", "little")
    truth = without(truth, *{"no toes": ["toes"], "no feet": ["toes", "foot"], "no hands": ["hand", *fingers]}.get(kind, ["nothing"]))
    long_bones = [slot for slot in truth if slot.endswith(("upper_arm", "lower_arm", "upper_leg", "lower_leg"))]
    if kind == "limbs in two":
        truth |= {slot: [truth[slot][0], f"{truth[slot][0]} 2"] for slot in long_bones}
    build = make_humanoid(truth, rng, arms_down=80 if kind == "arms hang" else None)
    parents = dict(build.parent)
    if kind == "ends":
        for bone in set(parents) - set(parents.values()):
            build.add(f"{bone}_end", bone, 1.6 * build.heads[bone] - 0.6 * build.heads[parents[bone]])
    if kind == "twists beside":
        for bone in (truth[slot][0] for slot in long_bones):
            below = next(build.heads[child] for child, parent in parents.items() if parent == bone)
            for share in (0.3, 0.6):
                build.add(f"{bone} twist {share}", bone, build.heads[bone] + share * (below - build.heads[bone]))
    build, truth = anonymise_bones(build, truth, rng)
    wrong, share, _ = mistakes(build.build_rig(rng, tails="along" if seed % 2 else "anywhere"), truth)
    assert not wrong
    assert share >= 0.95


@pytest.mark.parametrize("seed", range(10))
def test_axes_size_and_place_do_not_matter(seed):
    """An armature whose own axes are any, in an object turned, scaled and moved to stand upright again, or left lying."""
    rng = np.random.default_rng(2000 + seed)
    truth = random_truth(rng)
    build, truth, *_ = anonymise_bones(make_humanoid(truth, rng), truth, rng)
    body = np.eye(4)
    body[:3, :3] = turn(rng) * 10 ** rng.uniform(-2, 2)
    body[:3, 3] = rng.normal(size=3)
    world = np.linalg.inv(body) if seed % 2 else np.eye(4)
    assert not mistakes(build.build_rig(rng, armature_from_body=body, world=world), truth)[0]


def test_sides_in_otherwise_meaningless_names_are_believed():
    """A name like bone.012.L says no part, but it does say left, even where the feet point backward."""
    rng = np.random.default_rng(0)
    truth = {**TRUTH, "spine": ["spine_0", "spine_1"], "neck": ["neck"]}
    build = make_humanoid(truth, rng)
    new = {}
    for number, bone in enumerate(build.heads):
        side = {"left": ".R", "right": ".L"}.get(bone.split("_")[0], "")
        new[bone] = f"bone.{number:03d}{side}"
    build.heads = {new[bone]: head for bone, head in build.heads.items()}
    build.parent = {new[bone]: new.get(parent) for bone, parent in build.parent.items()}
    mapping = map_bones(build.build_rig(rng))
    assert all(bone.endswith(".L") for slot, bones in mapping.slots.items() for bone in bones if slot.startswith("left_"))
    assert all(bone.endswith(".R") for slot, bones in mapping.slots.items() for bone in bones if slot.startswith("right_"))


def test_half_of_the_names_mean_something():
    """Legs by name, arms by shape: one map, and the confidence tells them apart."""
    rng = np.random.default_rng(3)
    truth = {**TRUTH, "spine": ["spine_0", "spine_1"], "neck": ["neck"]}
    arms = [
        bone for slot, bones in truth.items() if slot.split("_", 1)[-1] in ("clavicle", "upper_arm", "lower_arm", "hand") for bone in bones
    ]
    build = make_humanoid(truth, rng)
    new = {bone: f"x{number}" if bone in arms else bone for number, bone in enumerate(build.heads)}
    build.heads = {new[bone]: head for bone, head in build.heads.items()}
    build.parent = {new[bone]: new.get(parent) for bone, parent in build.parent.items()}
    mapping = map_bones(build.build_rig(rng))
    for slot in ("left_clavicle", "left_upper_arm", "right_lower_arm", "right_hand", "left_upper_leg", "hips", "head"):
        assert mapping.slots[slot] == tuple(new[bone] for bone in truth[slot]), slot
    assert mapping.confidence[mapping.slots["left_upper_arm"][0]] < mapping.confidence[mapping.slots["left_upper_leg"][0]]


# --- what is refused ---------------------------------------------------------------------------------------------------


def rig_of(parents, heads, names=None):
    rest = np.tile(np.eye(4), (len(parents), 1, 1))
    rest[:, :3, 3] = np.asarray(heads, float).reshape(-1, 3)
    return Rig("thing", names or [f"bone.{i:03d}" for i in range(len(parents))], parents, rest, np.full(len(parents), 0.1))


def test_an_empty_rig():
    with pytest.raises(InputError, match="no bones"):
        map_bones(rig_of([], []))


@pytest.mark.parametrize("count", [1, 2, 12, 40])
def test_a_chain_is_no_person(count):
    with pytest.raises(InputError, match="left arm, right arm, left leg or right leg"):
        map_bones(rig_of(np.arange(count) - 1, np.outer(np.arange(count), [0.1, 0, 0.2])))


def test_bones_without_length_or_all_in_one_place():
    with pytest.raises(InputError):
        map_bones(rig_of(np.arange(30) - 1, np.zeros((30, 3))))


@pytest.mark.parametrize("seed", range(40))
def test_random_trees_are_no_people(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(5, 80))
    parents = [-1, *(int(rng.integers(max(0, i - 6), i)) for i in range(1, count))]
    with pytest.raises(InputError) as refused:
        map_bones(rig_of(parents, rng.normal(size=(count, 3))))
    assert "by hand" in refused.value.remedy


def car():
    """Symmetric, with four branches, and no person."""
    build = RigBuilder()
    build.add("body", None, [0, 0, 0.5])
    build.add("roof", "body", [0, 0, 1.2])
    for x in (-1, 1):
        for place, y in (("f", -1.5), ("b", 1.5)):
            build.chain([f"axle_{x}_{place}", f"wheel_{x}_{place}"], "body", np.array([0.4 * x, y, 0.4]), np.array([0.9 * x, y, 0.4]))
        build.chain([f"door_{x}", f"window_{x}"], "body", np.array([0.9 * x, 0, 0.6]), np.array([0.9 * x, 0.8, 0.9]))
    return build


def spider():
    build = RigBuilder()
    build.chain(["thorax", "abdomen"], None, np.array([0, 0, 0.3]), np.array([0, 1.0, 0.3]))
    for x in (-1, 1):
        for leg in range(4):
            start = np.array([0.1 * x, -0.3 + 0.2 * leg, 0.3])
            parent = build.chain([f"a{x}{leg}"], "thorax", start, start)
            parent = build.chain([f"b{x}{leg}"], parent, start + [0.4 * x, 0, 0.4], start)
            build.chain([f"c{x}{leg}"], parent, np.array([0.9 * x, -0.6 + 0.4 * leg, 0]), start)
    return build


def dog():
    build = RigBuilder()
    build.chain(["s0", "s1", "s2", "s3"], None, np.array([0, 0.6, 0.6]), np.array([0, -0.1, 0.65]))
    build.chain(["n0", "n1", "h"], "s3", np.array([0, -0.2, 0.7]), np.array([0, -0.6, 0.9]))
    build.chain(["t0", "t1", "t2"], "s0", np.array([0, 0.7, 0.6]), np.array([0, 1.2, 0.7]))
    for x in (-1, 1):
        for name, start, y in (("hind", "s0", 0.6), ("fore", "s3", -0.15)):
            build.chain([f"{name}{x}{i}" for i in range(4)], start, np.array([0.1 * x, y, 0.55]), np.array([0.1 * x, y - 0.05, 0.0]))
    return build


@pytest.mark.parametrize("make", [car, spider, dog])
def test_things_with_branches_are_no_people(make):
    rng = np.random.default_rng(0)
    build = make()
    rig = build.build_rig(rng)
    with pytest.raises(InputError) as refused:
        map_bones(rig)
    assert '"character"' in refused.value.problem


def test_flat_skeletons_are_refused_with_their_roots():
    """All the right names, but legs and arms hang from roots of their own."""
    rng = np.random.default_rng(0)
    truth = {**TRUTH, "spine": ["spine_0"], "neck": ["neck"]}
    build = make_humanoid(truth, rng)
    for side in SIDES:
        build.parent[f"{side}_upper_leg"] = None
    with pytest.raises(InputError, match=r'3 separate roots.*"left_upper_leg"'):
        map_bones(build.build_rig(rng))


# --- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
def test_seven_hundred_bones_are_mapped_in_well_under_a_third_of_a_second(named):
    rng = np.random.default_rng(0)
    truth = {**TRUTH, "spine": ["spine_0", "spine_1"], "neck": ["neck"]}
    build = add_extra_bones(make_humanoid(truth, rng), truth, rng)
    for number in range(700 - len(build.heads)):
        build.add(f"face {number}", "head", build.heads["head"] + rng.normal(size=3) * 0.05)
    if not named:
        build, truth, *_ = anonymise_bones(build, truth, rng)
    rig = build.build_rig(rng)
    map_bones(rig)  # reads the tables once
    begun = time.perf_counter()
    map_bones(rig)
    assert time.perf_counter() - begun < 0.3
