"""Made-up characters to map: people of random proportions and rest poses, with any names and any clutter on their skeletons."""

import numpy as np

from blender_meshrec.retarget.rig import FINGER_SLOTS, SIDES, Rig

# The parts of the body that every test of mapping compares; fingers and twists are looked at on their own.
BODY = ("hips", "spine", "neck", "head")
LIMBS = ("clavicle", "upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot", "toes")


def body_slots(slots):
    """Only what is part of the body proper."""
    return {slot: tuple(bones) for slot, bones in slots.items() if slot in BODY or slot.split("_", 1)[-1] in LIMBS}


class RigBuilder:
    """Bones of a character one by one: name, parent, where it begins; tails follow from what hangs from it."""

    def __init__(self):
        self.heads, self.parent = {}, {}

    def add(self, name, parent, head):
        """Put a bone; names must be new and the parent there."""
        assert name not in self.heads, name
        assert parent is None or parent in self.heads, parent
        self.heads[name], self.parent[name] = np.array(head, float), parent

    def chain(self, names, parent, start, stop):
        """Put a run of bones between two points, each hanging from the one before; gives the last one's name."""
        for number, name in enumerate(names):
            self.add(name, parent, start + (stop - start) * number / len(names))
            parent = name
        return parent

    def rig(self, rng, name="character", tails="along", armature_from_body=None, world=None, order="depth", **fields):
        """The Rig. tails: "along" to the next joint, or "anywhere", as importers of game formats leave them.

        armature_from_body: (4,4) how the body lies in the armature's own axes, so that in the world it lies as `world` turns it.
        """
        children = {bone: [] for bone in self.heads}
        for bone, parent in self.parent.items():
            if parent is not None:
                children[parent].append(bone)
        names = []
        waiting = [bone for bone, parent in self.parent.items() if parent is None][::-1]
        while waiting:
            names.append(waiting.pop() if order == "depth" else waiting.pop(0))
            following = list(children[names[-1]])
            rng.shuffle(following)
            waiting.extend(following)
        move = np.eye(4) if armature_from_body is None else armature_from_body
        size = np.ptp(np.array(list(self.heads.values())), axis=0).max()
        rest, lengths = [], []
        for bone in names:
            if tails == "anywhere":
                to = rng.normal(size=3)
                to *= rng.uniform(0.02, 0.1) * size / np.linalg.norm(to)
            elif children[bone]:
                to = np.mean([self.heads[child] for child in children[bone]], axis=0) - self.heads[bone]
            else:
                to = self.heads[bone] - self.heads[self.parent[bone]] if self.parent[bone] else np.array([0, 0, 0.1 * size])
            if np.linalg.norm(to) < 0.005 * size:
                to = np.array([0, 0, 0.02 * size])
            y = to / np.linalg.norm(to)
            x = np.cross(y, rng.normal(size=3))
            x /= np.linalg.norm(x)
            matrix = np.eye(4)
            matrix[:3, :3] = np.stack([x, y, np.cross(x, y)], axis=1)
            matrix[:3, 3] = self.heads[bone]
            scale = np.cbrt(abs(np.linalg.det(move[:3, :3])))
            matrix = move @ matrix
            matrix[:3, :3] /= scale
            rest.append(matrix)
            lengths.append(np.linalg.norm(to) * scale)
        parents = [names.index(self.parent[bone]) if self.parent[bone] else -1 for bone in names]
        return Rig(name, names, parents, rest, lengths, np.eye(4) if world is None else world, **fields)


