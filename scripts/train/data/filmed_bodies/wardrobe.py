"""Random clothes, hair and skin for the open body: the colour of every face, and how far clothes stand off the skin.

All regions are taken at rest: along an arm and down a leg every face has a coordinate, so that sleeves and trouser legs end anywhere.
"""

import colorsys
from typing import NamedTuple

import numpy as np

from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.files.body_template import BodyTemplate
from blender_meshrec.core.skeletons import SMPL_JOINTS

SKIN_TONES = ((0.95, 0.78, 0.68), (0.88, 0.68, 0.55), (0.78, 0.57, 0.43), (0.62, 0.43, 0.31), (0.45, 0.30, 0.21), (0.31, 0.20, 0.14))
HAIR_COLOURS = ((0.08, 0.06, 0.05), (0.17, 0.10, 0.06), (0.35, 0.22, 0.12), (0.62, 0.47, 0.27), (0.50, 0.50, 0.50), (0.45, 0.18, 0.08))
BALD, BAREFOOT, BARE_CHEST, ONE_PIECE, CAP = 0.08, 0.3, 0.05, 0.12, 0.08  # fractions of people


class Outfit(NamedTuple):
    """colours: (T,3), 0..1, of every face. displacement: (V,3) m, of every vertex at rest."""

    colours: FloatArray
    displacement: FloatArray


def draw_betas(rng: np.random.Generator) -> FloatArray:
    """Betas (10,) of a random adult, within 1.5 standard deviations."""
    return np.clip(rng.normal(0, 0.9, 10), -1.5, 1.5)


def dress(rng: np.random.Generator, template: BodyTemplate, betas: FloatArray) -> Outfit:
    """A random Outfit for a shape."""
    vertices, joints = template.rest(betas)
    middle = vertices[template.faces].mean(1)
    along_arm, along_leg, bone = _limb_coordinates(template, middle, joints)
    part = {name: np.asarray(template.face_parts) == index for index, name in enumerate(template.part_names)}
    trunk = np.isin(bone, _indices("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar"))
    neck, pelvis = (joints[SMPL_JOINTS.index(name)] for name in ("neck", "pelvis"))
    collar = middle[:, 1] < neck[1] + rng.uniform(-0.03, 0.01) - rng.uniform(0.2, 0.8) * (middle[:, 2] - neck[2])
    above_waist = middle[:, 1] > pelvis[1] + rng.uniform(-0.08, 0.06)
    sleeve = rng.choice([0.0, rng.uniform(0.3, 0.7), rng.uniform(0.8, 1.5), 1.95], p=[0.15, 0.35, 0.1, 0.4])
    trouser_leg = rng.choice([rng.uniform(0.25, 0.6), rng.uniform(0.8, 1.4), 1.93], p=[0.25, 0.15, 0.6])
    shirt = (trunk & above_waist & collar) | (along_arm < sleeve)
    trousers = (trunk & ~above_waist) | (along_leg < trouser_leg)
    shoes = part["shoes"] if rng.random() > BAREFOOT else np.zeros(len(middle), bool)
    if rng.random() < BARE_CHEST:
        shirt[:] = False
    skin = np.array(SKIN_TONES[rng.integers(len(SKIN_TONES))]) * rng.uniform(0.9, 1.05)
    hair = np.array(HAIR_COLOURS[rng.integers(len(HAIR_COLOURS))]) * rng.uniform(0.7, 1.3)
    colours = np.tile(skin, (len(middle), 1))
    shirt_colours = _pattern(rng, middle, _cloth_colour(rng))
    same = rng.random() < ONE_PIECE
    for region, values in ((shirt, shirt_colours), (trousers, shirt_colours if same else _pattern(rng, middle, _cloth_colour(rng), 0.15))):
        colours[region] = values[region]
    colours[shoes] = _cloth_colour(rng)
    head_cover = hair if rng.random() > CAP else _cloth_colour(rng)
    hairy = part["hair"] if rng.random() > BALD else np.zeros(len(middle), bool)
    colours[hairy] = head_cover
    _paint_face(template, vertices, middle, colours, skin, hair)
    colours *= rng.normal(1, 0.025, (len(colours), 1))
    looseness = {"shirt": rng.uniform(0.004, 0.02), "trousers": rng.uniform(0.004, 0.018)}
    normals = _vertex_normals(template, vertices)
    displacement = normals * _per_vertex(template, shoes, 0.008)[:, None]
    displacement += normals * _per_vertex(template, hairy, rng.uniform(0.005, 0.03))[:, None]
    flare = rng.uniform(0, 0.03) * np.clip(along_leg, 0, 2) * (along_leg < 3)
    displacement += normals * _per_vertex(template, trousers, looseness["trousers"] + flare)[:, None]
    width = rng.uniform(0, 0.03) * np.where(along_arm < 3, np.clip(along_arm, 0, 1), trunk * np.clip((neck[1] - middle[:, 1]) / 0.5, 0, 1))
    displacement += normals * _per_vertex(template, shirt & ~trousers, looseness["shirt"] + width)[:, None]
    return Outfit(np.clip(colours, 0, 1).astype(np.float32), displacement)


