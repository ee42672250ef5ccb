"""The parts of a body in German: those of a character's mapping, and the joints that reports name."""

PARTS_OF_A_BODY = {
    "Root": "Wurzel",
    "Spine": "Wirbelsäule",
    "Neck": "Hals",
    "Head": "Kopf",
    "pelvis": "Becken",
    "spine1": "Wirbelsäule unten",
    "spine2": "Wirbelsäule Mitte",
    "spine3": "Wirbelsäule oben",
    "neck": "Hals",
    "head": "Kopf",
}

_SIDES = {"Left": "links", "Right": "rechts"}
_PARTS = {
    "Clavicle": "Schlüsselbein", "Upper Arm": "Oberarm", "Lower Arm": "Unterarm", "Hand": "Hand", "Upper Leg": "Oberschenkel",
    "Lower Leg": "Unterschenkel", "Foot": "Fuß", "Toes": "Zehen", "Upper Arm Twist": "Oberarmdrehung", "Lower Arm Twist": "Unterarmdrehung",
    "Upper Leg Twist": "Oberschenkeldrehung", "Lower Leg Twist": "Unterschenkeldrehung", "Thumb": "Daumen", "Index": "Zeigefinger",
    "Middle": "Mittelfinger", "Ring": "Ringfinger", "Little": "Kleiner Finger",
}  # fmt: skip
_JOINTS = {
    "hip": "Hüfte", "knee": "Knie", "ankle": "Knöchel", "foot": "Fuß", "collar": "Schlüsselbein", "shoulder": "Schulter",
    "elbow": "Ellbogen", "wrist": "Handgelenk", "hand": "Hand",
}  # fmt: skip
PARTS_OF_A_BODY.update({f"{side} {part}": f"{text} {where}" for side, where in _SIDES.items() for part, text in _PARTS.items()})
PARTS_OF_A_BODY.update({f"{side.lower()} {joint}": f"{text} {where}" for side, where in _SIDES.items() for joint, text in _JOINTS.items()})
