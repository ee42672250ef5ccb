"""The image methods: a released network, the body that its answer poses, and the crop that it takes.

Each gives a CropRegression, whatever it regresses: HMR2.0 and SPIN SMPL's rotations, HSMR SKEL's angles, DecoMR vertices.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from ...bodies import network_file
from ...bodies.joint_projector import JointProjector
from ...bodies.make_body import make_body
from ...bodies.open_body_uv import open_body_uv
from ...bodies.skel import Skel
from ...bodies.smpl import Smpl
from ...bodies.uv_map import UvLayout, vertices_from_map
from ...bridge.messages import ReconstructRequest
from ...core.array_types import AnyArray, FloatArray, ImageArray
from ...core.body_landmarks import SMPL_VERTICES
from ...core.crop_regression import CropRegression
from ...core.errors import ModelError
from ...core.files.body_template import load_body
from ...core.files.model_files import model_file
from ...core.files.user_checkpoints import REFERENCE_MAP, UV_TEMPLATE
from ...core.files.user_models import user_checkpoint, user_checkpoints
from ...core.released_models import SYSTEMS_BY_METHOD
from ...core.skel.template import load_skel
from ...core.skel.vocabulary import SKEL_JOINTS
from ...core.skeletons import H36M17, h36m17_weights_from_names
from ...methods import decomr_small
from ...methods.decomr import Decomr
from ...methods.hkmr import MirrorAverage, load_hkmr
from ...methods.hmr2 import Hmr2
from ...methods.hsmr_network import HsmrNetwork
from ...methods.image_networks import crops
from ...methods.skel_to_smpl import smpl_rotmats_of_bones
from ...methods.spin import Spin
from .mesh_armature import MeshArmature

Network = TypeVar("Network", bound=nn.Module)
NUM_SMPL_VERTICES = 6890
# A detector's box lies around the person's outline, ours around keypoints and the top of the head: by this factor wider. Ours.
OUTLINE_SCALE = 1.1
_SKEL_NAMES = {"femur": "hip", "tibia": "knee", "talus": "ankle", "humerus": "shoulder", "ulna": "elbow", "hand": "wrist"}
# SKEL's joints by h36m17's names, where they have one, then nose and top of the head.
_SKEL_POINTS = (
    *(f"{'left' if name.endswith('_l') else 'right'}_{_SKEL_NAMES.get(name[:-2], name)}" for name in SKEL_JOINTS), "nose", "head_top",
)  # fmt: skip


class ImageMethod(ABC):
    """A released network with its body. Use `open_image_method`."""

    def __init__(self, request: ReconstructRequest, checkpoint: Path, device: torch.device) -> None:
        self.request, self.checkpoint, self.device = request, checkpoint, device

    @abstractmethod
    def load(self) -> nn.Module:
        """The network with the checkpoint's weights."""

    @abstractmethod
    def cut(self, image: ImageArray, box: FloatArray) -> tuple[AnyArray, FloatArray]:
        """The crop (S,S,3), 0..255, of a person's box (4,) px in a picture (H,W,3), and its square (3,) px."""

    def run(self, network: nn.Module, images: torch.Tensor) -> Any:
        """The network's output; in half precision on NVIDIA's cards, which compute it faster."""
        with torch.autocast(self.device.type, torch.float16, enabled=self.device.type == "cuda"):
            return network(images)

    @abstractmethod
    def regress(self, network: nn.Module, images: torch.Tensor, squares: FloatArray) -> CropRegression:
        """What the network gives for normalised crops (N,3,S,S) and their squares (N,3)."""

    def regress_beside_keypoints(
        self, network: nn.Module, images: torch.Tensor, squares: FloatArray, keypoints: FloatArray
    ) -> CropRegression:
        """The same, for networks that see the detector's keypoints, too: (N,17,3), h36m17, px of the picture and confidence."""
        return self.regress(network, images, squares)


def open_image_method(request: ReconstructRequest, device: torch.device) -> ImageMethod:
    """The image method that a request names: with the user's checkpoint, else with the weights that ship.

    Raises:
        ModelError: its checkpoint or body is not there, or of another kind.
    """
    try:
        checkpoint = user_checkpoint(request.method)
    except ModelError:
        if request.method not in OWN_METHODS:
            raise
        return OWN_METHODS[request.method](request, device)
    return IMAGE_METHODS[request.method](request, checkpoint, device)


def is_image_method(method: str) -> bool:
    """Whether an Estimator of the catalogue looks at the picture. Some do with a checkpoint that the user has added alone."""
    return method in OWN_METHODS or (
        method in IMAGE_METHODS and (method not in KEYPOINT_METHODS or any(kind == method for _path, kind in user_checkpoints().values()))
    )


# --- the methods ------------------------------------------------------------------------------------------------------


