"""Mutated files of every format: each reader reads them or refuses them with a sentence, and nothing else escapes."""

import io
import json
import pickle
import resource
import struct
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.torch import save_file

from blender_meshrec.backend.detection.keypoints_file import KeypointsDetector
from blender_meshrec.backend.footage.video import open_footage
from blender_meshrec.bodies.network_file import read_weights
from blender_meshrec.cli.commands.batch import read_jobs
from blender_meshrec.core.errors import MeshRecError
from blender_meshrec.core.files import model_files
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.bvh import write_bvh
from blender_meshrec.core.files.calibrations.read_calibration import read_calibration
from blender_meshrec.core.files.fbx import check_fbx
from blender_meshrec.core.files.fbx_records import MAGIC, read_records
from blender_meshrec.core.files.gltf import read_gltf
from blender_meshrec.core.files.motion_npz import read_motion, write_motion
from blender_meshrec.core.files.point_cache import read_point_cache, write_point_cache
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.retarget.mapping.presets import read_preset
from blender_meshrec.retarget.source.files import read_performance
from scripts.evaluate.mutations import mutate, mutate_npz
from tests.support.binary_fbx import sound_file
from tests.support.calibration_files import as_camera_files, as_opencv_xml, as_opencv_yaml, as_qualisys, as_toml
from tests.support.footage_files import make_frame, write_video
from tests.support.synthetic_bodies import make_recovery, make_tube_body, motion_of
from tests.support.synthetic_skel import skel_arrays
from tests.support.synthetic_template import smpl_arrays

MUTANTS = 60
MAX_SECONDS = 20.0  # of one file
MAX_GROWTH = 1500  # MB, of the process's memory over all files of a format
KEYPOINTS = {
    "keypoints": np.random.default_rng(0).random((6, 17, 3)) * 500,
    "keypoint_set": "coco17",
    "image_size": np.array([640, 480]),
    "fps": 30.0,
}
RECOVERY = make_recovery(make_tube_body(posedirs=False), frames=5)
AMASS = {"poses": np.zeros((5, 72)), "trans": np.zeros((5, 3)), "betas": np.zeros(10), "mocap_framerate": 30.0, "gender": "neutral"}


def read_footage(path):
    for _frame in open_footage(path).read():
        pass


def file_bytes(write, suffix, tmp_path):
    path = tmp_path / f"original{suffix}"
    write(path)
    return path.read_bytes()


def picture(suffix):
    return lambda path: path.write_bytes(cv2.imencode(suffix, make_frame(1))[1].tobytes())


def write_openpose(path):
    path.write_text(json.dumps({"version": 1.3, "people": [{"pose_keypoints_2d": [100.5, 200.5, 0.9] * 25}]}))


def read_openpose(path):
    KeypointsDetector().open(path.parent)


def write_gltf(path):
    accessors = [{"componentType": 5126, "type": "VEC3", "count": 3, "bufferView": 0}]
    text = json.dumps({"asset": {"version": "2.0"}, "accessors": accessors, "images": [{"uri": "a.png"}]}).encode()
    text += b" " * (-len(text) % 4)
    path.write_bytes(struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text)


def read_whole_fbx(path):
    """Check a file, and read its records, which a checked file has no wrong lengths of."""
    check_fbx(path)
    content = path.read_bytes()
    if content.startswith(MAGIC):
        read_records(content)


def write_weights_list(path):
    path.write_text('[[weights]]\nfile = "a.npz"\nsha256 = "0f"\nlicence = "CC0-1.0"\nsource = "b"\n')


def read_weights_list(path):
    model_files._read_weights_list(path)


def write_preset(path):
    slots = {"hips": ["a"], "spine": ["b"]}
    controls = {"fk": [["a", "b", 1.0]], "ik": [["a", "b", 0.0]], "ik_targets": {"left_hand": "a"}, "poles": {"left_arm": "b"}}
    path.write_text(json.dumps({"meshrec_mapping": 1, "name": "a", "slots": slots, "controls": controls}))


def write_network(path):
    import torch

    save_file({"a": torch.ones(3, 4), "b": torch.zeros(2)}, path)


