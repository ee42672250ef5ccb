"""Hands that would go through the floor lie down on it.

Which way a hand points is often not seen, and a straight hand under a shoulder is as long as its whole height above the floor. In the
whole-clip solve it would lift the body off the ground; so there only wrists touch it, and hands give way here, frame by frame.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d  # pyrefly: ignore[untyped-import] - scipy ships no type stubs
from scipy.spatial import ConvexHull  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from ...core.array_types import FloatArray
from ...core.files.body_template import BodyTemplate
from ...core.records import BodyParams
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat, turn_between
from .body_params import local_rotmats, posed_joints, with_rotvecs

THUMB_WIDTH = 0.045  # m beside the wrist's middle, from which skin is the thumb's: it points down beside a flat hand
MAX_TURN = np.radians(100.0)  # of a wrist, from the pose that it has
ANTICIPATION = 0.12  # s, in which a hand turns before it arrives: the turn that it needs begins steeply
SHARE_STEPS, HALVINGS = 20, 12  # of the search for the share of a turn
NO_SHARE = 1e-9  # rounding
# A hand that lies on the floor has its fingers raised by the first angle from how they are in a T-pose, rad, and its thumb by the second:
# so a wrist is hardly higher above the floor than its skin.
FINGERS_RAISED, THUMB_RAISED = np.radians(6.0), np.radians(12.0)


@dataclass(frozen=True)
class Hand:
    """A hand at rest. wrist: its joint. points: (P,3) m from the wrist, the outline of its skin in a T-pose with the palms down."""

    wrist: int
    points: FloatArray

    @property
    def palm(self) -> FloatArray:
        """The normal (3,) of the plane on which the hand lies."""
        outward = np.sign(self.points[:, 0].mean())
        normal = [-outward * np.sin(FINGERS_RAISED), -np.cos(FINGERS_RAISED) * np.cos(THUMB_RAISED), -np.sin(THUMB_RAISED)]
        return np.array(normal) / np.linalg.norm(normal)

    @property
    def thickness(self) -> float:
        """How far the skin is below the wrist, m, of a hand that lies."""
        return float((self.points @ self.palm).max())


def hands_of(template: BodyTemplate, betas: FloatArray) -> tuple[Hand, Hand]:
    """The left and the right hand of a body in a T-pose with the palms down, without their thumbs."""
    vertices, joints = template.rest(betas)
    owner = template.lbs_weights.argmax(1)
    hands: list[Hand] = []
    for name in ("left_wrist", "right_wrist"):
        wrist = template.joint_names.index(name)
        points = vertices[np.isin(owner, _descendants(template, wrist))].astype(float) - joints[wrist]
        points = points[points[:, 2] < THUMB_WIDTH]
        hands.append(Hand(wrist, points[ConvexHull(points).vertices]))
    return hands[0], hands[1]


def lay_hands_on_floor(template: BodyTemplate, body: BodyParams, times: FloatArray) -> BodyParams:
    """The body (F frames at times (F,) s, z up, the floor at 0) with its wrists turned as far as its hands need to be above the floor."""
    rotmats = local_rotmats(body)
    joints, rotations = posed_joints(template, body)
    heights = joints[..., 2]
    rotvecs = rotvec_from_rotmat(rotmats)
    for hand in hands_of(template, body.betas):
        turns = flat_turns(hand.palm, rotations[:, hand.wrist, 2])
        shares = _anticipated(least_shares(hand, rotations[:, hand.wrist, 2], heights[:, hand.wrist], turns), times)
        turned = np.flatnonzero(shares > 0)
        turn = rotmat_from_rotvec(shares[turned, None] * turns[turned])
        rotvecs[turned, hand.wrist] = rotvec_from_rotmat(rotmats[turned, hand.wrist] @ turn)
    return with_rotvecs(body, rotvecs)


def flat_turns(palm: FloatArray, up: FloatArray) -> FloatArray:
    """The least turns (F,3) rad that lay a hand flat, palm (3,) or back down, by at most MAX_TURN; up: (F,3), in the hand's axes."""
    flat = np.where((up @ palm)[:, None] > np.sin(np.radians(30)), up, -up)  # a palm that faces up stays up
    turns = rotvec_from_rotmat(turn_between(palm, flat))
    angles = np.linalg.norm(turns, axis=1, keepdims=True)
    return turns * np.minimum(1, MAX_TURN / np.maximum(angles, 1e-9))


def least_shares(hand: Hand, up: FloatArray, height: FloatArray, turns: FloatArray) -> FloatArray:
    """The least shares (F,) 0..1 of turns (F,3) after which no point of a hand is below the floor, or as little as can be.

    Args:
        up: (F,3), in the hand's axes. height: (F,) m, of the wrist.
    """
    shares = np.zeros(len(up))
    rows = np.flatnonzero(_lowest(hand, up, height, turns, shares) < 0)
    if not len(rows):
        return shares
    up, height, turns = up[rows], height[rows], turns[rows]
    steps = np.linspace(0, 1, SHARE_STEPS)
    lowest = np.stack([_lowest(hand, up, height, turns, np.full(len(rows), share)) for share in steps], 1)
    is_above = lowest >= 0
    # Where a wrist is so low that no share suffices, the one that leaves least below.
    last = np.where(is_above.any(1), is_above.argmax(1), lowest.argmax(1))
    target = np.minimum(lowest[np.arange(len(rows)), last], 0)
    least, most = steps[np.maximum(last - 1, 0)], steps[last]
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        is_clear = _lowest(hand, up, height, turns, middle) >= target
        least, most = np.where(is_clear, least, middle), np.where(is_clear, middle, most)
    shares[rows] = most
    return shares


def _anticipated(shares: FloatArray, times: FloatArray) -> FloatArray:
    """Shares (F,) that begin before a hand arrives and end after it leaves, and are nowhere smaller."""
    if len(times) < 2 or not shares.any():
        return shares
    width = 2 * max(1, round(ANTICIPATION / float(np.median(np.diff(times))))) + 1
    early = np.asarray(uniform_filter1d(maximum_filter1d(shares, width), width))
    return np.where(early > NO_SHARE, early, 0.0)


def _lowest(hand: Hand, up: FloatArray, height: FloatArray, turns: FloatArray, shares: FloatArray) -> FloatArray:
    """The height (F,) m of a hand's lowest point after shares (F,) of turns (F,3)."""
    turned_up = (np.swapaxes(rotmat_from_rotvec(shares[:, None] * turns), -1, -2) @ up[..., None])[..., 0]
    return height + (turned_up @ hand.points.T).min(1)


def _descendants(template: BodyTemplate, joint: int) -> list[int]:
    """A joint and all that move with it."""
    found = [joint]
    for child, parent in enumerate(template.parents):
        if int(parent) in found:
            found.append(child)
    return found
