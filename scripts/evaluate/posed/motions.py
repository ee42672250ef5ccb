"""The motions posed by hand: what recordings of motion capture lack. See key_poses.py for the angles' meaning."""

from dataclasses import replace

import numpy as np

from scripts.evaluate.posed.key_poses import Arm, Contact, Flight, Leg, Motion, Pose

FEET = ("left_heel", "left_toe", "right_heel", "right_toe")
STAND = Pose()
CHAIR, BAR = 0.45, 2.3  # m

# Arms (outward, up, forward).
REACH: Arm = ((0.2, -0.15, 1), (0.0, -0.05, 1))
OVERHEAD: Arm = ((0.28, 1, 0.12), (-0.02, 1, 0.1))
ON_THIGHS: Arm = ((0.18, -1, 0.25), (0.0, -0.45, 1))
BACKWARD: Arm = ((0.3, -1, -0.7), (0.25, -1, -0.35))
WIDE: Arm = ((1, -0.25, 0.2), (0.9, -0.2, 0.5))


def on_floor(parts: tuple[str, ...], begin: float, end: float, slides: bool = False) -> list[Contact]:
    """Contacts of parts with the floor over one span."""
    return [Contact(part, begin, end, slides=slides) for part in parts]


def stand_still() -> Motion:
    """Standing for 30 s with the sway of a standing person."""
    rng = np.random.default_rng(3)
    keys: list[tuple[float, Pose]] = []
    for time in np.linspace(0, 30, 21):
        a, b, c, d = rng.normal(size=4)
        arm: Arm = ((0.2 + 0.02 * a, -1, 0.02 + 0.03 * b), (0.1, -1, 0.2 + 0.04 * c))
        keys.append(
            (float(time), Pose(root=(0, 0.4 * a, 0.3 * b), spine=(2 + 0.8 * c, 0.5 * d, 0.8 * a), head=(2 * b, c, 4 * d), arms=arm))
        )
    return Motion("stand_still", keys, on_floor(FEET, 0, 30), straight=[(0, 30)], balance=[(0, 30)], still=True)


def turn_head() -> Motion:
    """Standing straight: the head turns, nods, the arms rise to the sides and over the head."""
    poses = [
        (0.0, STAND), (0.8, STAND), (1.5, replace(STAND, head=(0, 0, 65))), (2.1, replace(STAND, head=(0, 0, 65))),
        (3.0, replace(STAND, head=(0, 0, -65))), (3.5, replace(STAND, head=(0, 0, -65))), (4.1, replace(STAND, head=(35, 0, 0))),
        (4.7, replace(STAND, head=(-30, 0, 0))), (5.2, STAND), (6.2, replace(STAND, arms=WIDE)), (7.0, replace(STAND, arms=OVERHEAD)),
        (7.6, replace(STAND, arms=OVERHEAD)), (8.6, replace(STAND, arms=WIDE)), (9.4, STAND), (10.0, STAND),
    ]  # fmt: skip
    return Motion("turn_head", poses, on_floor(FEET, 0, 10), straight=[(0, 10)], balance=[(0, 10)], still=True)


def sit_on_chair() -> Motion:
    """Sit down on a chair of 45 cm, talk with the hands, get up."""
    half: Leg = (75, 8, 8, 85, 18)
    seated: Leg = (82, 9, 8, 84, 4)
    lower = Pose(root=(0, 38, 0), spine=(14, 0, 0), head=(-30, 0, 0), legs=half, arms=REACH)
    sit = Pose(root=(0, -6, 0), spine=(10, 0, 0), legs=seated, arms=ON_THIGHS)
    talk = replace(sit, left_arm=((0.35, -1, 0.3), (-0.1, 0.25, 1)), head=(0, 4, 20))
    rise = Pose(root=(0, 44, 0), spine=(18, 0, 0), head=(-35, 0, 0), legs=(88, 9, 8, 92, 24), arms=REACH)
    keys = [
        (0.0, STAND), (0.7, STAND), (1.5, lower), (2.1, sit), (2.9, sit), (3.6, talk), (4.3, talk), (5.0, sit), (5.6, sit),
        (6.3, rise), (7.2, STAND), (8.0, STAND),
    ]  # fmt: skip
    contacts = [*on_floor(FEET, 0, 8), Contact("seat", 2.1, 5.75, "chair")]
    return Motion("sit_on_chair", keys, contacts, supports={"chair": CHAIR}, straight=[(0, 0.6), (7.4, 8)], balance=[(0, 1.5), (6.5, 8)])


