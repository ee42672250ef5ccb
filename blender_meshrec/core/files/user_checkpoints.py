"""Released checkpoints that users add: checked, copied as plain numbers, and found again by their method.

The kept copy holds only the parameters of the network, in single precision (files/safetensors.py): it is read without any program, and
is the same whatever the container of the original was.
"""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..array_types import FloatArray
from ..errors import ModelError
from ..released_models import SYSTEM_NOTE, SYSTEMS_BY_METHOD, Recognised, Tensor, named_tensors, recognise
from .input_file import refuse_special_file
from .output_file import atomic_write
from .read_errors import file_not_readable
from .safetensors import TensorEntry, read_tensor, read_tensor_table, write_tensors
from .torch_checkpoint import damaged_checkpoint, open_torch_checkpoint
from .uv_template import read_reference_map, read_uv_template

KEPT_SUFFIX = ".safetensors"
CHECKPOINT_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin", ".safetensors")
COMPANION_SUFFIXES = (".obj", ".npy")
UV_TEMPLATE, REFERENCE_MAP = "decomr-uv", "decomr-reference"  # DecoMR's data files, as a kept copy calls its content
# How a PyTorch checkpoint begins, in the container that is no zip: protocol 2, and the number that marks it.
_LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def kept_checkpoints(folder: Path) -> dict[str, tuple[Path, str]]:
    """Name -> path, and method or companion, of the copies kept in a folder, sorted by name; damaged ones are left out."""
    found: dict[str, tuple[Path, str]] = {}
    for path in sorted(folder.glob(f"*{KEPT_SUFFIX}")) if folder.is_dir() else ():
        try:
            kind = read_tensor_table(path).notes.get(SYSTEM_NOTE, "")
        except (OSError, ValueError, ModelError):
            continue
        if kind in SYSTEMS_BY_METHOD or kind in (UV_TEMPLATE, REFERENCE_MAP):
            found[path.stem] = path, kind
    return found


def kept_checkpoint_of(folder: Path, kind: str) -> Path:
    """The kept copy of a method or companion: that of its own name, else the one added last. Raises ModelError: there is none."""
    kept = [path for path, other in kept_checkpoints(folder).values() if other == kind]
    if kept:
        return max(kept, key=lambda path: (path.stem == kind, path.stat().st_mtime))
    if kind not in SYSTEMS_BY_METHOD:
        raise ModelError(
            "decomr-data-missing",
            "DecoMR needs its data file {file}, which is not there.",
            "Add it: `meshrec models add FILE`; docs/methods.md says where it is from.",
            file="smpl_boundry_free_template.obj" if kind == UV_TEMPLATE else "BF_ref_map_64.npy",
        )
    raise ModelError(
        "checkpoint-not-added",
        "{system} needs its released checkpoint, which is not there.",
        "Add it: `meshrec models add FILE`; docs/methods.md says where it is from.",
        system=SYSTEMS_BY_METHOD[kind].label,
    )


def is_checkpoint(path: Path) -> bool:
    """Whether a file is to be read as a checkpoint or its companion: by its suffix, or as PyTorch's files begin."""
    if path.suffix.lower() in (*CHECKPOINT_SUFFIXES, *COMPANION_SUFFIXES):
        return True
    try:
        refuse_special_file(path, ModelError)
        with path.open("rb") as file:
            start = file.read(len(_LEGACY_START))
        if start == _LEGACY_START:
            return True
        if not start.startswith(b"PK"):
            return False
        with zipfile.ZipFile(path) as archive:
            return any(name.rpartition("/")[2] == "data.pkl" for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, ModelError):
        return False


def add_checkpoint(path: Path, name: str | None, folder: Path) -> tuple[str, str]:
    """Check a checkpoint, or one of DecoMR's data files, and keep a copy of it. Nothing in the file is executed.

    Args:
        name: of the copy; by default the method's. A copy of the same name is replaced.

    Returns:
        the name, and the method that uses it, UV_TEMPLATE or REFERENCE_MAP.

    Raises:
        ModelError: the file is damaged, of another network, or asks for something that no checkpoint needs. OutputError: the folder
            cannot be written.
    """
    match path.suffix.lower():
        case ".obj":
            template = read_uv_template(path)
            arrays = {"texcoords": template.texcoords, "vertex_of_texcoord": template.vertex_of_texcoord.astype(np.float32)}
            return _keep_arrays(arrays, UV_TEMPLATE, name, folder)
        case ".npy":
            return _keep_arrays({"ref_map": read_reference_map(path)}, REFERENCE_MAP, name, folder)
        case ".safetensors":
            return _add_safetensors(path, name, folder)
    with open_torch_checkpoint(path) as content:
        recognised = recognise(named_tensors(content), path.name)
        return _keep(recognised, path.name, name, folder, lambda key: recognised.tensors[key].read())


def _add_safetensors(path: Path, name: str | None, folder: Path) -> tuple[str, str]:
    try:
        table = read_tensor_table(path)
    except OSError as error:
        raise file_not_readable(path, error) from error
    except ValueError as error:
        raise damaged_checkpoint(path.name, "its table of contents does not fit") from error
    recognised = recognise({key: _Listed(entry) for key, entry in table.tensors.items()}, path.name)
    if table.notes.get(SYSTEM_NOTE) in SYSTEMS_BY_METHOD:  # a copy that was kept before, which knows more than a file name
        recognised = recognised._replace(notes=table.notes)
    with path.open("rb") as file:
        return _keep(recognised, path.name, name, folder, lambda key: np.asarray(read_tensor(file, table, key), np.float32))


class _Listed(Tensor):
    """What is checked of a tensor in a table."""

    def __init__(self, entry: TensorEntry) -> None:
        self.shape, self._kind = entry.shape, entry.kind

    @property
    def is_float(self) -> bool:
        return self._kind in ("F64", "F32", "F16", "BF16")


def _keep(recognised: Recognised, file_name: str, name: str | None, folder: Path, read: Callable[[str], FloatArray]) -> tuple[str, str]:
    """Write the kept copy; see `add_checkpoint`."""

    def checked(key: str) -> FloatArray:
        values = read(key)
        if not np.isfinite(values).all():
            raise damaged_checkpoint(file_name, "it holds values that are no numbers")
        return values

    name = name or recognised.system.method
    shapes = {key: tuple(tensor.shape) for key, tensor in recognised.tensors.items()}
    with atomic_write(folder / f"{name}{KEPT_SUFFIX}") as temporary:
        write_tensors(temporary, shapes, checked, recognised.notes)
    return name, recognised.system.method


def _keep_arrays(arrays: Mapping[str, FloatArray], kind: str, name: str | None, folder: Path) -> tuple[str, str]:
    """Keep one of DecoMR's data files."""
    name = name or kind
    with atomic_write(folder / f"{name}{KEPT_SUFFIX}") as temporary:
        write_tensors(temporary, {key: values.shape for key, values in arrays.items()}, arrays.__getitem__, {SYSTEM_NOTE: kind})
    return name, kind
