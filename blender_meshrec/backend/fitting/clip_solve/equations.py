"""The normal equations of one person over the points of all frames, before they are projected onto the unknowns.

Every residual adds to them: to a point within a frame, to a point between neighbouring frames, to a joint's rotation, or to an
unknown of the whole clip.
"""

from dataclasses import dataclass, field

import numpy as np

from ....core.array_types import BoolArray, FloatArray
from .body_points import MOVING, NUM_ROWS

# Unknowns of the clip that no body has: how the lifter leans (3), up (2), the lens (1), the size of the camera's path (1), the floor (1).
LEAN, UP, LENS, PATH, FLOOR = slice(0, 3), slice(3, 5), slice(5, 6), slice(6, 7), slice(7, 8)
SHARED = slice(3, 7)  # by all people of a clip
NUM_WORLD = 8
# Unknowns of each further view, behind these: how its camera turned (3), moved (3), its lens (1), and how its lifter leans (3).
VIEW_TURN, VIEW_SHIFT, VIEW_LENS, VIEW_LEAN = slice(0, 3), slice(3, 6), slice(6, 7), slice(7, 10)
NUM_VIEW = 10


def view_columns(view: int, part: slice) -> slice:
    """The columns of a part of the unknowns of a further view, counted from 0."""
    first = NUM_WORLD + NUM_VIEW * view
    return slice(first + part.start, first + part.stop)


def shared_columns(num_views: int) -> BoolArray:
    """Which of the world's unknowns (W,) all people of a clip share, with so many further views."""
    is_shared = np.zeros(NUM_WORLD + NUM_VIEW * num_views, bool)
    is_shared[SHARED] = True
    for view in range(num_views):
        is_shared[view_columns(view, slice(VIEW_TURN.start, VIEW_LENS.stop))] = True
    return is_shared


@dataclass
class Equations:
    """Half the Hessian's Gauss-Newton approximation and half the gradient of the energy, for F frames and N rows of points.

    gradient: (F,N,3). within: (F,N,3,3). next: (F-1,N) and after_next: (F-2,N), the same for all three axes.
    turn_gradient: (F,K,3). turn_within, turn_next, turn_after_next: (F-d,K,3,3), of the moving joints' tangents.
    world: (F,N,3,W), between points and the world's unknowns. world_gradient: (W,). world_within: (W,W). num_views: further views.
    """

    frames: int
    num_views: int = 0
    gradient: FloatArray = field(init=False)
    within: FloatArray = field(init=False)
    next: FloatArray = field(init=False)
    after_next: FloatArray = field(init=False)
    turn_gradient: FloatArray = field(init=False)
    turns: tuple[FloatArray, FloatArray, FloatArray] = field(init=False)
    world: FloatArray = field(init=False)
    world_gradient: FloatArray = field(init=False)
    world_within: FloatArray = field(init=False)
    clip_gradient: FloatArray | None = None
    clip_within: FloatArray | None = None

    def __post_init__(self) -> None:
        frames = self.frames
        self.gradient = np.zeros((frames, NUM_ROWS, 3))
        self.within = np.zeros((frames, NUM_ROWS, 3, 3))
        self.next, self.after_next = (np.zeros((max(frames - step, 0), NUM_ROWS)) for step in (1, 2))
        self.turn_gradient = np.zeros((frames, len(MOVING), 3))
        within, following, after = (np.zeros((max(frames - step, 0), len(MOVING), 3, 3)) for step in range(3))
        self.turns = within, following, after
        unknowns = NUM_WORLD + NUM_VIEW * self.num_views
        self.world = np.zeros((frames, NUM_ROWS, 3, unknowns))
        self.world_gradient, self.world_within = np.zeros(unknowns), np.zeros((unknowns, unknowns))
