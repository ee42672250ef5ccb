"""Released checkpoints: recognised in every container, kept as plain numbers, refused where anything is wrong; nothing is executed."""

import argparse
import collections
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from blender_meshrec.cli import program
from blender_meshrec.core import released_models
from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.files import user_models
from blender_meshrec.core.files.safetensors import read_tensor_table
from blender_meshrec.core.network_layouts import decomr_layout, hmr2_layout, hsmr_layout, spin_layout, videopose3d_layout
from blender_meshrec.core.released_models import named_tensors, recognise
from blender_meshrec.methods.videopose3d import VideoPose3D

LAYOUTS = {
    "hmr2": hmr2_layout(),
    "hsmr": hsmr_layout(),
    "spin": spin_layout(),
    "decomr": decomr_layout(),
    "videopose3d": videopose3d_layout(3, True),
}


class Shaped:
    """A tensor of which only the shape matters."""

    is_float = True

    def __init__(self, shape):
        self.shape = shape


@pytest.fixture(scope="module")
def network():
    """The smallest VideoPose3D, of two convolutions."""
    torch.manual_seed(0)
    return VideoPose3D(2).state_dict()


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setattr(user_models, "data_folder", lambda: tmp_path / "data")
    return tmp_path / "data" / "models"


@pytest.fixture
def save(tmp_path):
    def save(content, name="checkpoint.bin", is_zip=True):
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=is_zip)
        return tmp_path / name

    return save


# --- recognition ---


@pytest.mark.parametrize("method", LAYOUTS)
def test_each_system_is_recognised_by_its_parameters(method):
    tensors = {name: Shaped(shape) for name, shape in LAYOUTS[method].items()}
    found = recognise(tensors, "file")
    assert found.system.method == method and found.tensors.keys() == LAYOUTS[method].keys()


@pytest.mark.parametrize("method", LAYOUTS)
def test_what_belongs_to_training_is_left_out(method):
    tensors = {name: Shaped(shape) for name, shape in LAYOUTS[method].items()}
    further = {"discriminator.D_conv1.bias": Shaped((32,)), "smpl.faces": Shaped((3,)), "skel_model.axis": Shaped((3,))}
    counters = {name.replace("running_var", "num_batches_tracked"): Shaped(()) for name in tensors if name.endswith("running_var")}
    assert recognise({**tensors, **further, **counters}, "file").tensors.keys() == tensors.keys()


@pytest.mark.parametrize("method", LAYOUTS)
def test_a_missing_a_wrong_and_a_further_parameter_are_named(method):
    tensors = {name: Shaped(shape) for name, shape in LAYOUTS[method].items()}
    name = list(tensors)[-1]
    label = released_models.SYSTEMS_BY_METHOD[method].label
    whole = Shaped(tensors[name].shape)
    whole.is_float = False
    for changed in ({name: None}, {name: Shaped((*tensors[name].shape, 2))}, {name: whole}):
        with pytest.raises(ModelError) as caught:
            recognise({key: value for key, value in {**tensors, **changed}.items() if value is not None}, "a.ckpt")
        assert caught.value.name == "checkpoint-not-as-released" and caught.value.exit_code == 4
        assert all(word in caught.value.problem for word in ("a.ckpt", label, name))
    prefix = released_models.SYSTEMS_BY_METHOD[method].prefixes[0]
    if prefix:
        with pytest.raises(ModelError, match="one_more"):
            recognise({**tensors, f"{prefix}one_more.weight": Shaped((1,))}, "a.ckpt")


def test_a_network_of_nobody_is_refused_with_the_list():
    with pytest.raises(ModelError) as caught:
        recognise({"encoder.weight": Shaped((3, 3))}, "a.pt")
    assert caught.value.name == "checkpoint-unknown" and "HMR2.0" in caught.value.remedy and "VideoPose3D" in caught.value.remedy


@pytest.mark.parametrize(
    "name, with_path, keypoints",
    [
        ("pretrained_h36m_cpn.bin", False, "h36m17"),
        ("pretrained_h36m_detectron_coco.bin", True, "coco17"),
        ("mine.bin", True, "coco17"),
        ("mine.bin", False, "h36m17"),
    ],
)
def test_the_keypoints_of_videopose3d_are_told_by_its_path_or_name(name, with_path, keypoints):
    tensors = {key: Shaped(shape) for key, shape in videopose3d_layout(5, with_path).items()}
    assert recognise(tensors, name).notes["keypoints"] == keypoints


# --- containers ---


