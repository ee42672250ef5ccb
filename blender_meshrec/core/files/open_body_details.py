"""What belongs to the open body besides SMPL's format: texture coordinates, and the shapes of an average woman and an average man."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..array_types import FloatArray, IntArray
from ..errors import ModelError
from ..frozen_arrays import freeze_arrays
from .body_template import BodyTemplate, load_body
from .model_files import model_file
from .safe_npz import read_arrays

OPEN_BODY_DETAILS = "open_body_details.npz"


@dataclass(frozen=True)
class OpenBodyDetails:
    """vt: (U,2) texture coordinates, 0..1, v upwards. ft: (T,3), those of the corners of each triangle. starts: "female", "male" -> betas
    (10,)."""

    vt: FloatArray
    ft: IntArray
    starts: Mapping[str, FloatArray]

    def __post_init__(self) -> None:
        freeze_arrays(self, {"vt": (np.float32, ("U", 2)), "ft": (np.int64, ("T", 3))})


def load_body_of_start(source: str, start_shape: str) -> BodyTemplate:
    """Load a body as `load_body` does; the open body with the start of an average "female" or "male", where the details know it."""
    template = load_body(source)
    details = load_open_body_details() if template.surface_model_type == "open" else None
    start = None if details is None else details.starts.get(start_shape)
    return template if start is None else replace(template, start_betas=start)


@lru_cache(maxsize=1)
def load_open_body_details() -> OpenBodyDetails | None:
    """Read the details; None where the file is not there, as among the models of an earlier version."""
    try:
        path = model_file(OPEN_BODY_DETAILS)
    except ModelError:
        return None
    arrays = read_arrays(path, ("vt", "ft", "start_names", "start_betas"), ModelError)
    starts = dict(zip(np.ravel(arrays["start_names"]).astype(str).tolist(), np.asarray(arrays["start_betas"], float), strict=True))
    return OpenBodyDetails(arrays["vt"], arrays["ft"], starts)
