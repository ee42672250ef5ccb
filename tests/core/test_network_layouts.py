"""The layouts of the released networks: those of the networks that read them, and of the published checkpoints."""

import json
from pathlib import Path

import pytest
import torch

from blender_meshrec.core.network_layouts import decomr_layout, hmr2_layout, hsmr_layout, spin_layout, videopose3d_layout
from blender_meshrec.methods.decomr import Decomr
from blender_meshrec.methods.hmr2 import Hmr2
from blender_meshrec.methods.hsmr_network import HsmrNetwork
from blender_meshrec.methods.spin import Spin
from blender_meshrec.methods.videopose3d import VideoPose3D

KEYS = Path(__file__).parents[2].parent / "shared" / "facts" / "checkpoint_keys"
NETWORKS = {
    "hmr2": (hmr2_layout(), {"": Hmr2}),
    "hsmr": (hsmr_layout(), {"": HsmrNetwork}),
    "spin": (spin_layout(), {"": Spin}),
    "decomr": (decomr_layout(), {"": Decomr}),
    "videopose3d": (videopose3d_layout(5, True), {"model_pos.": VideoPose3D, "model_traj.": lambda: VideoPose3D(num_outputs=1)}),
    "videopose3d of 27 frames": (videopose3d_layout(3, False), {"model_pos.": lambda: VideoPose3D(3)}),
}
PUBLISHED = {
    "hmr2": {"": "hmr2_full_vith"},
    "hsmr": {"": "hsmr_full_vith"},
    "spin": {"": "spin_hmr_resnet50"},
    "decomr": {"CNet.": "decomr_CNet_default", "LNet.": "decomr_LNet_default"},
    "videopose3d": {"model_pos.": "videopose3d_243f", "model_traj.": "videopose3d_traj_243f"},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_layout_is_that_of_its_network(name):
    layout, networks = NETWORKS[name]
    found = {}
    with torch.device("meta"):
        for prefix, make in networks.items():
            found |= {prefix + key: tuple(tensor.shape) for key, tensor in make().state_dict().items() if tensor.is_floating_point()}
    assert found == dict(layout)


@pytest.mark.skipif(not KEYS.is_dir(), reason="the published checkpoints' keys are not here")
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_layout_is_that_of_the_published_checkpoint(name):
    published = {}
    for prefix, file in PUBLISHED[name].items():
        keys = json.loads((KEYS / f"{file}.json").read_text())["keys"]
        published |= {prefix + key: tuple(shape) for key, shape, kind in keys if kind == "float32" and not key.startswith("discriminator")}
    assert published == dict(NETWORKS[name][0])
