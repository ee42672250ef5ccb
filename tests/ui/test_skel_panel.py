"""The panel of anatomical angles, which is drawn for SKEL armatures only."""

from types import SimpleNamespace

import bpy
import pytest

from blender_meshrec.core.skel.vocabulary import DOF_LIMITS, DOF_NAMES, dof_index
from blender_meshrec.scene.person.skel_armature import build_skel_armature
from blender_meshrec.ui.result.skel_panel import AnglesPanel, bone_angles, limit_side
from tests.support.synthetic_skel import synthetic_skel


@pytest.fixture
def rig(addon):
    return build_skel_armature("anna", synthetic_skel(), [0.0] * 10, bpy.context.scene.collection)[0]


def test_panel_is_shown_for_skel_armatures_only(rig):
    plain = bpy.data.objects.new("plain", bpy.data.armatures.new("plain"))
    bpy.context.scene.collection.objects.link(plain)
    assert AnglesPanel.poll(SimpleNamespace(object=rig))
    for other in (None, plain, bpy.data.objects.new("empty", None)):
        assert not AnglesPanel.poll(SimpleNamespace(object=other))


def test_every_angle_is_named_and_limits_are_detected(rig):
    names = [name for bone in rig.pose.bones for _, name in bone_angles(bone)]
    assert sorted(names) == sorted(DOF_NAMES)
    knee = rig.pose.bones["tibia_r"]
    ((column, name),) = bone_angles(knee)
    low, high = DOF_LIMITS[dof_index(name)]
    for value, side in ((low, -1), ((low + high) / 2, 0), (high, 1), (high + 0.2, 1)):
        knee.rotation_euler[column] = value
        assert limit_side(knee, column, name) == side
