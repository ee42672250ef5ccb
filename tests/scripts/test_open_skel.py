"""The open SKEL body: SKEL's format, the open body's skin, exact symmetry, the directions of its angles, and bones inside the skin."""

import hashlib
import tomllib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from blender_meshrec.bodies.skel import Skel  # noqa: E402
from blender_meshrec.core.files.body_template import load_body  # noqa: E402
from blender_meshrec.core.rotations import rotmat_from_rotvec  # noqa: E402
from blender_meshrec.core.skel.template import REQUIRED_KEYS, load_skel  # noqa: E402
from blender_meshrec.core.skel.vocabulary import DOF_LIMITS, DOF_NAMES, SKEL_JOINTS, dof_index  # noqa: E402
from blender_meshrec.core.skeletons import SMPL_JOINTS  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "addon_models" / "open_skel.npz"
FLIP = np.array([-1.0, 1.0, 1.0])
J = {name: joint for joint, name in enumerate(SKEL_JOINTS)}
# Angles whose sign changes in the mirrored pose; the others only change sides.
TURNED = ("pelvis_list", "pelvis_rotation", "bending", "twist", "abduction_", "elevation_", "shoulder_r_x", "shoulder_l_x", "shoulder_r_y",
          "shoulder_l_y")  # fmt: skip


def other_side(name):
    parts = name.split("_")
    return "_".join({"r": "l", "l": "r"}.get(part, part) for part in parts)


DOF_MIRROR = np.array([dof_index(other_side(name)) for name in DOF_NAMES])
SIGNS = np.array([-1.0 if any(part in name for part in TURNED) and "hip" not in name else 1.0 for name in DOF_NAMES])
JOINT_MIRROR = np.array([J[other_side(name)] for name in SKEL_JOINTS])


@pytest.fixture(scope="module")
def arrays():
    with np.load(FILE, allow_pickle=False) as content:
        return {key: content[key] for key in content}


@pytest.fixture(scope="module")
def template():
    return load_skel("open")


@pytest.fixture(scope="module")
def layer(template):
    return Skel(template, dtype=torch.float64)


def opposite(vertices):
    """The index of the vertex opposite each vertex of an exactly symmetric mesh."""
    spatial = pytest.importorskip("scipy.spatial")
    distance, vertex = spatial.cKDTree(vertices).query(vertices * FLIP)
    assert distance.max() < 1e-6 and np.array_equal(np.sort(vertex), np.arange(len(vertices)))  # m
    return vertex


def pose(layer, betas=(0,) * 10, with_bones=False, **degrees):
    q = np.zeros((1, 46))
    for name, angle in degrees.items():
        q[0, dof_index(name)] = np.radians(angle)
    return layer(q, np.array(betas, float), with_bones=with_bones)


def joints_of(layer, **degrees):
    return pose(layer, **degrees).joints[0].numpy()


def skin_of(layer, **degrees):
    return pose(layer, **degrees).vertices[0].numpy()


# --- the file ---


def test_weights_toml_lists_hash_and_licence(arrays):
    listed = {entry["file"]: entry for entry in tomllib.loads((FILE.parent / "weights.toml").read_text())["weights"]}[FILE.name]
    assert listed["sha256"] == hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert listed["licence"] == str(arrays["licence"]) and listed["source"] == str(arrays["source"])
    assert FILE.stat().st_size < 12e6


def test_file_has_skels_keys_and_the_open_skin(arrays, template):
    assert set(arrays) == {*REQUIRED_KEYS, "skel_shapedirs", "licence", "source"}
    body = load_body("open")
    assert np.array_equal(template.v_template, body.v_template) and np.array_equal(template.faces, body.faces)
    assert np.array_equal(template.shapedirs, body.shapedirs) and np.array_equal(template.posedirs, body.posedirs)
    assert np.allclose(arrays["skin_weights"].sum(1), 1, atol=1e-6) and (arrays["skin_weights"] >= 0).all()
    assert (arrays["skin_weights"] > 0).sum(1).max() <= 4
    assert np.allclose(arrays["J_regressor_osim"].sum(1), 1, atol=1e-5)


