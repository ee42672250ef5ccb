"""BVH files of recovered people."""

from dataclasses import replace
from pathlib import Path

from ..motion import motion_on_body
from ..records import Recovery
from .body_template import BodyTemplate
from .bvh import write_bvh


def write_recovery_bvh(path: Path, recovery: Recovery, template: BodyTemplate, stretch: bool) -> None:
    """Write the motion of a body's joints; with `stretch`, a calibrated person's joints move relative to their parents."""
    motion = motion_on_body(recovery, template)
    write_bvh(path, motion if stretch else replace(motion, joints=None))
