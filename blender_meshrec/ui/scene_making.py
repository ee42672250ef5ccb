"""From a result to what the artist sees: people in the scene under the names they were given, coloured, with their report."""

from ..core.files.body_template import load_body
from ..core.messages import messages_to_text
from ..core.skel.template import load_skel
from ..scene.assemble import Person, assemble, match_scene
from ..scene.confidence import colour_bones, joint_confidence
from ..scene.earlier_results import SidelinedResults, find_earlier_results, mark_result
from ..scene.report_text import quality_sentences, report_lines, write_report


def make_people(context, clip, numbered, bodies, report=None, replace=False, surfaces=None):
    """Make recoveries in the current scene, select their armatures and give the Assembly.

    What people are called, whether bones may stretch and the scene follows the footage, are the scene's own settings.

    Args:
        clip: a name. numbered: (number, Recovery) pairs of one clip. bodies: what `load_body` and `load_skel` are given.
        report: of the Result. replace: earlier results of the same people go. surfaces: number -> point cache of the exact surface.
    """
    report = report or {}
    footage = numbered[0][1].footage
    aside = SidelinedResults(find_earlier_results(footage, [number for number, _ in numbered]) if replace and footage else ())
    try:
        assembly = _assemble(context.scene, clip, numbered, bodies, report, surfaces or {})
    except BaseException:
        aside.restore()
        raise
    _transfer_references(context.scene, aside, assembly)
    aside.remove()
    _select_armatures(context, assembly)
    return assembly


def _assemble(scene, clip, numbered, bodies, report, surfaces):
    settings = scene.meshrec
    template = load_body(bodies[0])
    skel = load_skel(bodies[1]) if any(recovery.q is not None for _, recovery in numbered) else None
    called = [settings.person_name(number) for number, _ in numbered]
    people = [
        Person(f"{clip} {name}", recovery, template, skel if recovery.q is not None else None, surfaces.get(number))
        for name, (number, recovery) in zip(called, numbered)
    ]
    fps = None if settings.match_scene else scene.render.fps / scene.render.fps_base
    assembly = assemble(people, clip, fps=fps, stretch=settings.stretch)
    if settings.match_scene:
        match_scene(scene, assembly, people[0].recovery.camera)
    numbers = {person["person"]: person for person in report.get("people", ())}
    told = []
    for rig, name, (number, recovery) in zip(assembly.armatures, called, numbered):
        sentences = quality_sentences(recovery, numbers.get(number))
        rig["quality"] = messages_to_text(sentences)
        told.append((name, sentences, numbers.get(number, {})))
        colour_bones(rig, joint_confidence(recovery))
    text = write_report(clip, report_lines(clip, told, report, assembly.notes))
    for rig in assembly.armatures:
        rig["report"] = text
    mark_result(assembly, numbered[0][1].footage, [(number, name) for name, (number, _) in zip(called, numbered)], text)
    return assembly


def _transfer_references(scene, aside, assembly):
    """Let what referred to an earlier result refer to the new one."""
    if scene.meshrec_retarget.source in (None, *aside.armatures):
        scene.meshrec_retarget.source = assembly.armatures[0]


def _select_armatures(context, assembly):
    for thing in context.selected_objects:
        thing.select_set(False)
    for rig in assembly.armatures:
        rig.select_set(True)
    context.view_layer.objects.active = assembly.armatures[0]