def test_transforms_are_consistent(arrays, template):
    rest = arrays["tpose_transfo"]
    assert np.allclose(rest[:, :3, 3], template.rest_joints(np.zeros(10)), atol=1e-7)
    assert np.allclose(rest[:, :3, :3], arrays["per_joint_rot"])
    rotations = np.concatenate([arrays[key][:, :3, :3] for key in ("tpose_transfo", "apose_transfo", "apose_rel_transfo")])
    assert np.allclose(rotations @ rotations.swapaxes(1, 2), np.eye(3)) and np.allclose(np.linalg.det(rotations), 1)
    assert np.allclose(template.bone_orientations(np.zeros(10)), arrays["per_joint_rot"], atol=1e-9)
    hanging = arrays["apose_transfo"]
    for side in "rl":  # the arms hang: the wrist is below the shoulder
        assert hanging[J[f"humerus_{side}"], 1, 3] - hanging[J[f"hand_{side}"], 1, 3] > 0.4


def test_common_joints_equal_smpls_for_every_shape(template):
    body = load_body("open")
    same = {"femur": "hip", "tibia": "knee", "talus": "ankle", "toes": "foot", "humerus": "shoulder", "ulna": "elbow", "hand": "wrist"}
    pairs = {"pelvis": "pelvis", "head": "head"}
    for letter, side in (("r", "right"), ("l", "left")):
        pairs |= {f"{bone}_{letter}": f"{side}_{joint}" for bone, joint in same.items()}
    for betas in np.random.default_rng(0).uniform(-2, 2, (5, 10)):
        ours, smpl = template.rest_joints(betas), body.rest_joints(betas)
        for bone, joint in pairs.items():
            assert np.allclose(ours[J[bone]], smpl[SMPL_JOINTS.index(joint)], atol=1e-5), bone
        calcn, talus, radius, ulna = (ours[J[f"{bone}_l"]] for bone in ("calcn", "talus", "radius", "ulna"))
        assert -0.07 < calcn[2] - talus[2] < -0.03 and -0.06 < calcn[1] - talus[1] < -0.02  # m: behind and below
        assert 0.005 < np.linalg.norm(radius - ulna) < 0.03


# --- symmetry ---


def test_mirrored_angles_give_the_mirror_image(arrays, layer, template):
    skin, bones = opposite(arrays["skin_template_v"]), opposite(template.rest_bone_vertices(np.zeros(10)))
    rng = np.random.default_rng(1)
    low, high = np.clip(DOF_LIMITS, -1, 1).T
    q = rng.uniform(low, high, (4, 46))
    betas = rng.normal(size=10)
    posed = layer(q, betas, with_bones=True)
    mirrored = layer((q * SIGNS)[:, DOF_MIRROR], betas, with_bones=True)
    assert np.abs(mirrored.joints.numpy() - posed.joints.numpy()[:, JOINT_MIRROR] * FLIP).max() < 1e-6  # m
    assert np.abs(mirrored.vertices.numpy() - posed.vertices.numpy()[:, skin] * FLIP).max() < 1e-5
    assert np.abs(mirrored.bone_vertices.numpy() - posed.bone_vertices.numpy()[:, bones] * FLIP).max() < 1e-5


# --- the angles ---


@pytest.mark.parametrize(
    ("angle", "degrees", "joint", "direction"),
    [
        ("hip_flexion_r", 60, "tibia_r", (0, 0, 1)),
        ("hip_adduction_r", 20, "tibia_r", (1, 0, 0)),
        ("knee_angle_r", 45, "talus_r", (0, 0, -1)),
        ("ankle_angle_r", 30, "toes_r", (0, 1, 0)),
        ("lumbar_extension", 30, "head", (0, 0, -1)),
        ("thorax_extension", 30, "head", (0, 0, -1)),
        ("lumbar_bending", 20, "head", (-1, 0, 0)),
        ("scapula_abduction_r", 25, "humerus_r", (0, 0, 1)),
        ("scapula_elevation_r", -20, "humerus_r", (0, 1, 0)),
        ("scapula_upward_rot_r", 15, "humerus_r", (0, 1, 0)),
        ("shoulder_r_x", 60, "ulna_r", (0, -1, 0)),
        ("shoulder_r_z", 60, "ulna_r", (0, 0, 1)),
        ("elbow_flexion_r", 45, "hand_r", (0, 0, 1)),
    ],
)
def test_positive_angles_move_joints_in_the_named_direction(layer, angle, degrees, joint, direction):
    moved = (joints_of(layer, **{angle: degrees}) - joints_of(layer))[J[joint]]
    assert moved @ direction > 0.7 * np.linalg.norm(moved) and np.linalg.norm(moved) > 0.003


