"""FBX files: what their records hold, for programs other than Blender, and damaged ones of others."""

import struct
import zlib
from collections import defaultdict

import bpy
import numpy as np
import pytest

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.fbx_records import read_records, write_records
from blender_meshrec.scene.assemble import Person, assemble, match_scene
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.character.rig_file import load_character
from blender_meshrec.scene.export.export import export_assembly
from blender_meshrec.scene.export.scene_export import export_characters
from tests.support.synthetic_bodies import make_recovery, make_tube_body

TEMPLATE = make_tube_body(posedirs=False)
FRAMES = 8


def people():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    recovery = make_recovery(TEMPLATE, frames=FRAMES, fps=30.0)
    made = assemble([Person("anna", recovery, TEMPLATE)], "clip", AssemblyOptions(pose_shapes=False))
    match_scene(bpy.context.scene, made, recovery.camera)
    return made


def records(path):
    return read_records(path.read_bytes())


def values_of(root, kind, entry):
    """An entry of the tables of properties of a kind of object, (3,), by the object's name."""
    found = {}
    for record in root.named(b"Objects", kind):
        for row in record.named(b"Properties70", b"P"):
            if row.text(0) == entry:
                found[record.text(1).split(b"\0")[0].decode()] = np.concatenate(
                    [row.floats(index) for index in range(4, len(row.properties))]
                )
    return found


def setting(root, name):
    rows = [row for row in root.named(b"GlobalSettings", b"Properties70", b"P") if row.text(0) == name]
    return rows[0].floats(4)[0]


def key_times(root):
    """The times of every curve, in the format's unit of 1/46186158000 s."""
    return [np.frombuffer(_array(record.properties[0]), "<i8") for record in root.named(b"Objects", b"AnimationCurve", b"KeyTime")]


def _array(content):
    _values, encoding, _bytes = struct.unpack_from("<III", content, 1)
    return zlib.decompress(content[13:]) if encoding else content[13:]


def test_records_are_written_as_blender_writes_them(tmp_path):
    export_assembly(tmp_path / "a.fbx", people(), "unity")
    content = (tmp_path / "a.fbx").read_bytes()
    assert write_records(content, read_records(content)) == content


def test_unreals_file_holds_centimetres_at_scale_one(tmp_path):
    """Unless told otherwise, Unreal's importer takes every number for centimetres, whatever unit the file states."""
    made = people()
    for preset in ("unreal", "blender"):
        export_assembly(tmp_path / f"{preset}.fbx", made, preset)
    unreal, metres = records(tmp_path / "unreal.fbx"), records(tmp_path / "blender.fbx")
    assert setting(unreal, b"UnitScaleFactor") == setting(unreal, b"OriginalUnitScaleFactor") == 1.0
    assert setting(metres, b"UnitScaleFactor") == 100.0
    armature = made.armatures[0].data
    places, in_metres = (values_of(root, b"Model", b"Lcl Translation") for root in (unreal, metres))
    for bone in armature.bones:
        if bone.parent:
            length = (bone.head_local - bone.parent.head_local).length  # m
            assert np.linalg.norm(places[bone.name]) == pytest.approx(100 * length, rel=1e-5), bone.name
            assert np.linalg.norm(in_metres[bone.name]) == pytest.approx(length, rel=1e-5), bone.name
    for scale in values_of(unreal, b"Model", b"Lcl Scaling").values():
        assert scale == pytest.approx(np.ones(3), abs=1e-6)
    heights = [np.ptp(next(root.named(b"Objects", b"Geometry", b"Vertices")).floats(0).reshape(-1, 3), axis=0) for root in (unreal, metres)]
    assert sorted(heights[0]) == pytest.approx(sorted(100 * heights[1]), rel=1e-5)
    binds = [[record.floats(0) for record in root.named(b"Objects", b"Deformer", b"TransformLink")] for root in (unreal, metres)]
    lengths = [sorted(np.linalg.norm(bind[12:15]) for bind in each) for each in binds]
    assert lengths[0] == pytest.approx(np.multiply(lengths[1], 100), rel=1e-4, abs=1e-4)
    turns = [bind[:12] for bind in binds[0]]
    assert np.abs(turns).max() <= 1 + 1e-5  # rotations are not scaled


def test_unreals_file_keys_locations_in_centimetres_and_rotations_as_before(tmp_path):
    made = people()
    curves = []
    for preset in ("unreal", "unity"):
        export_assembly(tmp_path / f"{preset}.fbx", made, preset)
        root = records(tmp_path / f"{preset}.fbx")
        kinds = {node.integer(0): node.text(1).split(b"\0")[0] for node in root.named(b"Objects", b"AnimationCurveNode")}
        parents = {link.integer(1): kinds.get(link.integer(2)) for link in root.named(b"Connections", b"C") if len(link.properties) > 3}
        of_kind = defaultdict(list)
        for curve in root.named(b"Objects", b"AnimationCurve"):
            of_kind[parents[curve.integer(0)]].append(np.abs(next(curve.named(b"KeyValueFloat")).floats(0)).max())
        curves.append({kind: max(found) for kind, found in of_kind.items()})
    assert curves[0][b"T"] == pytest.approx(100 * curves[1][b"T"], rel=0.2) and curves[1][b"T"] < 5  # m
    assert curves[0][b"R"] <= 360  # degrees
    assert curves[0].get(b"S", 1) == pytest.approx(1, abs=1e-5)
    assert all(curves[0][kind] == largest for kind, largest in curves[1].items() if kind not in (b"T", b"R", b"S"))


@pytest.mark.parametrize("first", [1, 1001])
def test_the_first_key_is_at_zero(tmp_path, first):
    """Blender's importer puts time 0 at frame 1, and other programs begin there."""
    made = people()
    scene = bpy.context.scene
    if first == 1:
        export_assembly(tmp_path / "a.fbx", made, "blender")
    else:
        for curve in _curves(made.armatures[0]):
            for key in curve.keyframe_points:
                key.co.x += first - 1
        export_characters(tmp_path / "a.fbx", made.armatures)
    root = records(tmp_path / "a.fbx")
    times = key_times(root)
    assert times and {int(each[0]) for each in times} == {0}
    assert {int(each[-1]) for each in times} == {int((FRAMES - 1) / 30 * 46186158000)}
    assert scene.frame_start == 1
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.fbx(filepath=str(tmp_path / "a.fbx"))
    rig = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    assert tuple(rig.animation_data.action.frame_range) == pytest.approx((1, FRAMES), abs=1e-3)


def _curves(armature_object):
    action = armature_object.animation_data.action
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    return [curve for layer in action.layers for strip in layer.strips for bag in strip.channelbags for curve in bag.fcurves]


def test_an_fbx_whose_record_announces_more_than_it_holds_is_refused_before_it_is_imported(tmp_path):
    record = struct.pack("<IIIB", 60, 1 << 24, 8, 4) + b"Name" + bytes(40)
    (tmp_path / "a.fbx").write_bytes(b"Kaydara FBX Binary  \x00\x1a\x00" + struct.pack("<I", 7400) + record)
    with pytest.raises(InputError, match="more properties than bytes"):
        load_character(tmp_path / "a.fbx")
