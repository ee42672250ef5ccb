"""Make the guide's pictures of the clean-up rig, docs/pictures/guide_clean_up_*.jpg, from a real window.

.venvs/bpy-4.2/bin/python -m scripts.docs.clean_up_scene OUT.blend && python3 -m scripts.prepare_window_blender
.venv/bin/python -m scripts.docs.clean_up_pictures OUT.blend
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts import ROOT
from scripts.window.window import Window, reason_to_skip

PICTURES = ROOT / "docs" / "pictures"
WINDOW_SIZE = (1280, 800)
FRAME, BONE = 60, "upper_arm_fk.L"

_SHOW_CONTROLS = f"""
import bpy
bpy.context.scene.frame_set({FRAME})
window = bpy.context.window_manager.windows[0]
window.workspace = bpy.data.workspaces['Layout']
rig = next(obj for obj in bpy.data.objects if obj.type == 'ARMATURE' and 'betas' not in obj)
bpy.context.view_layer.objects.active = rig
rig.select_set(True)
"""
_FRAME_PERSON = """
for window in bpy.context.window_manager.windows:
    for area in window.screen.areas:
        if area.type == 'VIEW_3D':
            with bpy.context.temp_override(window=window, area=area, region=next(r for r in area.regions if r.type == 'WINDOW')):
                if bpy.context.mode != 'POSE':
                    bpy.ops.object.mode_set(mode='POSE')
                area.spaces.active.overlay.show_floor = True
                area.spaces.active.show_region_ui = False
                bpy.ops.view3d.view_axis(type='FRONT')
                bpy.ops.view3d.view_orbit(angle=0.5, type='ORBITRIGHT')
                bpy.ops.pose.select_all(action='SELECT')
                bpy.ops.view3d.view_selected()
                bpy.ops.pose.select_all(action='DESELECT')
"""
_SHOW_GRAPH = f"""
rig = bpy.context.view_layer.objects.active
for bone in rig.data.bones:
    bone.select = bone.name == '{BONE}'
rig.data.bones.active = rig.data.bones['{BONE}']
area = max((a for a in bpy.context.window_manager.windows[0].screen.areas), key=lambda a: a.width * a.height)
area.type = 'GRAPH_EDITOR'
"""
_FRAME_GRAPH = """
for window in bpy.context.window_manager.windows:
    for area in window.screen.areas:
        if area.type == 'GRAPH_EDITOR':
            with bpy.context.temp_override(window=window, area=area, region=next(r for r in area.regions if r.type == 'WINDOW')):
                area.spaces.active.dopesheet.show_only_selected = True
                bpy.ops.anim.channels_expand()
                bpy.ops.graph.select_all(action='SELECT')
                bpy.ops.graph.view_all()
"""


def _box(window: Window, area: str) -> list[int]:
    """The part of the screen with the area's content: left, top, width and height."""
    left, top, width, height = window.screen_region(area, "WINDOW")
    if area == "GRAPH_EDITOR":  # with the names of the channels
        channels = window.screen_region(area, "CHANNELS")[0]
        left, width = channels, width + left - channels
    return [left, top, width, height]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("blend", type=Path, help="made by scripts/docs/clean_up_scene.py")
    settings = parser.parse_args(arguments)
    reason = reason_to_skip()
    if reason:
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as material:
        shutil.copy(settings.blend, Path(material) / "scene.blend")
        with Window(home, material, size=WINDOW_SIZE) as window:
            window.start("/mnt/material/scene.blend")
            for steps, name, area in (
                ((_SHOW_CONTROLS, _FRAME_PERSON), "controls", "VIEW_3D"),
                ((_SHOW_GRAPH, _FRAME_GRAPH), "graph", "GRAPH_EDITOR"),
            ):
                for step in steps:
                    window.evaluate(step, 120)
                    time.sleep(2)
                window.save_screenshot(PICTURES / f"guide_clean_up_{name}.jpg", _box(window, area))
                print(f"guide_clean_up_{name}.jpg", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