def lie_down() -> Motion:
    """Squat, sit on the floor, lie down on the back, sit up and get up."""
    squat = Pose(root=(0, 40, 0), spine=(30, 0, 0), head=(-25, 0, 0), legs=(112, 16, 14, 128, 30), arms=REACH)
    reach_back = Pose(root=(0, 2, 0), spine=(45, 0, 0), legs=(104, 12, 10, 118, 8), arms=BACKWARD, hands=35)
    sit = Pose(root=(0, -22, 0), spine=(38, 0, 0), legs=(78, 8, 8, 88, -8), arms=((0.25, -0.8, 0.6), (0, -0.3, 1)))
    recline = Pose(root=(0, -55, 0), spine=(34, 0, 0), head=(18, 0, 0), legs=(40, 8, 8, 62, -16), arms=((0.3, -0.8, 0.5), (0.1, -0.6, 0.7)))
    lie = Pose(root=(0, -90, 0), spine=(0, 0, 0), head=(4, 0, 0), legs=(3, 9, 20, 4, -32), arms=((0.45, -1, -0.12), (0.4, -1, -0.05)))
    look = replace(lie, head=(4, 0, 35), right_arm=((0.8, -0.6, -0.12), (0.9, -0.2, 0.05)))
    crouch = Pose(root=(0, 32, 0), spine=(38, 0, 0), head=(-20, 0, 0), legs=(118, 15, 14, 132, 26), arms=((0.3, -0.2, 1), (0.1, -0.1, 1)))
    keys = [
        (0.0, STAND), (0.6, STAND), (1.5, squat), (2.0, reach_back), (2.6, sit), (3.3, recline), (4.1, lie), (5.0, lie), (5.7, look),
        (6.3, lie), (6.9, recline), (7.5, sit), (8.1, replace(reach_back, arms=REACH, hands=0)), (8.6, crouch), (9.6, STAND), (10.4, STAND),
    ]  # fmt: skip
    heels = ("left_heel", "right_heel")
    toes = ("left_toe", "right_toe")
    contacts = [
        *on_floor(heels, 0, 2.9), *on_floor(toes, 0, 2.9), *on_floor(heels, 3.0, 7.3, slides=True), *on_floor((*heels, *toes), 7.5, 10.4),
        Contact("seat", 2.2, 8.15), Contact("back", 3.9, 6.55, slides=True), Contact("head", 4.1, 6.4, slides=True),
    ]  # fmt: skip
    return Motion("lie_down", keys, contacts, straight=[(0, 0.5), (9.8, 10.4)], balance=[(0, 1.3), (9.2, 10.4)])


