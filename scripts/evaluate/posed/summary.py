"""The numbers of many files as tables: every measure in Markdown, or one short line a clip with the limits."""

from collections.abc import Mapping, Sequence

import numpy as np

from scripts.evaluate.posed.measures import COLUMNS

Row = Mapping[str, float | str]  # the numbers of one file, or the reason why there are none as "error"
# Headings of the measures that have a limit, in columns of WIDTH characters.
SHORT = {
    "pelvis_p95": "pelvis cm", "touch": "touch cm", "depth": "sunk cm", "knees": "knees deg", "drift": "drift cm", "jump": "jump %",
    "inclination": "trunk %", "reprojection_gain": "image %",
}  # fmt: skip
WIDTH, NAME_WIDTH = 11, 22


def table(rows: Mapping[str, Row]) -> str:
    """One row a clip, the largest of its files' numbers, and how many files keep each limit; in Markdown. rows: by FILE's stem."""
    lines = ["", "| clip | " + " | ".join(heading for heading, _ in COLUMNS.values()) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for name, of_clip in _by_clip(rows).items():
        cells: list[str] = []
        for key, (_, limit) in COLUMNS.items():
            values = _values(of_clip, key)
            cell = f"{values.max():.3g}" if len(values) else ""
            cells.append(f"**{cell}**" if limit is not None and len(values) and values.max() > limit else cell)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    kept: list[str] = []
    for key, (_, limit) in COLUMNS.items():
        values = _values(list(rows.values()), key)
        mean = f"mean {values.mean():.3g}" if len(values) else ""
        kept.append(mean if limit is None else f"{(values <= limit).sum()} of {len(values)}")
    return "\n".join([*lines, "| within the limit | " + " | ".join(kept) + " |"])


def summary(rows: Mapping[str, Row]) -> str:
    """One line a clip, the largest of its files' numbers with a * beyond the limit, and how many files keep each limit and all of them.

    rows: by the file's stem. A file without numbers keeps no limit.
    """
    lines = [_line("", list(SHORT.values()), "all limits"), _line("limit", [f"{COLUMNS[key][1]:g}" for key in SHORT], "")]
    for name, of_clip in _by_clip(rows).items():
        cells: list[str] = []
        for key in SHORT:
            values = _values(of_clip, key)
            largest = values.max() if len(values) else np.nan
            cells.append(f"{largest:.1f}{'*' if largest > _limit(key) else ' '}" if len(values) else "- ")
        lines.append(_line(name, cells, f"{sum(map(keeps_limits, of_clip))} of {len(of_clip)}"))
    kept: list[str] = []
    for key in SHORT:
        values = _values(list(rows.values()), key)
        kept.append(f"{(values <= _limit(key)).sum()} of {len(values)}")
    lines.append(_line("files within", kept, f"{sum(map(keeps_limits, rows.values()))} of {len(rows)}"))
    failed = [f"{stem}: {row['error']}" for stem, row in rows.items() if "error" in row]
    return "\n".join([*lines, *failed])


def keeps_limits(row: Row) -> bool:
    """Whether a file was reconstructed and none of its numbers is beyond its limit."""
    return "error" not in row and all((_values([row], key) <= _limit(key)).all() for key in SHORT)


def _limit(key: str) -> float:
    """The largest accepted value of a measure, infinite if any is."""
    limit = COLUMNS[key][1]
    return np.inf if limit is None else limit


def _by_clip(rows: Mapping[str, Row]) -> dict[str, list[Row]]:
    """The rows of each clip."""
    found: dict[str, list[Row]] = {}
    for stem in sorted(rows):
        found.setdefault(stem.split(".")[0], []).append(rows[stem])
    return found


def _values(rows: Sequence[Row], key: str) -> np.ndarray:
    """A measure's values (N,) in the files that have it."""
    values = np.array([float(row.get(key, np.nan)) for row in rows])
    return values[np.isfinite(values)]


def _line(name: str, cells: Sequence[str], last: str) -> str:
    """A line of the summary."""
    return f"{name:{NAME_WIDTH}}" + "".join(f"{cell:>{WIDTH}}" for cell in cells) + f"{last:>{WIDTH + 2}}"