def test_positive_hand_and_foot_angles_have_the_named_direction(layer):
    marks = load_body("open").landmarks
    rest = skin_of(layer)

    def moved(mark, **degrees):
        return (skin_of(layer, **degrees) - rest)[marks[mark]]

    assert moved("right_middle_tip", wrist_flexion_r=60)[1] < -0.1  # palm down: flexion goes down
    assert moved("right_middle_tip", wrist_deviation_r=30)[2] < -0.05  # towards the little finger
    assert moved("right_thumb_tip", pro_sup_r=60)[1] < -0.03  # pronation turns the thumb down
    assert moved("right_heel", subtalar_angle_r=20)[0] != 0 and np.abs(moved("right_big_toe", mtp_angle_r=30)[1]) > 0.02


def test_hip_and_shoulder_rotations_deform_skin_as_in_smpl(layer, template):
    """SKEL's angles of a joint with the same rotation give the same skin within a tenth of a millimetre."""
    body = load_body("open")
    for joint, bone, first in (("right_hip", "femur_r", "hip_flexion_r"), ("left_shoulder", "humerus_l", "shoulder_l_x")):
        axes = template.bone_frames(np.zeros(10))[J[bone]]
        rotvecs = np.zeros((24, 3))
        rotvecs[SMPL_JOINTS.index(joint)] = (-0.7, 0.3, -0.4)
        inside = axes.T @ rotmat_from_rotvec(rotvecs)[SMPL_JOINTS.index(joint)] @ axes
        q = np.zeros((1, 46))
        q[0, dof_index(first) : dof_index(first) + 3] = _angles(inside, first)
        assert np.abs(layer(q, np.zeros(10)).vertices[0].numpy() - smpl_skin(body, rotvecs)).max() < 1e-4  # m


def _angles(rotation, first):
    """The three angles that compose a rotation, by Newton's method."""
    from blender_meshrec.core.skel.kinematics import dof_rotations

    start, joint = dof_index(first), J["femur_r" if first.startswith("hip") else "humerus_l"]
    angles = np.zeros(3)

    def error(value):
        q = np.zeros((1, 46))
        q[0, start : start + 3] = value
        return (dof_rotations(q)[0, joint] - rotation).ravel()

    for _ in range(20):
        slope = np.stack([(error(angles + 1e-6 * e) - error(angles - 1e-6 * e)) / 2e-6 for e in np.eye(3)], 1)
        angles = angles - np.linalg.lstsq(slope, error(angles), rcond=None)[0]
    assert np.abs(error(angles)).max() < 1e-9
    return angles


def smpl_skin(body, rotvecs):
    """Posed vertices (V,3) m of the open body. Source: Loper et al. 2015 (SMPL), eq. 2-4, 9."""
    joints, local = body.rest_joints(np.zeros(10)), rotmat_from_rotvec(rotvecs)
    rest = body.v_template + body.posedirs @ (local[1:] - np.eye(3)).ravel()
    rotations, places = local.copy(), joints.copy()
    for joint, parent in enumerate(body.parents[1:], start=1):
        rotations[joint] = rotations[parent] @ local[joint]
        places[joint] = places[parent] + rotations[parent] @ (joints[joint] - joints[parent])
    shifts = places - np.einsum("jab,jb->ja", rotations, joints)
    blended = body.lbs_weights @ np.concatenate([rotations.reshape(24, 9), shifts], axis=1)
    return np.einsum("vab,vb->va", blended[:, :9].reshape(-1, 3, 3), rest) + blended[:, 9:]


# --- degrees of freedom that SMPL does not have ---


def test_pronation_twists_the_forearm_progressively(layer, template):
    elbow, wrist = (template.rest_joints(np.zeros(10))[J[name]] for name in ("ulna_r", "hand_r"))
    along = (template.v_template - elbow) @ (wrist - elbow) / ((wrist - elbow) @ (wrist - elbow))
    aside = np.linalg.norm(template.v_template - elbow - along[:, None] * (wrist - elbow), axis=1)
    rest, turned = skin_of(layer), skin_of(layer, pro_sup_r=67.5)
    twists, girths = [], []
    for start in np.arange(0.1, 1.0, 0.2):
        ring = (aside < 0.08) & (np.abs(along - start) < 0.08)
        before, after = ((vertices[ring] - vertices[ring].mean(0))[:, 1:] for vertices in (rest, turned))  # the forearm is along -x
        (y, z), (turned_y, turned_z) = before.T, after.T
        twists.append(np.degrees(np.arctan2((y * turned_z - z * turned_y).sum(), (y * turned_y + z * turned_z).sum())))
        girths.append(np.linalg.norm(after, axis=1).mean() / np.linalg.norm(before, axis=1).mean())
    size = np.abs(twists)
    assert (np.diff(size) > 3).all() and size[0] < 22 and size[-1] > 55, size  # degrees
    assert min(girths) > 0.8  # of the girth at rest: linear skinning of half of 67.5 degrees leaves 0.83