def push_ups() -> Motion:
    """From standing to the floor, ten push-ups, and up again."""
    toes = ("left_toe", "right_toe")
    hands = ("left_palm", "right_palm", "left_fingers", "right_fingers")
    squat = Pose(
        root=(0, 62, 0), spine=(48, 0, 0), head=(-45, 0, 0), legs=(128, 14, 12, 125, 30), arms=((0.35, 0.35, 1), (-0.1, 0.45, 1)), hands=78
    )
    leg: Leg = (-4, 4, 2, 4, -6)
    up = Pose(root=(0, 72, 0), spine=(2, 0, 0), head=(-24, 0, 0), legs=leg, arms=((0.42, -0.1, 1), (-0.02, 0.1, 1)), hands=82)
    down = Pose(root=(0, 86, 0), spine=(0, 0, 0), head=(-28, 0, 0), legs=leg, arms=((1, -0.75, -0.25), (-0.12, 0.12, 1)), hands=84)
    keys: list[tuple[float, Pose]] = [(0.0, STAND), (0.5, STAND), (1.5, squat), (1.8, squat), (2.3, up), (2.7, up)]
    for repeat in range(10):
        begin = 2.7 + 1.5 * repeat
        keys += [(begin + 0.75, down), (begin + 1.5, up)]
    end = keys[-1][0]
    keys += [(end + 0.3, up), (end + 0.8, squat), (end + 1.1, squat), (end + 2.1, STAND), (end + 2.6, STAND)]
    contacts = [
        *on_floor(FEET, 0, 1.3), *on_floor(toes, 1.3, 1.8), *on_floor(hands, 1.5, end + 1.0), *on_floor(toes, 2.3, end + 0.3),
        *on_floor(toes, end + 0.8, end + 2.6), *on_floor(("left_heel", "right_heel"), end + 1.5, end + 2.6),
    ]  # fmt: skip
    return Motion("push_ups", keys, contacts, straight=[(0, 0.4), (end + 2.3, end + 2.6)], balance=[(0, 1.2), (end + 1.6, end + 2.6)])


def handstand() -> Motion:
    """Step forward, hands to the floor, kick up, hold two seconds, come down."""
    hands = ("left_palm", "right_palm", "left_fingers", "right_fingers")
    raised = replace(STAND, arms=OVERHEAD, spine=(-6, 0, 0))
    lunge = Pose(root=(0, 28, 0), spine=(4, 0, 0), arms=OVERHEAD, left_leg=(62, 3, 4, 50, 16), right_leg=(-24, 4, 4, 8, 10), hands=20)
    tilt = Pose(root=(0, 104, 0), spine=(12, 0, 0), head=(-20, 0, 0), arms=((0.28, 1, 0.25), (-0.06, 1, 0.2)), left_leg=(112, 3, 4, 32, 14),
                right_leg=(8, 4, 4, 6, -25), hands=70)  # fmt: skip
    kick = Pose(root=(0, 142, 0), spine=(6, 0, 0), head=(-25, 0, 0), arms=((0.25, 1, 0.12), (-0.05, 1, 0.06)), left_leg=(78, 3, 4, 28, -20),
                right_leg=(-18, 4, 4, 4, -35), hands=80)  # fmt: skip
    hold = Pose(
        root=(0, 178, 0), spine=(-4, 0, 0), head=(-32, 0, 0), arms=((0.22, 1, 0.04), (-0.04, 1, 0.0)), legs=(-2, 3, 2, 3, -38), hands=84
    )
    down = replace(kick, root=(0, 140, 0))
    keys = [
        (0.0, STAND), (0.5, STAND), (1.1, raised), (1.7, lunge), (2.3, tilt), (2.75, kick), (3.3, hold),
        (4.2, replace(hold, root=(0, 179, 0.5))), (5.3, hold), (5.9, down), (6.4, tilt),
        (7.1, replace(lunge, arms=REACH)), (8.0, STAND), (8.6, STAND),
    ]  # fmt: skip
    right_foot = ("right_heel", "right_toe")
    left_foot = ("left_heel", "left_toe")
    contacts = [
        *on_floor(right_foot, 0, 1.6), *on_floor(("right_toe",), 1.6, 1.95), *on_floor(left_foot, 0, 1.15),
        *on_floor(left_foot, 1.65, 2.3), *on_floor(("left_toe",), 2.3, 2.55),
        *on_floor(hands, 2.3, 6.35), *on_floor(("left_toe",), 6.15, 6.4),
        *on_floor(left_foot, 6.4, 7.2), *on_floor(("right_toe",), 6.75, 7.1),
        *on_floor(("right_toe", "right_heel"), 7.1, 8.6), *on_floor(left_foot, 7.8, 8.6),
    ]  # fmt: skip
    return Motion("handstand", keys, contacts, straight=[(0, 0.4), (8.2, 8.6)], balance=[(0, 1.0), (3.5, 5.1), (8.0, 8.6)])


