"""The looks whose textures `texture.py` films: one made to be hard, and outfits as people wear them, known texel by texel."""

import numpy as np

from blender_meshrec.backend.texture.rasterise import rasterise
from blender_meshrec.backend.texture.surface import Surface
from blender_meshrec.core.array_types import FloatArray, ImageArray
from blender_meshrec.core.files.body_template import BodyTemplate
from scripts.train.data.filmed_bodies.wardrobe import dress

STRIPES = "stripes and checks"
# Of the random outfits that the detector's training films wear, some with patterns, named by what they are: the number draws them.
OUTFITS = {"pink T-shirt, jeans": 3, "hoops, shorts": 2, "striped T-shirt, trousers": 4}
LOOKS = (STRIPES, *OUTFITS)
FOLDERS = {STRIPES: "stripes", **{name: f"outfit{number}" for name, number in OUTFITS.items()}}
TRUE_SIZE = 2048


def true_texture(look: str, surface: Surface, template: BodyTemplate, betas: FloatArray) -> ImageArray:
    """The texture (S,S,3) of one of LOOKS for a body of a shape `betas`."""
    return _stripes(surface, template) if look == STRIPES else _outfit(OUTFITS[look], surface, template, betas)


def _outfit(number: int, surface: Surface, template: BodyTemplate, betas: FloatArray) -> ImageArray:
    """Skin, hair, face, shirt, trousers and shoes: each triangle of the skin in one colour."""
    outfit = dress(np.random.default_rng(number), template, betas)
    corners = (np.asarray(surface.vt, float) * [TRUE_SIZE, -TRUE_SIZE] + [0, TRUE_SIZE])[surface.ft]
    triangles = rasterise(corners, (TRUE_SIZE, TRUE_SIZE)).triangles
    colours = (255 * outfit.colours).round().astype(np.uint8)
    return np.where((triangles >= 0)[..., None], colours[triangles.clip(0)], np.uint8(128))


def _stripes(surface: Surface, template: BodyTemplate) -> ImageArray:
    """Clothes of stripes and checks in strong colours, alike wherever the UV map is cut."""
    texels = surface.texels(TRUE_SIZE)
    at_rest = texels.interpolate(surface.vertices)
    parts = np.zeros(len(surface.vertices), np.int64)
    if template.face_parts is not None:
        parts[surface.faces.ravel()] = np.repeat(np.asarray(template.face_parts), 3)
    part = parts[texels.vertices[np.arange(len(texels)), texels.weights.argmax(1)]]
    stripe = (at_rest[:, 1] // 0.05).astype(int) % 2
    check = ((at_rest // 0.09).astype(int).sum(1)) % 2
    pairs = {
        "skin": ((205, 160, 135), (196, 148, 122)), "hair": ((58, 40, 30), (82, 58, 40)), "shirt": ((235, 230, 220), (30, 60, 140)),
        "trousers": ((160, 40, 36), (46, 44, 52)), "shoes": ((240, 240, 240), (20, 20, 20)),
    }  # fmt: skip
    colours = np.zeros((len(texels), 3))
    for number, name in enumerate(template.part_names):
        first, second = (np.array(colour) for colour in pairs[name])
        chosen = (stripe if name == "shirt" else check)[part == number, None]
        colours[part == number] = np.where(chosen == 0, first, second)
    picture = np.full((TRUE_SIZE * TRUE_SIZE, 3), 128, np.uint8)
    picture[texels.index] = colours
    return picture.reshape(TRUE_SIZE, TRUE_SIZE, 3)