@pytest.mark.parametrize("is_zip", [True, False])
def test_both_of_pytorchs_containers_are_kept_as_the_same_numbers(models, save, network, is_zip):
    settings = argparse.Namespace(lr=0.1)
    extras = {"epoch": 80, "random_state": np.random.RandomState(0), "optimizer": {"state": {0: {"step": 3}}}, "args": settings}
    path = save({"model_pos": network, "model_traj": None, **extras}, is_zip=is_zip)
    assert user_models.add_user_model(path) == ("videopose3d", "videopose3d")
    assert [entry.name for entry in models.iterdir()] == ["videopose3d.safetensors"]
    kept = load_file(models / "videopose3d.safetensors")
    assert kept.keys() == {f"model_pos.{key}" for key, value in network.items() if value.is_floating_point()}
    assert all(torch.equal(kept[f"model_pos.{key}"], value) for key, value in network.items() if value.is_floating_point())


def test_parameters_views_and_other_precisions_are_read(models, save, network):
    changed = dict(network)
    changed["shrink.bias"] = torch.nn.Parameter(network["shrink.bias"])
    both = torch.stack([network["expand_bn.weight"], network["expand_bn.bias"]], 1)
    changed["expand_bn.weight"], changed["expand_bn.bias"] = both[:, 0], both[:, 1]  # views of one storage, with steps
    changed["shrink.weight"] = network["shrink.weight"].to(torch.bfloat16)
    changed["expand_conv.weight"] = network["expand_conv.weight"].double()
    for is_zip in (True, False):
        user_models.add_user_model(save({"model_pos": collections.OrderedDict(changed)}, is_zip=is_zip), "mine")
        kept = load_file(models / "mine.safetensors")
        for key in ("shrink.bias", "expand_bn.weight", "expand_bn.bias", "expand_conv.weight"):
            assert torch.equal(kept[f"model_pos.{key}"], network[key]), key
        assert torch.equal(kept["model_pos.shrink.weight"], network["shrink.weight"].to(torch.bfloat16).float())


def test_parallel_training_and_safetensors_are_read(models, save, network, tmp_path):
    user_models.add_user_model(save({"model_pos": {f"module.{key}": value for key, value in network.items()}}), "parallel")
    save_file({f"model_pos.{key}": value for key, value in network.items()}, tmp_path / "plain.safetensors")
    user_models.add_user_model(tmp_path / "plain.safetensors", "plain")
    user_models.add_user_model(models / "plain.safetensors", "again")  # a kept copy is a checkpoint, too
    contents = [load_file(models / f"{name}.safetensors") for name in ("parallel", "plain", "again")]
    for other in contents[1:]:
        assert other.keys() == contents[0].keys() and all(torch.equal(other[key], contents[0][key]) for key in other)
    assert read_tensor_table(models / "again.safetensors").notes == read_tensor_table(models / "plain.safetensors").notes


def test_lightning_and_other_tables_are_found():
    tensor = released_models.StoredTensor.__new__(released_models.StoredTensor)
    assert named_tensors({"state_dict": {"a": tensor}, "epoch": 3}) == {"a": tensor}
    assert named_tensors({"model": {"a": tensor, "b": 1}}) == {"a": tensor}
    assert named_tensors({"CNet": {"a": tensor}, "LNet": {"b": tensor}}) == {"CNet.a": tensor, "LNet.b": tensor}
    assert named_tensors({"a": tensor}) == {"a": tensor} and named_tensors([tensor]) == {}


# --- what is refused ---


