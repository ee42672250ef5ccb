"""The buttons that show where a result is doubtful and what it looks like: problems, markers, and views of the person."""

from typing import ClassVar

import bpy

from ...scene.cameras.checkerboard_floor import add_floor, find_floor, remove_floor
from ...scene.cameras.view_framing import frame_person, view_through_camera
from ...scene.takes.earlier_results import find_clip_camera
from ...scene.takes.frame_states import Problem, State, find_problems, next_problem
from ..blender_types import OperatorMixin, OperatorResult, require, scene_of
from ..operator_feedback import poll_unless
from ..selection import missing_person, result_armature
from ..translation import translate
from .next_step import LOOKED_PROPERTY

PROBLEM_PHRASES = {State.DOUBTFUL: "Doubtful", State.FILLED_IN: "Filled in"}
_MARKER_PROPERTY = "meshrec_markers"  # of the scene: the names of the markers of problems


class _ResultOperator(OperatorMixin):
    """Works on the active person."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, missing_person(result_armature(context)))


class _JumpOperator(_ResultOperator):
    """Moves the playhead to a problem. A subclass tells the direction."""

    forwards: ClassVar = True

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        scene = scene_of(context)
        armature_object = require(result_armature(context))
        problem = next_problem(find_problems(armature_object), scene.frame_current, self.forwards)
        if problem is None:
            self.report({"INFO"}, translate("No frame of this take is doubtful or filled in."))
            return {"CANCELLED"}
        scene.frame_set(problem.first)
        armature_object[LOOKED_PROPERTY] = True
        self.report({"INFO"}, describe_problem(problem))
        return {"FINISHED"}


class NextProblem(_JumpOperator, bpy.types.Operator):
    """Go to the next frames that are doubtful or filled in"""

    bl_idname = "meshrec.next_problem"
    bl_label = "Next Problem"


class PreviousProblem(_JumpOperator, bpy.types.Operator):
    """Go to the previous frames that are doubtful or filled in"""

    bl_idname = "meshrec.previous_problem"
    bl_label = "Previous Problem"

    forwards: ClassVar = False


class MarkProblems(_ResultOperator, bpy.types.Operator):
    """Set a marker at each run of frames that is doubtful or filled in; again, to remove these markers"""

    bl_idname = "meshrec.mark_problems"
    bl_label = "Mark Problems"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        scene = scene_of(context)
        if remove_markers(scene):
            return {"FINISHED"}
        armature_object = require(result_armature(context))
        problems = find_problems(armature_object)
        names = [f"{armature_object.name}: {translate(PROBLEM_PHRASES[problem.state])}" for problem in problems]
        for name, problem in zip(names, problems):
            scene.timeline_markers.new(name, frame=problem.first)
        scene[_MARKER_PROPERTY] = list(dict.fromkeys(names))
        self.report({"INFO"}, translate("{count} markers were set.", count=len(problems)))
        return {"FINISHED"}


class ViewThroughCamera(_ResultOperator, bpy.types.Operator):
    """Look through the camera of the footage, with the footage behind the person; again, to leave it"""

    bl_idname = "meshrec.view_camera"
    bl_label = "View through Camera"

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        camera = find_clip_camera(require(result_armature(context)))
        if camera is None:
            self.report({"ERROR"}, translate("The scene has no camera."))
            return {"CANCELLED"}
        for space in _views(context):
            view = require(space.region_3d)
            if view.view_perspective == "CAMERA" and scene_of(context).camera == camera:
                view.view_perspective = "PERSP"
            else:
                view_through_camera(scene_of(context), space, camera)
        return {"FINISHED"}


class FramePerson(_ResultOperator, bpy.types.Operator):
    """Show the whole person as large as the view allows, whatever is selected"""

    bl_idname = "meshrec.frame_person"
    bl_label = "Frame Person"

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        for space in _views(context):
            frame_person(space, require(result_armature(context)))
        return {"FINISHED"}


class ToggleFloor(_ResultOperator, bpy.types.Operator):
    """Show a checkerboard on the floor, with squares of half a metre, to judge feet and paths by; again, to remove it"""

    bl_idname = "meshrec.checkerboard_floor"
    bl_label = "Checkerboard Floor"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        armature_object = require(result_armature(context))
        floor = find_floor(armature_object)
        if floor is None:
            add_floor(armature_object)
        else:
            remove_floor(floor)
        return {"FINISHED"}


def remove_markers(scene: bpy.types.Scene) -> bool:
    """Remove the markers of problems; False if there are none."""
    names = set(scene.get(_MARKER_PROPERTY, ()))
    markers = [marker for marker in scene.timeline_markers if marker.name in names]
    for marker in markers:
        scene.timeline_markers.remove(marker)
    if _MARKER_PROPERTY in scene:
        del scene[_MARKER_PROPERTY]
    return bool(markers)


def describe_problem(problem: Problem) -> str:
    """A problem as a translated text: what, and in which frames."""
    what = translate(PROBLEM_PHRASES[problem.state])
    if problem.first == problem.last:
        return translate("{what}: frame {first}", what=what, first=problem.first)
    return translate("{what}: frames {first} to {last}", what=what, first=problem.first, last=problem.last)


def _views(context: bpy.types.Context) -> list[bpy.types.SpaceView3D]:
    """The 3D view in which a button was clicked; without one, all of the screen."""
    if isinstance(context.space_data, bpy.types.SpaceView3D):
        return [context.space_data]
    areas = context.screen.areas if context.screen is not None else ()
    return [space for area in areas if isinstance(space := area.spaces.active, bpy.types.SpaceView3D)]


CLASSES = (NextProblem, PreviousProblem, MarkProblems, ViewThroughCamera, FramePerson, ToggleFloor)
