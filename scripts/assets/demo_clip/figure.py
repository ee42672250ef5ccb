"""The performer of the demo clip: the open body with clothes made from its skin.

Clothes are regions of the skin, offset, smoothed and loosened, with the skin's weights; the skin below them is left out. Colours are
materials. bpy and numpy only.
"""

from collections.abc import Mapping
from typing import Any

import bpy
import numpy as np

from blender_meshrec.core.array_types import ArrayLike, BoolArray, FloatArray, IntArray
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.scene.context import active_scene
from scripts.assets.demo_clip.performer import Performer

# Layers: offset from the skin in metres, rounds of smoothing, colour (linear RGB), roughness.
LAYERS = {
    "skin": (0.0, 0, (0.54, 0.30, 0.20), 0.5),
    "hair": (0.016, 4, (0.040, 0.020, 0.012), 0.6),
    "shirt": (0.012, 10, (0.68, 0.12, 0.05), 0.85),
    "trousers": (0.011, 10, (0.04, 0.075, 0.17), 0.9),
    "shoes": (0.013, 20, (0.60, 0.58, 0.54), 0.55),
    "eyes": (0.0015, 0, (0.80, 0.78, 0.75), 0.3),
    "irises": (0.003, 0, (0.05, 0.025, 0.015), 0.2),
    "brows": (0.0015, 0, (0.045, 0.022, 0.014), 0.7),
}


class ClothedFigure:
    """Mesh objects, one per layer, that follow the posed vertices of a Performer in world metres."""

    def __init__(self, performer: Performer) -> None:
        self.performer = performer
        self.layers: list[tuple[bpy.types.Mesh, IntArray, FloatArray]] = []  # mesh, its vertices of the body, its rest vertices (N,3) m
        template, rest_vertices, rest_joints = performer.template, performer.rest_vertices, performer.rest_joints
        joints = dict(zip(template.joint_names, rest_joints))
        for name, chosen in clothing_regions(template, rest_vertices, joints).items():
            used, faces = np.unique(template.faces[chosen], return_inverse=True)
            faces = faces.reshape(-1, 3)
            offset, rounds, colour, roughness = LAYERS[name]
            shape = rest_vertices[used]
            for _ in range(rounds):
                shape = smooth_vertices(shape, faces)
            shape = loosen_cloth(name, shape, joints)
            mesh = bpy.data.meshes.new(name)
            mesh.from_pydata(shape.tolist(), [], faces.tolist())
            mesh.shade_smooth()
            mesh.materials.append(make_material(name, colour, roughness))
            layer = bpy.data.objects.new(name, mesh)
            active_scene().collection.objects.link(layer)
            add_cloth_modifiers(layer, name, offset)
            self.layers.append((mesh, used, shape))

    def pose(self, frame: int) -> None:
        """Pose every layer as the body's skin: add the pose blend shapes at rest, then apply the vertex transforms."""
        corrections, blended = self.performer.pose_blend_shapes(frame), self.performer.vertex_transforms(frame)
        for mesh, used, shape in self.layers:
            moved = (blended[used, :, :3] @ (shape + corrections[used])[..., None])[..., 0] + blended[used, :, 3]
            mesh.vertices.foreach_set("co", np.ascontiguousarray(moved, np.float32).ravel())
            mesh.update()


def add_cloth_modifiers(layer: bpy.types.Object, name: str, offset: float) -> None:
    """Add the modifiers of a layer: thickness, and a smooth surface."""
    if offset:
        cloth: Any = layer.modifiers.new("cloth", "SOLIDIFY")
        cloth.thickness, cloth.offset = offset, 1.0
    if name == "shoes":  # one closed surface, so that no toes show through
        closed: Any = layer.modifiers.new("closed", "REMESH")
        even: Any = layer.modifiers.new("even", "SMOOTH")
        closed.mode, closed.voxel_size, closed.use_smooth_shade = "VOXEL", 0.006, True
        even.iterations = 12
    else:
        smooth: Any = layer.modifiers.new("smooth", "SUBSURF")
        smooth.levels = smooth.render_levels = 1