def hop() -> Motion:
    """Eight hops on the right leg, 30 cm forward each."""
    lifted: Leg = (28, 4, 6, 82, 0)
    bent = Pose(root=(0, 8, 0), spine=(12, 0, 0), left_leg=lifted, right_leg=(32, -3, 6, 48, 24), arms=((0.5, -1, -0.2), (0.4, -0.8, 0.6)))
    push = Pose(
        root=(0, 4, 0), spine=(4, 0, 0), left_leg=(46, 4, 6, 84, 0), right_leg=(2, -2, 6, 6, -24), arms=((0.6, -0.8, 0.3), (0.4, -0.4, 0.9))
    )
    air = replace(push, right_leg=(8, -2, 6, 16, -12))
    land = replace(push, right_leg=(14, -2, 6, 18, -2))
    on_one = Pose(left_leg=lifted, right_leg=(2, -4, 6, 4, 2), root=(0, 2, -2), spine=(2, -3, 0))
    keys: list[tuple[float, Pose]] = [(0.0, STAND), (0.5, STAND), (1.1, on_one), (1.5, on_one)]
    flights: list[Flight] = []
    contacts = [*on_floor(("left_heel", "left_toe"), 0, 0.7), *on_floor(("right_heel",), 0, 1.75), *on_floor(("right_toe",), 0, 1.9)]
    time = 1.75
    for number in range(8):
        keys += [(time, bent), (time + 0.18, push), (time + 0.33, air), (time + 0.48, land)]
        flights.append(Flight(time + 0.2, time + 0.47, (0, -0.3)))
        last = number == 7
        contacts += on_floor(("right_toe",), time + 0.47, time + (2.6 if last else 0.83)) + on_floor(
            ("right_heel",), time + 0.54, time + (2.6 if last else 0.7)
        )
        time += 0.65
    keys += [(time + 0.05, bent), (time + 0.6, on_one), (time + 1.1, STAND), (time + 1.95, STAND)]
    contacts += on_floor(("left_heel", "left_toe"), time + 1.1, time + 1.95)
    return Motion(
        "hop", keys, contacts, flights, straight=[(0, 0.45), (time + 1.3, time + 1.95)], balance=[(0.9, 1.4), (time + 0.6, time + 1.95)]
    )


def jump() -> Motion:
    """Three jumps on the spot with countermovement."""
    low = Pose(root=(0, 34, 0), spine=(18, 0, 0), head=(-20, 0, 0), legs=(78, 6, 8, 84, 26), arms=((0.3, -0.8, -0.7), (0.25, -0.9, -0.4)))
    push = Pose(root=(0, 2, 0), spine=(-4, 0, 0), legs=(0, 4, 6, 4, -30), arms=((0.35, 1, 0.45), (0, 1, 0.35)))
    top = Pose(root=(0, 2, 0), spine=(0, 0, 0), legs=(12, 5, 6, 22, -26), arms=((0.4, 1, 0.5), (0.05, 1, 0.4)))
    land = Pose(root=(0, 8, 0), spine=(4, 0, 0), legs=(22, 6, 8, 26, -6), arms=((0.6, 0.1, 0.9), (0.3, 0.1, 1)))
    absorb = Pose(root=(0, 28, 0), spine=(14, 0, 0), head=(-16, 0, 0), legs=(62, 7, 8, 70, 22), arms=((0.4, -0.8, 0.2), (0.3, -0.5, 0.8)))
    keys: list[tuple[float, Pose]] = [(0.0, STAND), (0.5, STAND)]
    contacts: list[Contact] = []
    flights: list[Flight] = []
    toes, heels = ("left_toe", "right_toe"), ("left_heel", "right_heel")
    time, ground = 0.5, 0.0
    for length in (0.46, 0.52, 0.56):
        leave = time + 0.95
        keys += [(time + 0.65, low), (leave, push), (leave + length / 2, top), (leave + length, land), (leave + length + 0.25, absorb)]
        keys += [(leave + length + 0.9, STAND)]
        contacts += on_floor(heels, ground + (0.07 if ground else 0), leave - 0.12) + on_floor(toes, ground, leave)
        flights.append(Flight(leave + 0.02, leave + length - 0.02))
        ground, time = leave + length, leave + length + 1.0
    keys += [(time + 0.6, STAND)]
    contacts += on_floor(heels, ground + 0.07, time + 0.6) + on_floor(toes, ground, time + 0.6)
    return Motion(
        "jump", keys, contacts, flights, straight=[(0, 0.45), (time, time + 0.6)], balance=[(0, 0.4), (time, time + 0.6)], jumps=flights
    )