def test_subtalar_angle_moves_the_sole_not_the_ankle(layer, template):
    """Most skin over the ankle bones does not move, the sole does."""
    rest, turned = skin_of(layer), skin_of(layer, subtalar_angle_r=30)
    away = np.linalg.norm(turned - rest, axis=1)
    ankle = template.lbs_weights[:, J["talus_r"]] + template.lbs_weights[:, J["tibia_r"]] > 0.95
    sole = (template.lbs_weights[:, J["calcn_r"]] > 0.95) & (template.v_template[:, 1] < -0.92)
    assert np.median(away[ankle]) < 0.001 and np.median(away[sole]) > 0.01  # m


# --- the bones ---


def test_bones_are_closed_surfaces(arrays, template):
    faces = arrays["skel_template_f"].astype(np.int64)
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    code, back = directed @ (len(template.bone_template), 1), directed[:, ::-1] @ (len(template.bone_template), 1)
    assert np.array_equal(np.sort(code), np.sort(back))  # no edge has a side without a face
    assert np.array_equal(np.unique(faces), np.arange(len(template.bone_template)))
    a, b, c = (template.rest_bone_vertices(np.zeros(10))[faces[:, corner]] for corner in range(3))
    assert 0.002 < np.einsum("ti,ti->", a, np.cross(b, c)) / 6 < 0.010  # m^3, outward
    assert np.array_equal(np.unique(template.bone_of_vertex), np.arange(24))
    assert len(template.bone_template) < 30_000
    assert np.allclose(arrays["skel_weights"].sum(1), 1, atol=1e-6) and (arrays["skel_weights_rigid"].sum(1) == 1).all()


@pytest.mark.parametrize("betas", [(), (2,), (-2,), (0, 2), (0, -2), (1, -1, 1.5, -1.5, 1)])
def test_bones_are_inside_the_skin(arrays, template, betas):
    betas = np.pad(np.array(betas, float), (0, 10 - len(betas)))
    bones = template.rest_bone_vertices(np.zeros(10)) + arrays["skel_shapedirs"].astype(float) @ betas
    chosen = np.random.default_rng(2).choice(len(bones), 250, replace=False)
    assert (winding(bones[chosen], template.rest_vertices(betas)[template.faces]) > 0.5).mean() >= 0.99


def winding(points, triangles):
    """The winding number of a surface around each point, (N,). Source: Van Oosterom and Strackee 1983."""
    total = np.zeros(len(points))
    for some in np.array_split(np.arange(len(points)), 10):
        a, b, c = (triangles[None, :, corner] - points[some, None] for corner in range(3))
        la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
        above = np.einsum("nti,nti->nt", a, np.cross(b, c))
        below = la * lb * lc + (a * b).sum(-1) * lc + (a * c).sum(-1) * lb + (b * c).sum(-1) * la
        total[some] = np.arctan2(above, below).sum(1) / (2 * np.pi)
    return total


# --- the script ---


def test_script_reproduces_joints_frames_and_weights(arrays):
    pytest.importorskip("scipy")
    from scripts.assets.open_skel.joints import joint_regressor, rest_frames
    from scripts.assets.open_skel.weights import skin_weights

    with np.load(FILE.with_name("open_body.npz"), allow_pickle=False) as content:
        body = {key: content[key].astype(float) for key in ("v_template", "weights", "J_regressor")}
    mirror = opposite(body["v_template"])
    regressor = joint_regressor(body, mirror).astype(np.float32)
    assert np.allclose(regressor, arrays["J_regressor_osim"], atol=1e-6)
    joints = regressor.astype(float) @ body["v_template"]
    assert np.allclose(rest_frames(joints)[0], arrays["per_joint_rot"], atol=1e-6)
    assert np.allclose(skin_weights(body, joints, mirror), arrays["skin_weights"], atol=1e-6)