class _SmplMethod(ImageMethod):
    """A network that regresses SMPL's rotations and betas."""

    network_class: Callable[[], nn.Module]

    def __init__(self, request: ReconstructRequest, checkpoint: Path, device: torch.device) -> None:
        super().__init__(request, checkpoint, device)
        self.body = _smpl_body(request, device)

    def load(self) -> nn.Module:
        return load_released(self.network_class, self.checkpoint, request_label(self.request))

    def regress(self, network: nn.Module, images: torch.Tensor, squares: FloatArray) -> CropRegression:
        found = self.run(network, images)
        rotmats, betas = found.rotmats.float(), found.betas.float()
        joints = self.body.h36m17(betas, rotmats[:, 0], rotmats[:, 1:])
        return _regression(joints, betas, found.camera, squares, rotmats)


class Hmr2Method(_SmplMethod):
    """HMR2.0."""

    network_class = Hmr2

    def cut(self, image: ImageArray, box: FloatArray) -> tuple[AnyArray, FloatArray]:
        square = crops.transformer_square(widened(box))
        return crops.smoothed_crop(image, square), square


class SpinMethod(_SmplMethod):
    """SPIN."""

    network_class = Spin

    def cut(self, image: ImageArray, box: FloatArray) -> tuple[AnyArray, FloatArray]:
        square = crops.resnet_square(box)
        return crops.stretched_crop(image, square), square


class HsmrMethod(ImageMethod):
    """HSMR."""

    def __init__(self, request: ReconstructRequest, checkpoint: Path, device: torch.device) -> None:
        super().__init__(request, checkpoint, device)
        if request.skel_body == "open":
            raise ModelError(
                "method-needs-skel",
                "{method} needs your SKEL file.",
                "Give it with --skel FILE (docs/models.md says where it is from), or choose another method.",
                method=request_label(request),
            )
        self.body = Skel(load_skel(request.skel_body), device)
        self.points = self.body.subset(_head_vertices(self.body))
        self.weights = torch.as_tensor(h36m17_weights_from_names(_SKEL_POINTS), dtype=torch.float32, device=device)

    def load(self) -> nn.Module:
        return load_released(HsmrNetwork, self.checkpoint, request_label(self.request))

    def cut(self, image: ImageArray, box: FloatArray) -> tuple[AnyArray, FloatArray]:
        square = crops.transformer_square(widened(box))
        return crops.whole_pixel_crop(image, square), square

    def regress(self, network: nn.Module, images: torch.Tensor, squares: FloatArray) -> CropRegression:
        found = self.run(network, images)
        posed = self.body(found.q.float(), found.betas.float(), skin=self.points)
        joints = self.weights @ torch.cat([posed.joints, posed.vertices], 1)
        return _regression(joints, found.betas, found.camera, squares, smpl_rotmats_of_bones(posed.rotations), found.q)


class DecomrMethod(ImageMethod):
    """DecoMR."""

    def __init__(self, request: ReconstructRequest, checkpoint: Path, device: torch.device) -> None:
        super().__init__(request, checkpoint, device)
        body = _smpl_body(request, device)
        if len(body.template.v_template) != NUM_SMPL_VERTICES:
            raise _needs_smpl(request)
        self.projector = JointProjector(body).h36m17_image
        template = network_file.read_weights(user_checkpoint(UV_TEMPLATE))
        vertices = template["vertex_of_texcoord"].numpy().astype(np.int64)
        self.layout = UvLayout(template["texcoords"].numpy(), vertices)
        self.reference = network_file.read_weights(user_checkpoint(REFERENCE_MAP))["ref_map"].permute(0, 3, 1, 2)

    def load(self) -> nn.Module:
        network = load_released(Decomr, self.checkpoint, request_label(self.request))
        network.LNet.ref_map = self.reference
        return network

    def cut(self, image: ImageArray, box: FloatArray) -> tuple[AnyArray, FloatArray]:
        square = crops.resnet_square(box)
        return crops.stretched_crop(image, square), square

    def regress(self, network: nn.Module, images: torch.Tensor, squares: FloatArray) -> CropRegression:
        assert isinstance(network, Decomr)
        output = self.run(network, images)
        joints = self.projector @ network.vertices(output, self.layout)
        return _regression(joints, joints.new_zeros(len(joints), 10), output.camera, squares)