def swing() -> Motion:
    """Jump up to a bar of 2.3 m, swing three times, drop and stand."""
    grip: Arm = ((0.16, 1, 0.06), (-0.02, 1, 0.03))
    reach = Pose(root=(0, 0, 0), spine=(-4, 0, 0), head=(-20, 0, 0), legs=(0, 4, 6, 4, 0), arms=grip)
    low = Pose(root=(0, 14, 0), spine=(6, 0, 0), head=(-30, 0, 0), legs=(50, 5, 7, 62, 22), arms=grip)
    push = replace(reach, legs=(0, 4, 6, 3, -30))
    hang = Pose(root=(0, 0, 0), spine=(-2, 0, 0), legs=(4, 3, 4, 8, -30), arms=grip)
    front = Pose(root=(0, -34, 0), spine=(8, 0, 0), head=(12, 0, 0), legs=(26, 3, 4, 10, -30), arms=((0.16, 1, 0.0), (-0.02, 1, 0.0)))
    back = Pose(root=(0, 30, 0), spine=(-12, 0, 0), head=(-14, 0, 0), legs=(-10, 3, 4, 26, -30), arms=((0.16, 1, 0.1), (-0.02, 1, 0.06)))
    land = Pose(root=(0, 8, 0), spine=(6, 0, 0), legs=(28, 6, 7, 34, 4), arms=((0.5, 0.6, 0.8), (0.2, 0.6, 0.8)))
    absorb = Pose(root=(0, 28, 0), spine=(14, 0, 0), head=(-14, 0, 0), legs=(60, 7, 8, 68, 22), arms=((0.4, -0.7, 0.5), (0.2, -0.3, 0.9)))
    keys = [
        (0.0, STAND), (0.6, STAND), (1.3, reach), (1.7, low), (1.95, push), (2.25, hang), (2.9, hang), (3.5, front), (4.3, back),
        (5.1, front), (5.9, back), (6.7, front), (7.5, back), (8.1, replace(front, root=(0, -14, 0))), (8.6, hang),
        (9.0, hang), (9.3, land), (9.55, absorb), (10.3, STAND), (11.0, STAND),
    ]  # fmt: skip
    toes, heels, hands = ("left_toe", "right_toe"), ("left_heel", "right_heel"), ("left_grip", "right_grip")
    contacts = [
        *on_floor(heels, 0, 1.85), *on_floor(toes, 0, 1.97), *(Contact(hand, 2.2, 9.0, "bar") for hand in hands), *on_floor(toes, 9.3, 11),
        *on_floor(heels, 9.37, 11),
    ]  # fmt: skip
    flights = [Flight(2.0, 2.17), Flight(9.03, 9.27)]
    return Motion("swing", keys, contacts, flights, supports={"bar": BAR}, straight=[(0, 0.5), (10.5, 11)], balance=[(0, 1.2), (10.3, 11)])


