"""MediaPipe on real images and clips: every person is found once, and nobody else."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest

from blender_meshrec.backend.detection.crops import Square
from blender_meshrec.backend.detection.detections import person_box
from blender_meshrec.backend.detection.landmarkers import LandmarkerPool
from blender_meshrec.backend.detection.similarity import box_iou
from blender_meshrec.backend.footage.images import decode_image
from blender_meshrec.backend.tracking.detect_and_track import detect_and_track
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.errors import ModelError, NobodyFoundError
from blender_meshrec.core.files.model_files import model_file
from scripts.assets import listed_file, pose_bundle
from tests.conftest import ROOT

# Boxes by eye, px: left, top, right, bottom of everybody who is prominent in the image.
PICTURES = {
    "debian-opencv-doc__messi5.jpg": [(70, 60, 455, 340)],
    "HybrIK__000000581357.jpg": [(255, 110, 480, 350)],
    "openpose__COCO_val2014_000000000564.jpg": [(235, 335, 400, 605)],
    "rtmlib__demo.jpg": [(40, 80, 520, 635), (510, 15, 635, 485), (705, 10, 945, 610)],
    "tfjs-models__portrait.jpg": [(40, 20, 690, 1010)],
    "4D-Humans__pexels-anete-lusina-4793258.jpg": [(1500, 2700, 3450, 5600)],
}


def test_a_computer_without_sound_detects(tmp_path):
    """As servers with Windows, where the sound system is off and the module of MediaPipe's audio part fails."""
    (tmp_path / "sounddevice.py").write_text("raise RuntimeError('Error initializing PortAudio')")
    code = (
        "import sys\n"
        f"sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        "from pathlib import Path\n"
        "from blender_meshrec.backend.detection.landmarkers import LandmarkerPool\n"
        "import numpy as np\n"
        "from blender_meshrec.backend.detection.crops import Square\n"
        "from blender_meshrec.core.files.model_files import model_file\n"
        "pool = LandmarkerPool(model_file('pose_landmarker.task'))\n"
        "print(pool.submit(pool.detect, np.zeros((64, 64, 3), np.uint8), Square(32, 32, 64)).result())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("name", PICTURES)
def test_everybody_in_a_picture_is_found_once(shared_media, name):
    tracked = detect_and_track(ReconstructRequest(str(shared_media / "image" / name)))
    truth = [np.array(box, float) for box in PICTURES[name]]
    assert len(tracked.people) == len(truth)
    for box in truth:
        assert sum(box_iou(box, person.boxes[0]) > 0.4 for person in tracked.people) == 1
    for person in tracked.people:
        points = person.keypoints_3d[0]
        assert np.linalg.norm(points[23:25].mean(0)) < 0.02  # the hips' centre is the origin
        assert 0.3 < np.linalg.norm(points[11:13].mean(0) - points[23:25].mean(0)) < 0.7  # a torso's length


def test_nobody_is_found_in_an_image_of_a_clock(shared_media):
    with pytest.raises(NobodyFoundError, match="no person was found in it"):
        detect_and_track(ReconstructRequest(str(shared_media / "image" / "mediapipe__000000000078.jpg")))


def test_keypoints_3d_are_in_camera_axes(shared_media):
    """Messi faces the camera and leans back to his right: up is -y, his left is +x, his nose nearer than his ears."""
    (person,) = detect_and_track(ReconstructRequest(str(shared_media / "image" / "debian-opencv-doc__messi5.jpg"))).people
    points = person.keypoints_3d[0]
    nose, left_ear, left_shoulder, right_shoulder, left_hip, left_ankle = points[[0, 7, 11, 12, 23, 27]]
    assert nose[1] < left_shoulder[1] < left_hip[1]
    assert left_shoulder[0] > right_shoulder[0]
    assert nose[2] < left_ear[2]
    assert left_ankle[0] > left_hip[0] + 0.2  # his left leg is stretched to the right of the image


def test_people_upside_down_are_detected_as_well_as_upright(shared_media):
    image = decode_image(shared_media / "image" / "openpose__COCO_val2014_000000000564.jpg")
    height, width = image.shape[:2]
    landmarkers = LandmarkerPool(model_file("pose_landmarker.task"))
    try:
        square = Square(310, 470, 380)
        (upright,) = landmarkers.submit(landmarkers.detect, image, square).result()
        turned = np.ascontiguousarray(np.rot90(image, 2))
        head_down = Square(width - square.x, height - square.y, square.side, 2)
        (inverted,) = landmarkers.submit(landmarkers.detect, turned, head_down).result()
    finally:
        landmarkers.close()
    assert np.abs(inverted.keypoints[:, :2] - ([width, height] - upright.keypoints[:, :2])).max() < 2  # px
    assert np.abs(inverted.keypoints_3d - upright.keypoints_3d * [-1, -1, 1]).max() < 0.02  # m


def test_one_person_is_tracked_through_a_clip(shared_media):
    tracked = detect_and_track(ReconstructRequest(str(shared_media / "video" / "HybrIK__taiji.mp4"), frames=(0, 30)))
    (person,) = tracked.people
    assert person.visible.all() and tracked.frames.fps == pytest.approx(24 / 1.001)
    centres = (person.boxes[:, :2] + person.boxes[:, 2:]) / 2
    assert np.linalg.norm(np.diff(centres, axis=0), axis=1).max() < 40  # px a frame: no jump to another person
    assert (person.keypoints[:, 23, 0] > person.keypoints[:, 24, 0]).all()  # he faces the camera throughout


def test_several_small_people_are_found_without_overlap(shared_media):
    tracked = detect_and_track(ReconstructRequest(str(shared_media / "video" / "debian-opencv-doc__vtest.avi"), frames=(80, 94)))
    assert 4 <= len(tracked.people) <= 9
    rows = [row for row in range(14) for a in range(len(tracked.people)) for b in range(a)
            if tracked.people[a].visible[row] and tracked.people[b].visible[row]
            and box_iou(tracked.people[a].boxes[row], tracked.people[b].boxes[row]) > 0.7]  # fmt: skip
    assert not rows


def test_the_same_footage_gives_the_same_result(shared_media):
    request = ReconstructRequest(str(shared_media / "video" / "Sports2D__demo.mp4"), frames=(60, 64))
    first, second = detect_and_track(request).people, detect_and_track(request).people
    assert len(first) == len(second) == 2
    assert all(np.array_equal(a.keypoints, b.keypoints) and np.array_equal(a.keypoints_3d, b.keypoints_3d) for a, b in zip(first, second))


def test_a_missing_model_says_how_to_get_it(tmp_path, monkeypatch):
    from blender_meshrec.core.files import model_files

    monkeypatch.setattr(model_files, "model_folders", lambda: [tmp_path])
    with pytest.raises(ModelError, match=r"pose_landmarker\.task") as caught:
        detect_and_track(ReconstructRequest(str(ROOT / "README.md"), detector="mediapipe"))
    assert caught.value.remedy and caught.value.exit_code == 4


def test_the_model_bundle_is_aligned_and_has_normalization_metadata():
    from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata_schema
    from mediapipe.tasks.metadata import schema_py_generated as schema

    path = model_file("pose_landmarker.task")
    assert listed_file.sha256(path.read_bytes()) == listed_file.expected_sha256(path.name) and listed_file.is_listed(path)
    with zipfile.ZipFile(path) as bundle:
        scales = {}
        for info in bundle.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert path.read_bytes().index(bundle.read(info)) % pose_bundle.ALIGNMENT == 0
            model = schema.ModelT.InitFromPackedBuf(bundle.read(info))
            (note,) = [entry.buffer for entry in model.metadata if entry.name == b"TFLITE_METADATA"]
            metadata = metadata_schema.ModelMetadataT.InitFromPackedBuf(bytes(model.buffers[note].data))
            options = metadata.subgraphMetadata[0].inputTensorMetadata[0].processUnits[0].options
            scales[info.filename] = (options.mean[0], options.std[0])
    assert scales == {"pose_detector.tflite": (127.5, 127.5), "pose_landmarks_detector.tflite": (0.0, 255.0)}


def test_person_boxes_contain_the_head():
    """The highest landmark is an eye: the box must reach above it."""
    from tests.support.synthetic_keypoints import animate_stick_figure, project_orthographic

    keypoints = project_orthographic(animate_stick_figure([0.0]), (300, 300))[0]
    box = person_box(keypoints, "blazepose33")
    eyes, ankle = keypoints[1:7, 1].min(), keypoints[27, 1]
    assert 0.05 < (eyes - box[1]) / (ankle - eyes) < 0.12  # 11 cm of 1.5 m in an adult
