"""MoveNet: its maps are read as its heads mean them, and the released weights fit the network."""

import av
import cv2
import numpy as np
import pytest
import torch

from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.files.model_files import model_file
from blender_meshrec.core.skeletons import COCO17
from blender_meshrec.methods.movenet import CELLS, SIDE, WEIGHTS_FILE, MoveNet, decode, find_keypoints, load_movenet, read_movenet
from scripts import ROOT
from scripts.assets.movenet_weights import layer_names, read_numbers, renamed_weights

WRIST = COCO17.index("left_wrist")


def empty_maps(count=1):
    """Maps of `MoveNet` in which nothing is seen."""
    return tuple(torch.full((count, channels, CELLS, CELLS), value) for channels, value in ((17, -9.0), (1, -9.0), (34, 0.0), (34, 0.0)))


def test_a_keypoint_is_its_cell_and_the_offset_within_it():
    keypoints, centre, from_centre, offsets = empty_maps()
    centre[0, 0, 30, 34] = 5.0
    from_centre[0, 2 * WRIST : 2 * WRIST + 2, 30, 34] = torch.tensor([-10.0, 4.0])  # y, x: expected in cell (20, 38)
    keypoints[0, WRIST, 21, 38] = 0.0
    offsets[0, 2 * WRIST : 2 * WRIST + 2, 21, 38] = torch.tensor([0.25, 0.5])
    found = decode(keypoints, centre, from_centre, offsets)[0, WRIST]
    assert found.tolist() == pytest.approx([38.5 / CELLS, 21.25 / CELLS, 0.5])


def test_of_two_people_the_one_in_the_middle_counts_and_of_two_wrists_the_one_where_it_is_expected():
    keypoints, centre, from_centre, offsets = empty_maps(2)
    centre[:, 0, 32, 30], centre[:, 0, 32, 60] = 2.0, 4.0
    from_centre[:, 2 * WRIST + 1, 32, 30] = -10.0
    keypoints[:, WRIST, 32, 20], keypoints[:, WRIST, 32, 50] = 1.0, 3.0
    found = decode(keypoints, centre, from_centre, offsets)
    assert found[:, WRIST, 0].tolist() == pytest.approx([20 / CELLS] * 2)


def test_the_network_halves_the_picture_as_tensorflow_does_and_has_a_map_of_each_head():
    maps = MoveNet().eval()(torch.zeros(2, 3, SIDE, SIDE))
    assert [tuple(found.shape) for found in maps] == [(2, channels, CELLS, CELLS) for channels in (17, 1, 34, 34)]


def test_every_weight_of_the_network_is_one_of_the_released_file():
    parameters = MoveNet().state_dict()
    names = [(f"{name}.{part}", source) for name, pair in layer_names() for part, source in zip(("weight", "bias"), pair) if source]
    assert sorted(name for name, _source in names) == sorted(parameters)
    assert len({source for _name, source in names}) == len(names)
    stored = {}
    for name, source in names:
        shape = tuple(parameters[name].shape)
        if len(shape) == 4:
            shape = (*shape[2:], *((shape[0], 1) if shape[1] == 1 and shape[2] == 3 else (shape[1], shape[0])))
        stored[source] = np.arange(np.prod(shape), dtype=np.float16).reshape(shape)
    renamed = dict(renamed_weights(stored))
    assert {name: values.shape for name, values in renamed.items()} == {name: tuple(value.shape) for name, value in parameters.items()}
    source = dict(names)["laterals.0.weight"]
    assert np.array_equal(renamed["laterals.0.weight"][3, 5, 0, 0], stored[source][0, 0, 5, 3])


def test_numbers_are_read_from_where_they_lie_in_the_file():
    entries = [
        {"name": "a", "dtype": "float32", "shape": [2], "quantization": {"dtype": "float16"}},
        {"name": "count", "dtype": "int32", "shape": [1]},
        {"name": "b", "dtype": "float32", "shape": [1, 2]},
    ]
    content = np.float16([1, 2]).tobytes() + np.int32([7]).tobytes() + np.float32([3, 4]).tobytes()
    found = read_numbers({"weightsManifest": [{"weights": entries}]}, content)
    assert {name: values.tolist() for name, values in found.items()} == {"a": [1, 2], "b": [[3, 4]]}


def test_another_networks_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match="missing"):
        read_movenet(tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match="not MoveNet of this version"):
        read_movenet(model_file("contacts.safetensors"))


def test_the_released_network_sees_the_figure_of_the_demo_clip_and_its_mirror_image():
    try:
        model_file(WEIGHTS_FILE)
    except ModelError:
        pytest.skip("MoveNet is not installed")
    with av.open(str(ROOT / "scripts" / "demo_clip.mp4")) as clip:
        picture = next(clip.decode(video=0)).to_ndarray(format="rgb24")
    height, width = picture.shape[:2]
    crop = cv2.resize(picture[:, (width - height) // 2 :][:, :height], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    found, mirrored = find_keypoints(load_movenet(), np.stack([crop, crop[:, ::-1]]))
    swapped = [COCO17.index(name.replace("left", "R").replace("right", "left").replace("R", "right")) for name in COCO17]
    sure = (found[:, 2] > 0.4) & (mirrored[swapped, 2] > 0.4)
    assert sure.sum() >= 10
    assert np.abs(found[:, :2] - [1, 0] - mirrored[swapped, :2] * [-1, 1])[sure].max() < 0.03
    assert (found[[5, 6], 1] < found[[11, 12], 1]).all() and (found[[11, 12], 1] < found[[15, 16], 1]).all()  # shoulders, hips, ankles
