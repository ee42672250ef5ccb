"""A batch with one worker and with two: clips per hour, and what a clip costs beside the first one of a worker."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from scripts import ROOT

NUM_CLIPS, SECONDS_PER_CLIP = 8, 4


def measure_batches(folder: Path) -> dict[str, float]:
    """Clips per hour of one and of two workers on the clips of a folder, and the start-up, s.

    The first clip of each worker, which waits for the start-up, does not count: rates are those of a long night.
    """
    rates: dict[int, float] = {}
    seconds: list[float] = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as output:
            words = ["batch", str(folder), "-o", output, "--workers", str(workers), "--no-cache", "--progress", "none"]
            environ = {**os.environ, "PYTHONPATH": str(ROOT)}
            subprocess.run([sys.executable, "-m", "blender_meshrec.cli", *words], env=environ, check=True, capture_output=True)
            events = [json.loads(line) for line in (Path(output) / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
        ends = [event for event in events if event["event"] == "end"]
        rates[workers] = 3600 * _rate(ends, workers)
        seconds = seconds or [event["seconds"] for event in ends]
    return {"one": rates[1], "two": rates[2], "first_clip": seconds[0], "other_clips": float(np.median(seconds[1:]))}


def _rate(ends: list[dict[str, Any]], workers: int) -> float:
    """Clips per second after the first clip of each worker, from the end of the last of those."""
    firsts: dict[int, int] = {}
    for index, event in enumerate(ends):
        firsts.setdefault(event["worker"], index)
    begin = max(firsts.values())
    counted = len(ends) - 1 - begin
    return counted / (ends[-1]["time"] - ends[begin]["time"])
