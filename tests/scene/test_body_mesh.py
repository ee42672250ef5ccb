"""The body's mesh: quads and a UV map, and no driven shape keys unless they are asked for."""

import bpy
import numpy as np

from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.open_body_details import load_open_body_details
from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.outputs import Output, write_outputs
from tests.support.synthetic_bodies import make_recovery, make_tube_body


def make_person(template):
    return assemble([Person("anna", make_recovery(template, frames=3), template)], "clip", AssemblyOptions(footage=False)).meshes[0]


def test_the_open_body_has_quads_alone_and_every_part_its_material():
    template = load_body("open")
    mesh = make_person(template).data
    assert {len(face.vertices) for face in mesh.polygons} == {4}
    assert 2 * len(mesh.polygons) == len(template.faces)
    triangles = {frozenset(face) for face in template.faces.tolist()}
    for face in list(mesh.polygons)[::500]:
        corners = list(face.vertices)
        halves = [{frozenset(corners[i] for i in half) for half in split} for split in (((0, 1, 2), (0, 2, 3)), ((0, 1, 3), (1, 2, 3)))]
        assert any(half <= triangles for half in halves)
    materials = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", materials)
    assert np.array_equal(np.repeat(materials, 2), template.face_parts)


def test_the_open_body_has_a_uv_map_without_collapsed_faces():
    mesh = make_person(load_body("open")).data
    assert [layer.name for layer in mesh.uv_layers] == ["UVMap"]
    uv = np.empty(2 * len(mesh.loops), np.float32)
    mesh.uv_layers[0].data.foreach_get("uv", uv)
    corners = uv.reshape(-1, 4, 2).astype(float)
    assert uv.min() >= 0 and uv.max() <= 1
    across, down = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
    areas = 0.5 * np.abs(across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0])
    assert (areas > 1e-9).mean() > 0.999
    # Each corner has the coordinate of its own vertex: vertices that are not on a seam have one coordinate alone.
    vertex = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", vertex)
    single = [len(np.unique(np.round(uv.reshape(-1, 2)[vertex == row], 5), axis=0)) == 1 for row in range(0, len(mesh.vertices), 97)]
    assert np.mean(single) > 0.9


def test_bodies_of_triangles_stay_triangles_and_have_no_uv_map():
    template = make_tube_body()
    faces = np.roll(template.faces, 1, axis=0)  # no longer the halves of quads one after the other
    mesh = make_person(type(template)(**{**vars_of(template), "faces": faces})).data
    assert {len(face.vertices) for face in mesh.polygons} == {3} and not mesh.uv_layers


def vars_of(template):
    return {name: getattr(template, name) for name, field in template.__dataclass_fields__.items() if field.init}


def test_files_have_few_shape_keys_and_no_drivers_unless_they_are_asked_for(tmp_path):
    template = make_tube_body()
    person = Person("anna", make_recovery(template, frames=3), template)
    counts = {}
    for asked in (False, True):
        path = tmp_path / f"{asked}.blend"
        notes = write_outputs([person], [Output(path, (0,))], "clip", pose_shapes=asked)
        assert not any("pose blend shapes" in note for note in notes)
        bpy.ops.wm.open_mainfile(filepath=str(path))
        keys = next(obj for obj in bpy.data.objects if obj.type == "MESH").data.shape_keys
        drivers = len(keys.animation_data.drivers) if keys.animation_data else 0
        counts[asked] = len(keys.key_blocks), drivers
    assert counts[False] == (11, 0)
    assert counts[True][0] > 11 and counts[True][1] == counts[True][0] - 11


def test_the_starts_are_a_taller_man_and_a_shorter_woman():
    starts, body = load_open_body_details().starts, load_body("open")
    height = {name: np.ptp(body.rest_vertices(betas)[:, 1]) for name, betas in starts.items()}
    average = np.ptp(body.rest_vertices(np.zeros(10))[:, 1])
    assert height["female"] < average - 0.03 and height["male"] > average + 0.03
    assert 1.58 < height["female"] < 1.68 and 1.71 < height["male"] < 1.81
