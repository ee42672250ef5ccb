"""A camera hardly changes its speed: what the times of its frames say of its turns and places, beside where points are seen.

Where the background is nearly a plane, a small turn looks like a small shift, and the views alone let a path jump.
"""

from dataclasses import dataclass

import numpy as np

from ...core.array_types import FloatArray, IntArray
from ...core.rotations import rotvec_from_rotmat

# Standard deviations of the change of a frame's step at 30 frames a second: rad, and as a share of the scene's distance. A walking hand's
# are a third of them.
TURN_CHANGE, STEP_CHANGE = np.radians(1.0), 0.003
BUMP = 3.0  # standard deviations from which a change is taken to be a bump, and lets go (Cauchy)


@dataclass(frozen=True)
class Inertia:
    """Three frames each (T,3) of K, one after another; before, after: (T,) frames between the first two and the last two of them.

    sigma: (6,), of the change of steps between two frames in a row, rad and units, a frame.
    """

    frames: IntArray
    before: FloatArray
    after: FloatArray
    sigma: FloatArray

    @property
    def sigmas(self) -> FloatArray:
        """(T,6), of the change of mean steps: steps change at random, so that the variance between means grows with the time."""
        return self.sigma * np.sqrt((self.before + self.after) / 2)[:, None]

    @property
    def stiffness(self) -> FloatArray:
        """(6,), of a change between two frames in a row."""
        return self.sigma**-2.0

    def changes(self, rotations: FloatArray, centres: FloatArray) -> FloatArray:
        """The changes (T,6) of steps, in sigmas, of rotations (K,3,3) and centres (K,3)."""
        one, two, three = self.frames.T
        steps = []
        for first, last, duration in ((one, two, self.before), (two, three, self.after)):
            turn = rotvec_from_rotmat(rotations[last] @ np.swapaxes(rotations[first], -1, -2))
            steps.append(np.column_stack([turn, centres[last] - centres[first]]) / duration[:, None])
        return np.asarray((steps[1] - steps[0]) / self.sigmas)

    def cost(self, rotations: FloatArray, centres: FloatArray) -> float:
        """The robust cost of the changes, in variances."""
        return float((BUMP**2 * np.log1p((self.changes(rotations, centres) / BUMP) ** 2)).sum())

    @property
    def factors(self) -> FloatArray:
        """By which the three frames' places enter a change, (T,3)."""
        return np.stack([1 / self.before, -1 / self.before - 1 / self.after, 1 / self.after], 1)

    def linearised(self, rotations: FloatArray, centres: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Half the gradient (T,6) of the cost by each change before it is divided by its sigma, and its curvature (T,6)."""
        changes = self.changes(rotations, centres)
        curvature = 1 / (1 + (changes / BUMP) ** 2) / self.sigmas**2
        return curvature * changes * self.sigmas, curvature

    def equations(self, rotations: FloatArray, centres: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Normal equations (6K,6K) and half the gradient (6K,) of the cost, by the turns (3) and shifts (3) of each frame."""
        pull, curvature = self.linearised(rotations, centres)
        factors = self.factors
        square, gradient = np.zeros((len(centres), 6, len(centres), 6)), np.zeros((len(centres), 6))
        axes = np.arange(6)
        for i in range(3):
            np.add.at(gradient, self.frames[:, i], factors[:, i : i + 1] * pull)
            for j in range(3):
                block = (factors[:, i] * factors[:, j])[:, None] * curvature
                np.add.at(square, (self.frames[:, i, None], axes, self.frames[:, j, None], axes), block)
        return square.reshape(gradient.size, gradient.size), gradient.ravel()


def at_rate(rate: float) -> float:
    """By which factor steps change more from frame to frame at so many frames a second than at 30.

    Speeds change at random: their variance grows with the time between frames, and a step is a speed times that time.
    """
    return (30.0 / rate) ** 1.5


def inertia(times: IntArray, distance: float, factor: float = 1.0) -> Inertia:
    """Of frames (K,) at different times (K,), in frames, of a scene that is `distance` units away.

    factor: of all sigmas.
    """
    order = np.argsort(times)
    frames = np.stack([order[:-2], order[1:-1], order[2:]], 1)
    before, after = np.diff(times[frames], axis=1).astype(float).T
    return Inertia(frames, before, after, factor * np.repeat([TURN_CHANGE, STEP_CHANGE * distance], 3))
