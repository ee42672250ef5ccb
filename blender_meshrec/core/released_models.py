"""The published systems whose released checkpoints users may bring: how a checkpoint is recognised and checked, and what else it needs.

Nothing is downloaded: every checkpoint has its own licence, and most are for research alone.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from .errors import ModelError
from .files.torch_checkpoint import StoredTensor
from .messages import Message
from .network_layouts import Layout, Shape, decomr_layout, hmr2_layout, hsmr_layout, spin_layout, videopose3d_layout
from .skeletons import COCO17, H36M17

SYSTEM_NOTE, KEYPOINTS_NOTE = "meshrec_system", "keypoints"  # notes in the kept copy
_MAX_CONVOLUTIONS = 6  # of VideoPose3D; five see 243 frames
KEYPOINT_NAMES = {"coco17": COCO17, "h36m17": H36M17}


class Tensor(Protocol):
    """What is checked of a tensor."""

    shape: tuple[int, ...]

    @property
    def is_float(self) -> bool: ...


@dataclass(frozen=True)
class ReleasedSystem:
    """A published system.

    method: its name in the catalogue. label: its own. prefixes: of the parameters of its network, by which it is recognised; "" where
    they have none. layout: the parameters that a checkpoint must have, given those it has.
    needs: what else the method needs, each a sentence's part.
    """

    method: str
    label: str
    prefixes: tuple[str, ...]
    layout: Callable[[Collection[str]], Layout]
    needs: tuple[str, ...] = ()


def _videopose3d_layout(names: Collection[str]) -> Layout:
    """The layout of as many convolutions as the checkpoint has."""
    layers = [name for name in names if name.startswith("model_pos.layers_conv.") and name.endswith(".weight")]
    num_layers = min(max(len(layers) // 2 + 1, 2), _MAX_CONVOLUTIONS)
    return videopose3d_layout(num_layers, any(name.startswith("model_traj.") for name in names))


SMPL_NEED = "your SMPL file (--body FILE)"
SKEL_NEED = "your SKEL file (--skel FILE)"
UV_NEED = "DecoMR's smpl_boundry_free_template.obj and BF_ref_map_64.npy (models add FILE)"
SYSTEMS = (
    ReleasedSystem("hmr2", "HMR2.0", ("backbone.", "smpl_head."), lambda names: hmr2_layout(), (SMPL_NEED,)),
    ReleasedSystem("hsmr", "HSMR", ("backbone.", "head."), lambda names: hsmr_layout(), (SKEL_NEED,)),
    ReleasedSystem("spin", "SPIN", ("",), lambda names: spin_layout(), (SMPL_NEED,)),
    ReleasedSystem("decomr", "DecoMR", ("CNet.", "LNet."), lambda names: decomr_layout(), (SMPL_NEED, UV_NEED)),
    ReleasedSystem("videopose3d", "VideoPose3D", ("model_pos.", "model_traj."), _videopose3d_layout),
)
SYSTEMS_BY_METHOD = {system.method: system for system in SYSTEMS}
# Parameters of which any tells a system.
_MARKS = {
    "hmr2": ("smpl_head.",), "hsmr": ("head.",), "decomr": ("CNet.", "LNet."), "videopose3d": ("model_pos.",),
    "spin": ("decpose.", "decshape.", "init_pose"),
}  # fmt: skip
# Of checkpoints with several networks, those that make one of ours; of others, the table of parameters.
_NETWORKS = (("CNet", "LNet"), ("model_pos", "model_traj"))
_TABLES = ("state_dict", "model")


class Recognised(NamedTuple):
    """A checkpoint that is whole: its system, the tensors that its network needs, by name, and notes for the kept copy."""

    system: ReleasedSystem
    tensors: Mapping[str, Any]
    notes: Mapping[str, str]


def named_tensors(content: object) -> dict[str, StoredTensor]:
    """The tensors of a PyTorch checkpoint by name; of several networks with the network's name before. Empty where there are none."""
    if not isinstance(content, dict):
        return {}
    for names in _NETWORKS:
        if isinstance(content.get(names[0]), dict):
            networks = {name: content[name] for name in names if isinstance(content.get(name), dict)}
            return {f"{name}.{key}": tensor for name, table in networks.items() for key, tensor in _tensors(table)}
    table = next((content[name] for name in _TABLES if isinstance(content.get(name), dict)), content)
    return dict(_tensors(table))


