"""Progress of an installation, parsed from pip's output."""

import re
from collections.abc import Callable, Sequence

from ..core.messages import Message
from .locks import Requirement


class PipOutputParser:
    """Parses the output of a pip that installs some packages.

    Args:
        batch: the packages. on_progress: receives the stage and how many MB of the batch are done. on_log_line: receives each line but
            pip's raw progress.
    """

    def __init__(
        self, batch: Sequence[Requirement], on_progress: Callable[[Message, float], None], on_log_line: Callable[[str], None]
    ) -> None:
        self._on_progress = on_progress
        self._on_log_line = on_log_line
        self._batch = {_normalized_name(entry.name): entry for entry in batch}
        self._done_before = 0.0  # MB of the packages before the current one
        self._current: Requirement | None = None

    def parse_line(self, line: str) -> None:
        """Parse one line of pip's output."""
        progress = re.fullmatch(r"Progress (\d+) of (\d+)", line.strip())
        if progress and self._current:
            done, total = int(progress[1]), int(progress[2])
            megabytes = self._current.megabytes * done / total if total else 0.0
            self._on_progress(_loading(self._current.name), self._done_before + megabytes)
            return
        self._on_log_line(line)
        package = re.match(r"\s*(?:Collecting|Processing) (?:\S*/)?([A-Za-z0-9_.]+(?:-[A-Za-z0-9_.]+)*?)(?:==|-\d)", line)
        entry = self._batch.get(_normalized_name(package[1]).lower()) if package else None
        if entry:
            self._begin_package(entry)
        elif line.startswith("Installing collected"):
            self._on_progress(self._unpacking_stage(), sum(entry.megabytes for entry in self._batch.values()))

    def _begin_package(self, entry: Requirement) -> None:
        if self._current and entry is not self._current:
            self._done_before += self._current.megabytes
        self._current = entry
        self._on_progress(_loading(entry.name), self._done_before)

    def _unpacking_stage(self) -> Message:
        names = list(self._batch)
        if len(names) > 1:
            return Message("unpacking-packages", "Unpacking {package} and {count} more", package=names[0], count=len(names) - 1)
        return Message("unpacking-package", "Unpacking {package}", package=names[0])


def _normalized_name(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package)


def _loading(package: str) -> Message:
    return Message("loading-package", "Loading {package}", package=package)