def clothing_regions(template: BodyTemplate, vertices: FloatArray, joints: Mapping[str, FloatArray]) -> dict[str, BoolArray]:
    """The faces of each layer, name -> (T,) bool. Layers overlap where one covers the seam of another."""
    middle = vertices[template.faces].mean(1)
    part: dict[str, BoolArray] = {name: np.asarray(template.face_parts) == index for index, name in enumerate(template.part_names)}
    neck, pelvis, knee = joints["neck"], joints["pelvis"], joints["left_knee"]
    # A round collar: an oblique plane at the neck that is lower in front.
    collar = middle[:, 1] < neck[1] - 0.012 - 0.55 * (middle[:, 2] - neck[2])
    torso = np.abs(middle[:, 0]) < abs(joints["left_shoulder"][0])
    shirt = (
        part["shirt"] | (part["skin"] & torso & collar & (middle[:, 1] > knee[1])) | (part["trousers"] & (middle[:, 1] > pelvis[1] - 0.07))
    )
    layers: dict[str, BoolArray] = {"shirt": shirt, "trousers": part["trousers"], "shoes": part["shoes"], "hair": part["hair"]}
    layers["skin"] = ~np.any(list(layers.values()), axis=0)
    for name in ("eyes", "irises", "brows"):
        layers[name] = np.zeros(len(middle), bool)
    for side, sign in (("left", 1), ("right", -1)):
        eye = vertices[template.landmarks[f"{side}_eye"]]
        x, y, z = ((middle - eye) * [sign, 1, 1]).T
        in_front = (np.abs(z) < 0.02) & layers["skin"]
        layers["eyes"] |= in_front & ((x / 0.0145) ** 2 + (y / 0.0048) ** 2 < 1)
        layers["irises"] |= in_front & ((x / 0.0062) ** 2 + (y / 0.0055) ** 2 < 1)
        arch = 0.021 - 6.0 * (x - 0.002) ** 2
        layers["brows"] |= in_front & (np.abs(y - arch) < 0.004) & (x > -0.018) & (x < 0.024)
    return layers


def smooth_vertices(shape: FloatArray, faces: IntArray) -> FloatArray:
    """Vertices moved halfway to the mean of their neighbours; for those on the rim, of their neighbours on the rim."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    edges, uses = np.unique(edges, axis=0, return_counts=True)
    rim = np.zeros(len(shape), bool)
    rim[edges[uses == 1]] = True
    inner = ~rim[edges].any(1)
    total, count = np.zeros_like(shape), np.zeros(len(shape))
    for chosen, receivers in ((inner, np.ones_like(rim)), (~inner & (uses == 2), ~rim), (uses == 1, rim)):
        for one, other in (edges[chosen].T, edges[chosen][:, ::-1].T):
            used = receivers[one]
            np.add.at(total, one[used], shape[other[used]])
            np.add.at(count, one[used], 1)
    return 0.5 * shape + 0.5 * total / np.maximum(count, 1)[:, None]


def loosen_cloth(name: str, shape: FloatArray, joints: Mapping[str, FloatArray]) -> FloatArray:
    """Vertices (N,3) of a cloth that widens: trouser legs towards the ankle, the shirt towards its hem and the ends of its sleeves."""
    shape = shape.copy()
    if name == "trousers":
        for side in ("left", "right"):
            knee, ankle = joints[f"{side}_knee"], joints[f"{side}_ankle"]
            leg = np.sign(shape[:, 0]) == np.sign(knee[0])
            width = (knee[1] + 0.25 - shape[:, 1]) / (knee[1] + 0.25 - ankle[1])
            along = np.clip((knee[1] - shape[:, 1]) / (knee[1] - ankle[1]), 0, 1)[:, None]
            push_outwards(shape, (knee + along * (ankle - knee)), [1, 0, 1], 0.020 * np.clip(width, 0, 1) * leg)
    if name == "shirt":
        chest, pelvis = joints["spine3"], joints["pelvis"]
        torso = np.abs(shape[:, 0]) < abs(joints["left_shoulder"][0])
        width = np.clip((chest[1] - shape[:, 1]) / (chest[1] - pelvis[1]), 0, 1.2)
        push_outwards(shape, pelvis, [1, 0, 1], 0.016 * width * torso)
        for side in ("left", "right"):
            shoulder, elbow = joints[f"{side}_shoulder"], joints[f"{side}_elbow"]
            width = np.clip((shape[:, 0] - shoulder[0]) / (elbow[0] - shoulder[0]), 0, 1)
            push_outwards(shape, (shoulder + elbow) / 2, [0, 1, 1], 0.016 * width)
    return shape


def push_outwards(shape: FloatArray, axis: FloatArray, across: ArrayLike, amount: FloatArray) -> None:
    """Push vertices (N,3) away from an axis, in place, in the directions `across` (3,) it, by `amount` (N,) metres."""
    outward = (shape - axis) * np.asarray(across)
    shape += outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6) * amount[:, None]


def make_material(name: str, colour: tuple[float, float, float], roughness: float) -> bpy.types.Material:
    """A plain material; skin is slightly translucent, cloth and hair have a bump texture."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree: Any = material.node_tree
    nodes, links = tree.nodes, tree.links
    surface = nodes["Principled BSDF"]
    surface.inputs["Base Color"].default_value = (*colour, 1)
    surface.inputs["Roughness"].default_value = roughness
    if name == "skin":
        surface.inputs["Subsurface Weight"].default_value = 0.1
        surface.inputs["Subsurface Radius"].default_value = (0.02, 0.008, 0.004)
    if name in ("shirt", "trousers", "hair"):
        grain, bump = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeBump")
        grain.inputs["Scale"].default_value = 60 if name == "hair" else 14
        bump.inputs["Strength"].default_value = 0.5 if name == "hair" else 0.25
        bump.inputs["Distance"].default_value = 0.02
        links.new(grain.outputs["Fac"], bump.inputs["Height"])
        links.new(bump.outputs["Normal"], surface.inputs["Normal"])
    return material