def _tensors(table: Mapping[Any, Any]) -> list[tuple[str, StoredTensor]]:
    """Names and tensors of a table, without the prefix that training on several devices leaves."""
    found = [(key, value) for key, value in table.items() if isinstance(key, str) and isinstance(value, StoredTensor)]
    is_parallel = bool(found) and all(key.startswith("module.") for key, _value in found)
    return [(key.removeprefix("module."), value) for key, value in found] if is_parallel else found


def recognise(tensors: Mapping[str, Tensor], file_name: str) -> Recognised:
    """Tell the system of a checkpoint's tensors, and check that every parameter of its network is there in the right shape.

    Raises:
        ModelError: it is of none of SYSTEMS, or a parameter is missing, of another shape, no number, or one too many.
    """
    system = next((entry for entry in SYSTEMS if any(name.startswith(_MARKS[entry.method]) for name in tensors)), None)
    if system is None:
        raise ModelError(
            "checkpoint-unknown",
            "{name} is not a checkpoint that MeshRec knows.",
            "Add a released checkpoint of {known}.",
            name=file_name,
            known=[entry.label for entry in SYSTEMS],
        )
    layout = system.layout(tensors.keys())
    for name, shape in layout.items():
        _check_tensor(system, file_name, name, shape, tensors.get(name))
    own_prefixes = tuple(prefix for prefix in system.prefixes if prefix)
    if extra := _further_parameters(own_prefixes, layout, tensors):
        raise _wrong_checkpoint(system, file_name, Message("checkpoint-has-more", "{key} is no part of that network", key=extra[0]))
    return Recognised(system, {name: tensors[name] for name in layout}, {SYSTEM_NOTE: system.method, **_notes(system, file_name, tensors)})


def _further_parameters(prefixes: tuple[str, ...], layout: Layout, names: Collection[str]) -> list[str]:
    """Parameters with a network's prefixes that are not in its layout; counts of batches are no parameters."""
    own = [name for name in names if prefixes and name.startswith(prefixes)]
    return [name for name in own if name not in layout and not name.endswith("num_batches_tracked")]


def _notes(system: ReleasedSystem, file_name: str, tensors: Collection[str]) -> dict[str, str]:
    """Notes for the kept copy. Of VideoPose3D, the keypoints that it takes: the files do not say.

    Of the released ones, that for COCO's keypoints ("pretrained_h36m_detectron_coco.bin") has the hip's path, or tells by its name.
    """
    if system.method != "videopose3d":
        return {}
    has_path = any(name.startswith("model_traj.") for name in tensors)
    is_coco = "coco" in file_name.lower() or (has_path and not any(word in file_name.lower() for word in ("cpn", "_gt", "h36m17")))
    return {KEYPOINTS_NOTE: "coco17" if is_coco else "h36m17"}


def _check_tensor(system: ReleasedSystem, file_name: str, name: str, shape: Shape, found: Tensor | None) -> None:
    if found is None:
        raise _wrong_checkpoint(system, file_name, Message("checkpoint-key-missing", "{key} is missing in it", key=name))
    if tuple(found.shape) != shape:
        text = "{key} has the size {found} in place of {expected}"
        sizes = {"found": _size_text(found.shape), "expected": _size_text(shape)}
        raise _wrong_checkpoint(system, file_name, Message("checkpoint-key-size", text, key=name, **sizes))
    if not found.is_float:
        raise _wrong_checkpoint(system, file_name, Message("checkpoint-key-no-float", "{key} holds whole numbers", key=name))


def _size_text(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"


def _wrong_checkpoint(system: ReleasedSystem, file_name: str, reason: Message) -> ModelError:
    return ModelError(
        "checkpoint-not-as-released",
        "{name} looks like a checkpoint of {system}, but {reason}.",
        "Use the file as its official site delivers it.",
        name=file_name,
        system=system.label,
        reason=reason,
    )
