"""Make the .blend that scripts/docs/clean_up_pictures.py takes pictures of: the person of the demo clip with a clean-up rig.

.venvs/bpy-4.2/bin/python -m scripts.docs.clean_up_scene OUT.blend
"""

import os
import sys
from pathlib import Path

from scripts import ROOT

sys.path.insert(0, str(ROOT))

import bpy

from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.scene.assemble import Person, assemble, match_scene
from blender_meshrec.scene.clean_up_rig.make import make_clean_up_rig


def main(path: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    recovery = read_motion(ROOT / "scripts" / "demo_clip_truth.npz")
    made = assemble([Person("demo person1", recovery, load_body())], "demo", footage=False, pose_shapes=False)
    scene = bpy.context.scene
    if scene is None:
        raise TypeError("there is no scene")
    match_scene(scene, made, recovery.camera)
    rig = make_clean_up_rig(made.armatures[0], "light").rig
    for hidden in (made.armatures[0], made.camera):
        hidden.hide_set(True)
    rig.select_set(True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    print(f"wrote {path.name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
    sys.stdout.flush()
    os._exit(0)  # Blender's modules may hang when they are torn down