def make_humanoid(
    truth, rng, *, arms_down=None, thighs_from=None, clavicles_from=None, over_hips=(), pelvis=None, hip_joints=None, metacarpals=None
):
    """A standing person whose bones have the names of `truth` (slot -> bones), as a Builder to hang more on.

    arms_down: degrees below the horizontal. thighs_from, clavicles_from: bones these hang from instead of hips and chest.
    over_hips: bones above the hips, at the same place. pelvis: a bone beside the spine that the thighs hang from. hip_joints:
    two bones from the middle of the hips to the thighs. metacarpals: names by (side, finger).
    """
    vary = lambda low, high: rng.uniform(low, high)  # noqa: E731
    build = RigBuilder()
    height = 1.7
    leg, torso, arm = 0.47 * height * vary(0.7, 1.2), 0.28 * height * vary(0.85, 1.15), 0.32 * height * vary(0.85, 1.2)
    hip, shoulder = 0.055 * height * vary(0.8, 1.4), 0.11 * height * vary(0.85, 1.2)
    foot, ankle = 0.08 * height * vary(0.8, 1.5), 0.045 * height * vary(0.8, 1.6)
    down = np.radians(vary(0, 65) if arms_down is None else arms_down)
    hips_at = np.array([0, 0.01 * vary(-1, 1), leg + ankle])
    parent = None
    if truth.get("root"):
        build.add(truth["root"][0], None, np.zeros(3))
        parent = truth["root"][0]
    for name in over_hips:
        build.add(name, parent, hips_at)
        parent = name
    hips = build.chain(truth["hips"], parent, hips_at, hips_at + [0, 0, 0.02])
    spine_at = hips_at + [0, 0.01, 0.12 * torso]
    chest = build.chain(truth["spine"], hips, spine_at, hips_at + [0, 0.02, torso])
    neck_at = hips_at + [0, 0.02, torso * vary(0.98, 1.06)]
    head_at = neck_at + [0, -0.02, torso * vary(0.15, 0.3)]
    neck = build.chain(truth.get("neck", ()), chest, neck_at, head_at)
    build.chain(truth["head"], neck, head_at if truth.get("neck") else neck_at + [0, 0, 0.1 * torso], head_at + [0, 0, 0.1])
    if pelvis:
        build.add(pelvis, hips, hips_at - [0, 0, 0.01])
    for number, side in enumerate(SIDES):
        out = np.array([1.0 - 2 * number, 1, 1])  # mirrors x

        def names(part, side=side):
            return truth.get(f"{side}_{part}", ())

        shoulder_at = hips_at + out * [shoulder, 0.02, 0.92 * torso]
        direction = out * [np.cos(down), 0.0, -np.sin(down)]
        elbow_at = shoulder_at + direction * 0.53 * arm + [0, 0.01, 0]
        wrist_at = elbow_at + direction * 0.47 * arm - [0, 0.02, 0]
        tips_at = wrist_at + direction * 0.18 * arm
        parent = clavicles_from or chest
        parent = build.chain(names("clavicle"), parent, hips_at + out * [0.15 * shoulder, 0.0, 0.9 * torso], shoulder_at)
        parent = build.chain(names("upper_arm"), parent, shoulder_at, elbow_at)
        parent = build.chain(names("lower_arm"), parent, elbow_at, wrist_at)
        parent = build.chain(names("hand"), parent, wrist_at, tips_at)
        for place, finger in enumerate(FINGER_SLOTS):
            aside = np.array([0, -0.03 + 0.015 * place, 0])
            knuckle = wrist_at + direction * (0.3 if finger == "thumb" else 0.8) * 0.18 * arm + aside
            hand = parent
            if (metacarpals or {}).get((side, finger)):
                build.add(metacarpals[side, finger], hand, wrist_at + direction * 0.1 * 0.18 * arm + aside * 0.6)
                hand = metacarpals[side, finger]
            onward = direction * 0.14 * arm + (np.array([0, -0.03, 0]) if finger == "thumb" else 0)
            build.chain(names(finger), hand, knuckle, knuckle + onward)
        hip_at = hips_at + out * [hip, 0, -0.03 * leg]
        knee_at = hip_at * [1, 1, 0] + [0, -0.01, ankle + 0.48 * leg] + out * [0.02, 0, 0]
        ankle_at = hip_at * [1, 1, 0] + [0, 0.02, ankle] + out * [0.03, 0, 0]
        ball_at = ankle_at * [1, 1, 0.2] + [0, -foot, 0]
        parent = thighs_from or pelvis or hips
        if hip_joints:
            build.add(hip_joints[number], parent, hips_at)
            parent = hip_joints[number]
        parent = build.chain(names("upper_leg"), parent, hip_at, knee_at)
        parent = build.chain(names("lower_leg"), parent, knee_at, ankle_at)
        parent = build.chain(names("foot"), parent, ankle_at, ball_at)
        build.chain(names("toes"), parent, ball_at, ball_at - [0, 0.05, 0])
    return build