def _indices(*names: str) -> list[int]:
    return [SMPL_JOINTS.index(name) for name in names]


def _limb_coordinates(template: BodyTemplate, middle: FloatArray, joints: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of every face (T,): 0 at the shoulder, 1 at the elbow, 2 at the wrist; the same from hip over knee to ankle; and its bone.

    Faces off the limb have a coordinate of 9.
    """
    bone = template.lbs_weights[template.faces].sum(1).argmax(1)
    along: list[FloatArray] = []
    for names, axis in ((("shoulder", "elbow", "wrist"), 0), (("hip", "knee", "ankle"), 1)):
        start, hinge, end = (joints[SMPL_JOINTS.index(f"left_{name}"), axis] for name in names)
        position = np.abs(middle[:, axis]) if axis == 0 else middle[:, 1]
        coordinate = (
            np.interp(position, (start, hinge, end), (0, 1, 2)) if start < end else np.interp(-position, (-start, -hinge, -end), (0, 1, 2))
        )
        limb = np.isin(bone, _indices(*(f"{side}_{name}" for side in ("left", "right") for name in names[:2])))
        along.append(np.where(limb, coordinate, 9.0))
    return along[0], along[1], bone


def _cloth_colour(rng: np.random.Generator) -> FloatArray:
    """Black, white, grey, blue or any colour (3,)."""
    kind = rng.random()
    if kind < 0.35:
        return np.full(3, rng.choice([rng.uniform(0.04, 0.15), rng.uniform(0.25, 0.6), rng.uniform(0.8, 0.97)])) * rng.normal(1, 0.03, 3)
    if kind < 0.5:
        return np.array(colorsys.hsv_to_rgb(rng.uniform(0.56, 0.66), rng.uniform(0.3, 0.8), rng.uniform(0.15, 0.7)))
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.2, 0.95), rng.uniform(0.2, 0.95)))


def _pattern(rng: np.random.Generator, middle: FloatArray, colour: FloatArray, patterned: float = 0.4) -> FloatArray:
    """Colours (T,3) of a cloth: plain, striped, checked or blotched; the fraction `patterned` is not plain."""
    colours = np.tile(colour, (len(middle), 1))
    kind = rng.integers(4) if rng.random() < patterned else -1
    other = _cloth_colour(rng)
    period, phase = rng.uniform(0.03, 0.14), rng.random()
    if kind in (0, 1):
        colours[((middle[:, 1 - kind] / period + phase) % 1) < rng.uniform(0.2, 0.6)] = other
    elif kind == 2:
        colours[(np.floor(middle / period + phase).sum(1) % 2) == 0] = 0.5 * (colour + other)
    elif kind == 3:
        waves = sum(np.sin(middle @ rng.normal(0, 35, 3) + rng.uniform(0, 6)) for _ in range(4))
        colours[np.asarray(waves) > rng.uniform(0.3, 1.5)] = other
    return colours


def _paint_face(
    template: BodyTemplate, vertices: FloatArray, middle: FloatArray, colours: FloatArray, skin: FloatArray, hair: FloatArray
) -> None:
    """Colour eyes, brows and lips, in place: they show the detector where the head looks."""
    nose = vertices[template.landmarks["nose"]]
    for side, sign in (("left", 1), ("right", -1)):
        eye = vertices[template.landmarks[f"{side}_eye"]]
        x, y, z = ((middle - eye) * [sign, 1, 1]).T
        near = np.abs(z) < 0.03
        colours[near & ((x / 0.017) ** 2 + (y / 0.009) ** 2 < 1)] = 0.85
        colours[near & ((x / 0.008) ** 2 + (y / 0.008) ** 2 < 1)] = 0.08
        arch = 0.021 - 6.0 * (x - 0.002) ** 2
        colours[near & (np.abs(y - arch) < 0.0045) & (x > -0.018) & (x < 0.026)] = 0.5 * hair
    x, y, z = (middle - nose).T
    colours[(np.abs(x) < 0.026) & (np.abs(y + 0.036) < 0.009) & (z > -0.045)] = skin * [0.8, 0.5, 0.5]
    colours[(np.abs(x) < 0.012) & (np.abs(y + 0.012) < 0.004) & (z > -0.02)] *= 0.6


def _per_vertex(template: BodyTemplate, region: BoolArray, amount: float | FloatArray) -> FloatArray:
    """Amounts (V,) of the vertices of a region of faces; vertices on its rim get the part of their faces inside."""
    values = np.repeat(np.where(region, amount, 0.0), 3)
    corners = template.faces.ravel()
    count = np.bincount(corners, minlength=len(template.v_template))
    return np.bincount(corners, values, minlength=len(template.v_template)) / np.maximum(count, 1)


def _vertex_normals(template: BodyTemplate, vertices: FloatArray) -> FloatArray:
    corners = vertices[template.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack([np.bincount(template.faces.ravel(), np.repeat(normals[:, axis], 3), minlength=len(vertices)) for axis in range(3)], 1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
