"""The options of retargeting to an artist's character, as of options.py."""

from dataclasses import dataclass

from .option_choices import DRIVES, ROOTS
from .option_records import Argument, PanelProperty, option


@dataclass(frozen=True, kw_only=True)
class CharacterOptions:
    """The options of retargeting to an artist's character.

    root: what carries the movement: "hips", "root" (a root-motion bone carries the path on the floor and the heading, where the rig has
    one), or "in_place" (no movement over the floor). drive: the controls of a control rig that are keyed: "fk", "ik" or "both". hands,
    feet: keep the positions of the hands and the contacts of the feet, by IK. force: write a character also where it does not move as
    planned. keep_timeline: keep the frame rate and range of a .blend's scene.
    """

    root: str = option(
        "hips",
        choices=ROOTS,
        argument=Argument(
            "--root", "what carries the movement: the hips, the bone for root motion, or nothing, which keeps the character in its place"
        ),
        panel=PanelProperty("Movement", "What carries the character through the scene"),
    )
    drive: str = option(
        "both",
        choices=DRIVES,
        argument=Argument("--drive", "which controls of a control rig are keyed", words=("fk", "ik", "both")),
        panel=PanelProperty("Controls", "Which controls of a control rig are keyed"),
    )
    hands: bool = option(
        False,
        argument=Argument("--hands", "keep hands where the performer's were, as far as the arms reach"),
        panel=PanelProperty("Keep Hands in Place", "Bring hands to where the person's are, whatever the length of the arms"),
    )
    feet: bool = option(
        True,
        argument=Argument("--no-foot-ik", "turn the legs as the performer's and let feet go where that leads"),
        panel=PanelProperty("Lock Feet", "Plant heels and toes where the person's touch the floor"),
    )
    force: bool = option(
        False,
        argument=Argument("--force", "write the character also where its own constraints or drivers win over the new keys"),
    )
    keep_timeline: bool = option(
        False,
        argument=Argument(
            "--keep-timeline",
            "of a character and an output that are .blend: keep the scene's frame rate and range, and begin at its first frame",
        ),
    )