def add_extra_bones(build, truth, rng, style=str):
    """Hang on what characters carry that is no part of a body: ends, face, hair, cloth, weapons, IK targets, correctives.

    style: makes a name in the rig's own manner out of plain words.
    """
    base = truth["root"][0] if truth.get("root") else None
    head, hips, chest = truth["head"][-1], truth["hips"][-1], truth["spine"][-1]
    at = dict(build.heads)
    sides = {"left": "L", "right": "R"}
    for side, letter in sides.items():
        x = np.array([1.0 if side == "left" else -1.0, 1, 1])
        build.add(style(f"Eye_{letter}"), head, at[head] + x * [0.03, -0.08, 0.06])
        build.add(style(f"Breast_{letter}"), chest, at[chest] + x * [0.08, -0.1, 0.05])
        hand, foot = truth[f"{side}_hand"][-1], truth[f"{side}_foot"][-1]
        build.add(style(f"Weapon_{letter}"), hand, at[hand] + x * [0.03, -0.05, 0])
        build.add(style(f"IK_Foot_{letter}"), base, at[foot])
        build.add(style(f"IK_Hand_{letter}"), base, at[hand])
        build.add(style(f"Knee_Pole_{letter}"), base, at[foot] + [0, -0.8, 0.4])
        build.add(style(f"Thigh_Muscle_{letter}"), truth[f"{side}_upper_leg"][0], at[truth[f"{side}_upper_leg"][0]] - [0, 0.05, 0.1])
        parent = hips
        for step in range(int(rng.integers(2, 5))):
            build.add(style(f"Skirt_{letter}_{step}"), parent, at[hips] + x * [0.12 + 0.02 * step, 0, -0.1 - 0.12 * step])
            parent = style(f"Skirt_{letter}_{step}")
        parent = head
        for step in range(3):
            build.add(style(f"Hair_{letter}_{step}"), parent, at[head] + x * [0.1, 0.02, 0.05 - 0.08 * step])
            parent = style(f"Hair_{letter}_{step}")
    build.add(style("Jaw"), head, at[head] + [0, -0.05, 0.02])
    build.add(style("HeadTop_End"), head, at[head] + [0, 0, 0.2])
    parent = hips
    for step in range(3):
        build.add(style(f"Tail_{step}"), parent, at[hips] + [0, 0.1 + 0.1 * step, -0.05])
        parent = style(f"Tail_{step}")
    leaves = [bone for bone in at if bone not in build.parent.values()]
    for bone in leaves:
        build.add(f"{bone}_end", bone, at[bone] + (at[bone] - at[build.parent[bone]]) * 0.5)
    return build


def anonymise_bones(build, truth, rng):
    """The same character with names that mean nothing: a new Builder and truth, and what each name was."""
    numbers = rng.permutation(len(build.heads))
    new = {bone: f"bone.{number:03d}" for bone, number in zip(build.heads, numbers, strict=True)}
    other = RigBuilder()
    other.heads = {new[bone]: head for bone, head in build.heads.items()}
    other.parent = {new[bone]: new.get(parent) for bone, parent in build.parent.items()}
    return other, {slot: [new[bone] for bone in bones] for slot, bones in truth.items()}
