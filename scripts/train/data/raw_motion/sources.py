"""The table of raw motion files, SOURCES.tsv, and which of them are converted."""

import csv
import lzma
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.train.data.recordings import TEST_SUBJECTS

TABLE = "SOURCES.tsv"
CAPTURE_FPS, KEPT_FPS = 120.0, 30.0
# CMU's numbers of the test performers: of them, no clip may become training data.
TEST_PERFORMERS = frozenset(subject.split("_")[-1] for subject in TEST_SUBJECTS)
# Not captured: limbs keyed by hand, or a fall in mid-air.
EDITED = frozenset(f"unkA_{name}" for name in ("TARZAN", "contorsion", "dance", "fallingOverr", "knockout"))
_THINNED = "every 4th frame"


@dataclass(frozen=True)
class Source:
    """A raw motion file. name: subject and trial. fps: of the kept file. kind: "amc", "bvh" or "fbx"."""

    name: str
    subject: str
    text: str
    origin: str
    path: Path
    fps: float
    kind: str

    def read_text(self) -> str:
        """The unpacked text of an AMC file."""
        return unpack(self.path).decode("utf-8", errors="replace")


def unpack(path: Path) -> bytes:
    """The content of a packed (.xz) or plain file."""
    content = path.read_bytes()
    return lzma.decompress(content) if path.suffix == ".xz" else content


def read_sources(folder: Path) -> list[Source]:
    """The files of a folder with SOURCES.tsv, in its order.

    Raises:
        FileNotFoundError: there is no such table.
    """
    with open(folder / TABLE, encoding="utf-8", newline="") as file:
        return [_source(folder, row) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def _source(folder: Path, row: dict[str, str]) -> Source:
    fps = float(row["fps"])
    if _THINNED in row["format"]:
        fps = fps * KEPT_FPS / CAPTURE_FPS
    path = folder / row["kept_file"]
    origin = f"{row['source_repo']}:{row['path']}"
    subject = row["subject_trial"].split("_")[0]
    texts = [text for text in row["label"].split(" | ") if text != "Unknown"]
    return Source(row["subject_trial"], subject, texts[0], origin, path, fps, path.name.split(".")[1])


def find_asf(amc: Path) -> Path | None:
    """The skeleton file beside a motion file: of those whose name the motion's begins with, the one with the longest name."""
    stem = amc.name.split(".")[0]
    skeletons = [path for path in amc.parent.glob("*.asf*") if stem.startswith(path.name.split(".")[0])]
    return max(skeletons, key=lambda path: len(path.name), default=None)


def reason_to_skip(source: Source, known: Collection[str]) -> str:
    """Why a file is not converted, or "". known: names of the clips that are there already."""
    if source.subject in TEST_PERFORMERS:
        return "test performer"
    if source.name in EDITED:
        return "edited by hand"
    if source.name in known:
        return "there already"
    return ""


def known_clips(folder: Path) -> set[str]:
    """Names of the clips of a folder's cmu_smpl24_A.npz and cmu_smpl24_B.npz."""
    names: set[str] = set()
    for letter in "AB":
        path = folder / f"cmu_smpl24_{letter}.npz"
        if path.exists():
            with np.load(path) as file:
                names |= set(file["clip_name"].tolist())
    return names