class OwnDecomrMethod(ImageMethod):
    """DecoMR with the weights that ship, for the open body; whatever body the request has, joints and rotations are the same."""

    def __init__(self, request: ReconstructRequest, device: torch.device) -> None:
        super().__init__(request, model_file(decomr_small.WEIGHTS_FILE), device)
        self.armature, self.layout = MeshArmature(make_body(load_body(), device)), open_body_uv()
        self.start = decomr_small.StartPose(MirrorAverage(load_hkmr(str(device))), device)

    def load(self) -> nn.Module:
        return decomr_small.read_decomr(self.checkpoint)

    def cut(self, image: ImageArray, box: FloatArray) -> tuple[AnyArray, FloatArray]:
        square = crops.resnet_square(box)
        return crops.stretched_crop(image, square, decomr_small.CROP_SIZE), square

    def regress(self, network: nn.Module, images: torch.Tensor, squares: FloatArray) -> CropRegression:
        return self.regress_beside_keypoints(network, images, squares, np.zeros((len(squares), len(H36M17), 3)))

    def regress_beside_keypoints(
        self, network: nn.Module, images: torch.Tensor, squares: FloatArray, keypoints: FloatArray
    ) -> CropRegression:
        points = decomr_small.points_in_crops(keypoints, squares)
        output = network(self.start.crops(images, torch.as_tensor(points, dtype=images.dtype, device=images.device)))
        vertices = vertices_from_map(output.location_map, self.layout)
        rotmats, betas = self.armature(vertices)
        return _regression(self.armature.projector.h36m17_image @ vertices, betas, output.camera, squares, rotmats)


IMAGE_METHODS: dict[str, type[ImageMethod]] = {"hmr2": Hmr2Method, "hsmr": HsmrMethod, "spin": SpinMethod, "decomr": DecomrMethod}


# Methods whose weights that ship see keypoints and silhouettes instead (keypoint_hsmr.py).
KEYPOINT_METHODS = ("hsmr",)
# Methods that run without a checkpoint of the user's, too, with weights that ship; PC-HMR's generator is always that one.
OWN_METHODS: dict[str, Callable[[ReconstructRequest, torch.device], ImageMethod]] = {
    "decomr": OwnDecomrMethod, "pc-hmr-decomr": OwnDecomrMethod,
}  # fmt: skip


# --- parts ------------------------------------------------------------------------------------------------------------


def load_released(make: Callable[[], Network], checkpoint: Path, label: str) -> Network:
    """A network with the weights of a kept checkpoint, in evaluation mode; it takes their memory once. Raises ModelError."""
    with torch.device("meta"):  # parameters without memory, which the weights replace
        network = make()
    weights = dict(network_file.read_weights(checkpoint))
    expected = {name: tensor.shape for name, tensor in network.state_dict().items() if tensor.is_floating_point()}
    if expected != {name: tensor.shape for name, tensor in weights.items()}:
        raise ModelError(
            "checkpoint-of-another-version",
            "The kept checkpoint of {method} is damaged.",
            "Add it again: `meshrec models add FILE`.",
            method=label,
        )
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            weights[name] = torch.zeros(tensor.shape, dtype=tensor.dtype)
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def request_label(request: ReconstructRequest) -> str:
    """The name of a request's method, as its authors write it; that of the generator of PC-HMR's."""
    return SYSTEMS_BY_METHOD[request.method.removeprefix("pc-hmr-")].label


def widened(box: FloatArray, scale: float = OUTLINE_SCALE) -> FloatArray:
    """A box (4,) scaled about its centre."""
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * scale
    return np.concatenate([centre - half, centre + half])


def _smpl_body(request: ReconstructRequest, device: torch.device) -> Smpl:
    """The SMPL body of a request. Raises ModelError: it has none."""
    template = load_body(request.body)
    if template.surface_model_type != "smpl":
        raise _needs_smpl(request)
    return make_body(template, device)


def _needs_smpl(request: ReconstructRequest) -> ModelError:
    return ModelError(
        "method-needs-smpl",
        "{method} needs your SMPL file.",
        "Give it with --body FILE (docs/models.md says where it is from), or choose another method.",
        method=request_label(request),
    )


def _head_vertices(body: Skel) -> list[int]:
    """Nose and top of the head on a SKEL skin; the head's foremost and highest vertex where it is not of SMPL's topology."""
    rest = body.template.v_template
    if len(rest) == NUM_SMPL_VERTICES:
        return [SMPL_VERTICES["nose"], SMPL_VERTICES["head_top"]]
    head = np.flatnonzero(body.template.lbs_weights.argmax(1) == SKEL_JOINTS.index("head"))
    head = head if len(head) else np.arange(len(rest))
    return [int(head[rest[head, axis].argmax()]) for axis in (2, 1)]


def _regression(
    joints: torch.Tensor,
    betas: torch.Tensor,
    camera: torch.Tensor,
    squares: FloatArray,
    rotmats: torch.Tensor | None = None,
    q: torch.Tensor | None = None,
) -> CropRegression:
    """A CropRegression of tensors; joints (N,17,3) of any origin."""
    count = len(joints)
    numbers: list[Any] = [(joints - joints[:, :1]), joints.new_zeros(count, 24, 3, 3) if rotmats is None else rotmats, betas, camera]
    arrays = [part.cpu().double().numpy() for part in numbers]
    angles = None if q is None else q.cpu().double().numpy()
    return CropRegression(*arrays, squares=squares, has_rotmats=np.full(count, rotmats is not None), known=np.ones(count, bool), q=angles)
