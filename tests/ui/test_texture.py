"""The checkbox Texture: it reaches the backend, and its textures reach the people."""

from dataclasses import replace

import bpy
import numpy as np

from blender_meshrec.bridge.messages import request_from_text
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.motion_npz import write_motion
from blender_meshrec.scene.corrections.solve_again import REQUEST_PROPERTY
from blender_meshrec.scene.person.texture import texture_nodes
from tests.scene.test_texture import COLOURS, colours_of, png
from tests.support.synthetic_bodies import make_recovery


def test_the_checkbox_asks_for_a_texture_which_the_person_shows(addon, backend, result):
    recovery = make_recovery(load_body("open"), frames=5, fps=25.0)
    report = {**result.report, "people": result.report["people"][:1]}
    textured = replace(result, recoveries=(recovery,), people=(1,), report=report, textures=(np.frombuffer(png(), np.uint8),))
    addon.source, addon.texture, addon.texture_size = "/clip.mp4", True, "S2048"
    backend([textured])
    bpy.ops.meshrec.reconstruct()
    request = backend.requests[-1]
    assert request.texture and request.texture_size == "2048"
    meshes = [thing for thing in bpy.data.objects if thing.type == "MESH"]
    (node,) = texture_nodes(meshes)
    assert colours_of(node.image) == COLOURS
    stored = next(collection[REQUEST_PROPERTY] for collection in bpy.data.collections if REQUEST_PROPERTY in collection)
    assert not request_from_text(stored).texture  # solved again, people keep the texture that they have


def test_without_the_checkbox_nothing_is_painted(addon, backend, result):
    addon.source = "/clip.mp4"
    backend([result])
    bpy.ops.meshrec.reconstruct()
    assert not backend.requests[-1].texture and not texture_nodes([thing for thing in bpy.data.objects if thing.type == "MESH"])


def test_an_imported_motion_brings_the_texture_beside_it(addon, tmp_path):
    path = tmp_path / "walk.npz"
    write_motion(path, make_recovery(load_body("open"), frames=5, fps=25.0))
    (tmp_path / "walk_texture.png").write_bytes(png())
    assert bpy.ops.meshrec.import_motion(filepath=str(path)) == {"FINISHED"}
    (node,) = texture_nodes([thing for thing in bpy.data.objects if thing.type == "MESH"])
    assert colours_of(node.image) == COLOURS