FORMATS = {
    "openpose": (".json", write_openpose, read_openpose),
    "bvh": (".bvh", lambda path: write_bvh(path, motion_of(RECOVERY, make_tube_body())), read_performance),
    "motion": (".npz", lambda path: write_motion(path, RECOVERY), read_motion),
    "point cache": (".pc2", lambda path: write_point_cache(path, 4, 3, [np.zeros((3, 4, 3))]), read_point_cache),
    "fbx": (".fbx", lambda path: path.write_bytes(sound_file(7400)), check_fbx),
    "long fbx": (".fbx", lambda path: path.write_bytes(sound_file(7500)), read_whole_fbx),
    "gltf": (".glb", write_gltf, read_gltf),
    "weights list": (".toml", write_weights_list, read_weights_list),
    "network": (".safetensors", write_network, read_weights),
    "preset": (".json", write_preset, read_preset),
    "calibration of Pose2Sim": (".toml", lambda path: path.write_text(as_toml()), read_calibration),
    "calibration of Qualisys": (".qca.txt", lambda path: path.write_text(as_qualisys()), read_calibration),
    "calibration of OpenCV": (".yml", lambda path: path.write_text(as_opencv_yaml()), read_calibration),
    "calibration of OpenCV, XML": (".xml", lambda path: path.write_text(as_opencv_xml()), read_calibration),
    "calibration, JSON": (".json", lambda path: path.write_text(as_camera_files()), read_calibration),
    "jobs": (".json", lambda path: path.write_text('[{"input": "a.mp4", "output": "a.fbx", "person": 1}]'), read_jobs),
    "body pickle": (".pkl", lambda path: path.write_bytes(pickle.dumps(smpl_arrays(), 2)), load_body),
    "smpl pickle": (".pkl", lambda path: path.write_bytes(pickle.dumps(AMASS, 2)), read_performance),
    "png": (".png", picture(".png"), read_footage),
    "jpeg": (".jpg", picture(".jpg"), read_footage),
    "tiff": (".tif", picture(".tif"), read_footage),
    "webp": (".webp", picture(".webp"), read_footage),
    "bmp": (".bmp", picture(".bmp"), read_footage),
    "mp4": (".mp4", lambda path: write_video(path, [make_frame(i) for i in range(5)]), read_footage),
}
NPZ_FORMATS = {
    "keypoints": (KEYPOINTS, lambda path: KeypointsDetector().open(path)),
    "motion": (RECOVERY.arrays(), read_motion),
    "amass": (AMASS, read_performance),
    "body": (smpl_arrays(), load_body),
    "skel": (skel_arrays(), load_skel),
}


def check(read, path, content):
    """Read a mutated file; returns whether it could be read."""
    path.write_bytes(content)
    begun = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
    except MeshRecError as error:
        assert error.problem and error.remedy
        return False
    finally:
        assert time.monotonic() - begun < MAX_SECONDS
    return True


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MB


@pytest.mark.parametrize("name", FORMATS)
def test_mutated_bytes_are_read_or_refused(name, tmp_path):
    suffix, write, read = FORMATS[name]
    original = file_bytes(write, suffix, tmp_path)
    (tmp_path / f"original{suffix}").unlink()
    before = peak_memory()
    assert name in ("jobs", "body pickle", "bvh", "smpl pickle", "preset") or check(read, tmp_path / f"mutant{suffix}", original)
    rng = np.random.default_rng(20)
    for _ in range(MUTANTS):
        check(read, tmp_path / f"mutant{suffix}", mutate(original, rng))
    assert peak_memory() - before < MAX_GROWTH


@pytest.mark.parametrize("name", NPZ_FORMATS)
def test_mutated_arrays_are_read_or_refused(name, tmp_path):
    arrays, read = NPZ_FORMATS[name]
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    assert check(read, Path(tmp_path / "original.npz"), stream.getvalue())
    before = peak_memory()
    rng = np.random.default_rng(20)
    for _ in range(MUTANTS):
        check(read, tmp_path / "mutant.npz", mutate_npz(arrays, rng))
        check(read, tmp_path / "mutant.npz", mutate(stream.getvalue(), rng))
    assert peak_memory() - before < MAX_GROWTH