class Hostile:
    """An object whose unpickling would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_hostile_checkpoint_is_refused_and_executes_nothing(models, save, network, tmp_path, is_zip, capsys):
    path = save({"model_pos": network, "extra": Hostile(tmp_path / "executed")}, is_zip=is_zip)
    assert program.main(["models", "add", str(path)]) == 4
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1 and "system" in told
    assert not (tmp_path / "executed").exists() and not models.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cposix\nsystem\n(S'true'\ntR.",
        b"\x80\x02comegaconf.base\nsys.modules\n.",
        b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
        pickle.dumps(7, 2),
    ],
)
def test_pickles_that_are_no_checkpoint_are_refused(models, tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        user_models.add_user_model(tmp_path / "a.pt")
    assert caught.value.exit_code == 4 and not models.exists()


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("fraction", [0.0, 1e-6, 0.0005, 0.4, 0.9, 0.999999])
def test_a_truncated_checkpoint_is_refused(models, save, network, is_zip, fraction):
    path = save({"model_pos": network}, is_zip=is_zip)
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(ModelError) as caught:
        user_models.add_user_model(path)
    assert caught.value.exit_code == 4 and not list(models.glob("*.safetensors"))


def test_a_storage_that_is_compressed_missing_or_too_short_is_refused(models, save, network, tmp_path):
    path = save({"model_pos": network})
    for change in ("compress", "drop", "shorten"):
        changed = tmp_path / f"{change}.pt"
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(changed, "w") as target:
            for member in archive.infolist():
                content = archive.read(member)
                if not member.filename.endswith("/data/0"):
                    target.writestr(member.filename, content)
                elif change != "drop":
                    kind = zipfile.ZIP_DEFLATED if change == "compress" else zipfile.ZIP_STORED
                    target.writestr(member.filename, content[:-4] if change == "shorten" else content, kind)
        with pytest.raises(ModelError) as caught:
            user_models.add_user_model(changed)
        assert caught.value.name == "checkpoint-damaged" and not list(models.glob("*.safetensors")), change


def test_numbers_that_are_none_are_refused(models, save, network):
    path = save({"model_pos": {**network, "shrink.bias": torch.full((51,), torch.nan)}})
    with pytest.raises(ModelError) as caught:
        user_models.add_user_model(path)
    assert caught.value.name == "checkpoint-damaged" and not list(models.glob("*.safetensors"))


@pytest.mark.parametrize(
    "header",
    [
        b"{}",
        b"[1]",
        b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "Q", "shape": [1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}',
        b'{"__metadata__": {"a": 1}}',
        b"{",
    ],
)
def test_damaged_safetensors_are_refused(models, tmp_path, header):
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(ModelError) as caught:
        user_models.add_user_model(tmp_path / "a.safetensors")
    assert caught.value.exit_code == 4 and not models.exists()
    for content in (b"", b"\xff" * 8, struct.pack("<Q", 1 << 40)):
        (tmp_path / "a.safetensors").write_bytes(content)
        with pytest.raises(ModelError):
            user_models.add_user_model(tmp_path / "a.safetensors")


def test_a_file_that_is_not_there_is_told(models, tmp_path):
    for suffix in (".ckpt", ".safetensors", ".obj", ".npy"):
        with pytest.raises(ModelError) as caught:
            user_models.add_user_model(tmp_path / f"nowhere{suffix}")
        assert caught.value.exit_code == 4 and "nowhere" in caught.value.problem


# --- kept copies ---


def test_a_method_finds_its_checkpoint(models, save, network):
    with pytest.raises(ModelError) as caught:
        user_models.user_checkpoint("videopose3d")
    assert caught.value.name == "checkpoint-not-added" and "models add" in caught.value.remedy
    path = save({"model_pos": network})
    for name in ("first", "second"):
        user_models.add_user_model(path, name)
    os.utime(models / "first.safetensors", (1, 1))
    assert user_models.user_checkpoint("videopose3d").stem == "second"  # the later one
    user_models.add_user_model(path)
    os.utime(models / "videopose3d.safetensors", (2, 2))
    assert user_models.user_checkpoint("videopose3d").stem == "videopose3d"  # the method's own name
    (models / "broken.safetensors").write_bytes(b"no table")
    assert [kind for _path, kind in user_models.user_checkpoints().values()] == ["videopose3d"] * 3
    assert user_models.user_models() == {}  # they are no bodies


def test_the_command_keeps_a_checkpoint_and_tells_its_use_and_needs(models, save, network, capsys):
    path = save({"model_pos": network}, "epoch=35-step=1.bin")
    assert program.main(["models", "add", str(path)]) == 0
    assert "--method videopose3d" in capsys.readouterr().out
    assert program.main(["models", "add", str(path), "--name", "a/b"]) == 2
    assert program.main(["models", "list"]) == 0
    assert "videopose3d\n" in capsys.readouterr().out


def test_decomrs_data_files_are_kept(models, tmp_path, capsys):
    template, reference = tmp_path / "smpl_boundry_free_template.obj", tmp_path / "BF_ref_map_64.npy"
    lines = ["v 0 0 0"] * 6890 + ["vt 0.25 0.5", "vt 0.5 0.5", "vt 0.5 1.0", "vt 0 0"] + ["f 3/1/1 1/2/1 2/3/1"]
    template.write_text("\n".join(lines))
    np.save(reference, np.ones((1, 64, 64, 3), np.float32))
    assert program.main(["models", "add", str(template)]) == 0 and "--method decomr" in capsys.readouterr().out
    assert user_models.add_user_model(reference) == ("decomr-reference", "decomr-reference")
    kept = load_file(user_models.user_checkpoint("decomr-uv"))
    assert kept["texcoords"].tolist() == [[0.25, 0.5], [0.5, 0.5], [0.5, 1.0]] and kept["vertex_of_texcoord"].tolist() == [2, 0, 1]
    assert load_file(user_models.user_checkpoint("decomr-reference"))["ref_map"].shape == (1, 64, 64, 3)


@pytest.mark.parametrize("text", ["", "v 0 0 0\nvt 0 0\nf 1/1 1/1 1/1", "v 0 0 0\n" * 6890 + "vt 0 0\nf 1/2 1/1 1/1", "f a/b c/d"])
def test_another_obj_is_refused(models, tmp_path, text):
    (tmp_path / "a.obj").write_text(text)
    np.save(tmp_path / "a.npy", np.zeros((2, 2)))
    np.save(tmp_path / "b.npy", np.array([{}]), allow_pickle=True)
    for name in ("a.obj", "a.npy", "b.npy"):
        with pytest.raises(ModelError) as caught:
            user_models.add_user_model(tmp_path / name)
        assert caught.value.name == "decomr-data-wrong" and not models.exists()