def crawl() -> Motion:
    """Crawl on hands and knees, diagonal pairs in turn."""
    hands = 84

    def pose(left_arm: float, right_arm: float, left_thigh: float, right_thigh: float, lift: str = "") -> Pose:
        def arm(angle: float, lifted: bool) -> Arm:
            swing_up, ahead = np.sin(np.radians(angle)), np.cos(np.radians(angle))
            bend = 0.45 if lifted else 0.12
            return (0.2, float(swing_up) - bend, float(ahead)), (-0.03, float(swing_up) + bend, float(ahead))

        return Pose(
            root=(0, 86, 0), spine=(8, 0, 0), head=(-38, 0, 0), hands=hands, left_arm=arm(left_arm, "l" in lift),
            right_arm=arm(right_arm, "r" in lift),
            left_leg=(left_thigh, 5, 2, 92, -45), right_leg=(right_thigh, 5, 2, 92, -45),
        )  # fmt: skip

    keys: list[tuple[float, Pose]] = [(0.0, pose(2, 2, 86, 86)), (0.6, pose(2, 2, 86, 86))]
    contacts: list[Contact] = []
    since = {"left_hand": 0.0, "right_hand": 0.0, "left_knee": 0.0, "right_knee": 0.0}

    def lift(limb: str, begin: float, end: float) -> None:
        if since[limb] < begin:
            contacts.extend(limb_contacts(limb, since[limb], begin))
        since[limb] = end

    time = 0.6
    for number in range(8):
        left = number % 2 == 0  # the left hand and the right knee move
        front, rear = 16, -14
        middle = pose(*((2, 2, 88, 88, "l") if left else (2, 2, 88, 88, "r")))
        ends = pose(front, rear, 75, 102) if left else pose(rear, front, 102, 75)
        keys += [(time + 0.28, middle), (time + 0.56, ends), (time + 0.7, ends)]
        lift("left_hand" if left else "right_hand", time + 0.06, time + 0.52)
        lift("right_knee" if left else "left_knee", time + 0.06, time + 0.52)
        time += 0.7
    keys += [(time + 0.4, keys[-1][1])]
    for limb, begin in since.items():
        contacts.extend(limb_contacts(limb, begin, time + 0.4))
    return Motion("crawl", keys, contacts)


def limb_contacts(limb: str, begin: float, end: float) -> list[Contact]:
    """Contacts of a crawling person's hand, or of a knee with its toes, which slide."""
    side = limb.split("_")[0]
    if limb.endswith("hand"):
        return on_floor((f"{side}_palm", f"{side}_fingers"), begin, end)
    return [*on_floor((f"{side}_knee",), begin, end), *on_floor((f"{side}_toe",), begin, end, slides=True)]


def roll() -> Motion:
    """Lie on the back, roll over the left side onto the belly, and back."""
    arms: Arm = ((0.12, 1, 0.12), (-0.12, 1, 0.1))
    lie = Pose(root=(0, -90, 0), spine=(0, 0, 0), head=(6, 0, 0), legs=(4, -4, 4, 6, -35), arms=arms)
    turns = [(0.0, 0), (0.7, 0), (1.5, 90), (2.2, 180), (3.2, 180), (4.0, 90), (4.8, 0), (5.4, 0)]
    keys = [(time, replace(lie, spin=angle)) for time, angle in turns]
    return Motion(
        "roll", keys, [Contact("trunk", 0, 5.4), Contact("left_heel", 0, 0.8, slides=True), Contact("right_heel", 0, 0.8, slides=True)]
    )


def all_motions() -> list[Motion]:
    """Every motion posed by hand."""
    return [
        sit_on_chair(), lie_down(), push_ups(), handstand(), hop(), jump(), swing(), crawl(), roll(), turn_head(), stand_still(),
    ]  # fmt: skip
