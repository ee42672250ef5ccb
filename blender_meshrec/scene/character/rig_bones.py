"""Bones of a Rig: their positions in the world, the bones below and above others, and their names in messages."""

from collections.abc import Iterable, Sequence

from ...core.array_types import FloatArray
from ...core.cameras import transform_points
from ...retarget.rig import Rig


def rest_heads_in_world(rig: Rig, rows: Sequence[int]) -> FloatArray:
    """The heads (N,3) m of bones at rest."""
    return transform_points(rig.world, rig.rest[list(rows), :3, 3])


def descendant_rows(rig: Rig, roots: Iterable[int]) -> list[int]:
    """The rows of bones and of all their descendants, in order: parents before children."""
    found = set(roots)
    for row, parent in enumerate(rig.parents):
        if parent in found:
            found.add(row)
    return sorted(found)


def with_ancestors(rig: Rig, bones: Iterable[str]) -> set[str]:
    """The names of bones and of all their ancestors."""
    found: set[str] = set()
    for row in (rig.index(bone) for bone in bones):
        while row >= 0 and rig.bones[row] not in found:
            found.add(rig.bones[row])
            row = int(rig.parents[row])
    return found


def quote_names(names: Sequence[str], limit: int = 4) -> str:
    """Names in quotes for a message, at most `limit` of them: "a", "b" and 3 more."""
    quoted = ", ".join(f'"{name}"' for name in names[:limit])
    return f"{quoted} and {len(names) - limit} more" if len(names) > limit else quoted
