"""Matches of the background from frame to frame, made in the one pass over the footage.

Corners of a key frame are found again in each of the next frames, so that errors do not add up from frame to frame. When the view has
moved on, an older key frame that shows the same view is taken again, else a new one, which is matched with the last and with an older
one against drift. At most MAX_KEYS small grey pictures are kept; what is stored of a frame are about 150 pairs of points.

A shot ends where all corners vanish at once or only graphics stay (screen_graphics.py), and the histogram changes; and where the view grows
in one frame as no lens zooms. Nothing is matched across it. Where corners vanish otherwise (motion blur, people in front of the lens) the
frame is LOST, and SIFT features look for earlier key frames from then on.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray, ImageArray
from .background_mask import background_mask
from .key_frames import MIN_CORNERS, NO_CORNERS, Following, KeyFrame, find_corners, follow, recognise, sift_features
from .picture_change import PictureChange
from .screen_graphics import may_be_graphics
from .tracks import CUT, FOLLOWS, LOST, FrameMatches, Match, encode_points

WIDTH = 320  # px of the larger side, at which corners are tracked
RENEW_SHIFT, RENEW_KEPT = 25.0, 0.5  # px, and the share of corners left, at which a new key frame is taken
SAME_VIEW, SAME_GROWTH = 12.0, 0.1  # px and logarithm of growth, within which an older key frame is taken again
OVERLAP, OVERLAP_GROWTH = 100.0, 0.3  # the same, within which a new key frame is matched with an older one
MAX_KEYS = 24
FLASH = 5  # frames: a view that comes back after so few was not cut away
# Of a cut: the change of the histograms of 3 by 4 parts of the picture, as a share of the pixels, and of a blurred picture, grey levels;
# and px a frame before it, from which the camera may have turned as fast as that.
CUT_HISTOGRAM, CUT_GREY, WHIP = 0.1, 10.0, 15.0
JUMP_GROWTH = 0.08  # logarithm of growth in one frame: a picture that looks like a cut is another take of the same place from there on
UNKNOWN: FloatArray = np.full(3, np.nan)
Look = tuple[FloatArray, ImageArray]  # what a picture looks like, of `_look`


def small_size(image_size: Sequence[int]) -> tuple[int, int]:
    """(width, height) px of the image in which corners of footage of (width, height) px are tracked."""
    scale = WIDTH / max(image_size)
    return max(1, round(image_size[0] * scale)), max(1, round(image_size[1] * scale))


class BackgroundMatcher:
    """Call `update` once a frame, in order."""

    def __init__(self, first: int = 0) -> None:
        """first: row of the first frame; after an interrupted run it is not 0, and nothing links it to the frames before."""
        self._row = first - 1
        self._keys: list[KeyFrame] = []
        self._key: KeyFrame | None = None
        self._guess: FloatArray = np.zeros((0, 2), np.float32)
        self._state: FloatArray = np.zeros(3)
        self._look: Look | None = None
        self._chain, self._cut_at, self._speed = 0, -1, 0.0
        self._failures = 0  # frames with corners in a row that nothing was found in
        self._unlinked_since: int | None = None  # where this chain began, if no match links it to an earlier one
        self._before_cut: FloatArray | None = None  # the state in the last frame before the cut at which it began
        self._ahead: tuple[ImageArray, ImageArray] | None = None  # the next frame's picture and its small grey one
        self._change = PictureChange()

    def seems_cut(self, image: ImageArray | None) -> bool:
        """Whether the next frame looks like the first of another shot; `update` says for sure, but knows only after people are found."""
        if image is None or self._look is None or self._speed >= WHIP:
            return False
        return _is_cut(self._look, _look(self._grey_of(image)))

    def changes_at_once(self, image: ImageArray | None) -> bool:
        """Whether the next frame's picture changes by much more than those before it did: people may be elsewhere in it."""
        return image is not None and self._change.is_at_once(self._grey_of(image))

    def _grey_of(self, image: ImageArray) -> ImageArray:
        """The small grey picture of the next frame, made once."""
        if self._ahead is None or self._ahead[0] is not image:
            self._ahead = image, _small_grey(image)
        return self._ahead[1]

    def update(
        self, image: ImageArray | None, boxes: Sequence[FloatArray], outlines: Sequence[tuple[BoolArray, FloatArray] | None] = ()
    ) -> tuple[FloatArray, FrameMatches]:
        """Match the next frame's background with earlier frames.

        Args:
            image: (H,W,3) uint8 RGB, or None where it cannot be read. boxes, outlines: of the people in it, as of background_mask.py.

        Returns:
            (3,): the movement since the frame before, to the right and downwards in the middle of the image, as shares of its larger side,
            and the logarithm of its growth; nan where it is unknown: in the first frame, after a cut, and without a background to see. And
            the frame's matches.
        """
        self._row += 1
        if image is None:
            self._key = None
            return UNKNOWN, FrameMatches(LOST if self._row else CUT, (), self._change.update(None))
        scale = WIDTH / max(image.shape[:2])
        grey = self._grey_of(image)
        movement, matches = self._match(grey, background_mask(grey.shape, scale, boxes, outlines))
        return movement, matches._replace(change=self._change.update(grey))

    def _match(self, grey: ImageArray, is_free: ImageArray) -> tuple[FloatArray, FrameMatches]:
        before = self._state
        followed = None if self._key is None else follow(self._key, grey, is_free, self._guess)
        if followed is None or self._key is None:
            return UNKNOWN, self._begin_again(grey, is_free)
        look, self._look = self._look, _look(grey)
        if self._jumps(look, self._key, followed):
            return UNKNOWN, self._begin_shot(grey, is_free)
        link = self._link_of(look, self._key, followed, is_free)
        self._set_state(self._key, followed, grey)
        matches = [_match(self._key, followed)]
        if np.linalg.norm(followed.shift) > RENEW_SHIFT or followed.agrees.sum() < RENEW_KEPT * len(self._key.corners):
            matches += self._renew(grey, is_free, followed.found[followed.agrees])
        matches += self._link_late(grey, is_free)
        self._failures = 0
        self._speed = float(np.hypot(*(self._state - before)[:2])) * max(grey.shape)
        return UNKNOWN if link == CUT else self._state - before, FrameMatches(link, tuple(matches))

    def _link_of(self, look: Look | None, key: KeyFrame, followed: Following, is_free: ImageArray) -> int:
        """CUT if the picture changed and no more of a key frame is seen than what may be drawn over the footage, else FOLLOWS."""
        if not self._looks_cut(look) or not may_be_graphics(key, followed, is_free):
            return FOLLOWS
        self._chain += 1
        self._cut_at = self._unlinked_since = self._row
        self._before_cut = None
        return CUT

    def _set_state(self, key: KeyFrame, followed: Following, grey: ImageArray) -> None:
        self._key, self._guess = key, followed.guess
        self._state = key.state + np.array([*(followed.shift / max(grey.shape)), followed.growth])

    def _predict(self, key: KeyFrame, shape: tuple[int, ...]) -> FloatArray:
        """Where a key frame's corners are now, (C,2) px, if the view's state is right."""
        centre, step = np.array(shape[::-1]) / 2, self._state - key.state
        return (key.corners - centre) * np.exp(step[2]) + centre + step[:2] * max(shape)

    def _near_keys(self, shape: tuple[int, ...], shift: float, growth: float) -> list[KeyFrame]:
        """Key frames of this chain, but the current, whose view lies within `shift` px and `growth`; the nearest first."""
        steps = [(key, np.abs(key.state - self._state)) for key in self._keys if key.chain == self._chain and key is not self._key]
        near = [(float(np.hypot(*step[:2])), key) for key, step in steps if np.hypot(*step[:2]) * max(shape) < shift and step[2] < growth]
        return [key for _distance, key in sorted(near, key=lambda item: item[0])]

    def _renew(self, grey: ImageArray, is_free: ImageArray, carried: FloatArray) -> list[Match]:
        """Take an older key frame of this view again, or make this frame one, with corners carried on (N,2) px; returns the matches that
        link it.
        """
        shape = grey.shape
        for key in self._near_keys(shape, SAME_VIEW, SAME_GROWTH)[:1]:
            again = follow(key, grey, is_free, self._predict(key, shape))
            if again is not None and again.agrees.sum() >= 0.6 * len(key.corners):
                self._set_state(key, again, grey)
                return [_match(key, again)]
        linked: list[Match] = []
        for key in self._near_keys(shape, OVERLAP, OVERLAP_GROWTH)[:1]:
            again = follow(key, grey, is_free, self._predict(key, shape))
            if again is not None:
                linked.append(_match(key, again))
        self._make_key(grey, is_free, carried)
        return linked

    def _make_key(self, grey: ImageArray, is_free: ImageArray, carried: FloatArray = NO_CORNERS) -> None:
        corners = find_corners(grey, is_free, carried)
        self._key, self._guess = KeyFrame(self._row, grey, corners, self._state, is_free, self._chain), corners
        if len(corners) >= MIN_CORNERS:
            self._keys.append(self._key)
        if len(self._keys) > MAX_KEYS:
            states = np.array([[*key.state, 9.0 * key.chain] for key in self._keys])
            self._keys.pop(int(np.linalg.norm(np.diff(states[:-1], axis=0), axis=1).argmin()))

    def _begin_again(self, grey: ImageArray, is_free: ImageArray) -> FrameMatches:
        """After a frame whose background was not found: take up an earlier chain that SIFT recognises, or begin one."""
        if self._cut_at >= 0 and self._row - self._cut_at >= FLASH:
            self._keys = [key for key in self._keys if key.row >= self._cut_at]
        link = LOST if self._row else CUT
        if len(find_corners(grey, is_free)) >= MIN_CORNERS:
            self._failures += 1
            linked = self._recognise(grey, is_free, self._keys) if _is_power_of_two(self._failures) else None
            look, self._look = self._look, _look(grey)
            if linked is not None:
                key, followed = linked
                if self._failures == 1 and self._jumps(look, key, followed):
                    return self._begin_shot(grey, is_free)
                if self._link_of(look, key, followed, is_free) == CUT:
                    self._make_key(grey, is_free)
                    return FrameMatches(CUT, (_match(key, followed),))
                self._chain, self._unlinked_since = key.chain, None
                self._set_state(key, followed, grey)
                return FrameMatches(FOLLOWS, (_match(key, followed),))
            if self._looks_cut(look):
                link, self._cut_at = CUT, self._row
        self._before_cut = self._state if link == CUT else None
        self._chain += 1
        self._unlinked_since = self._row if self._keys else None
        self._state = np.zeros(3)
        self._make_key(grey, is_free)
        return FrameMatches(link, ())

    def _jumps(self, look: Look | None, key: KeyFrame, followed: Following) -> bool:
        """Whether the picture changed as at a cut, and the view grew in one frame as no lens zooms: this is another take of the place."""
        return bool(self._looks_cut(look) and abs(key.state[2] + followed.growth - self._state[2]) > JUMP_GROWTH)

    def _looks_cut(self, look: Look | None) -> bool:
        """Whether the picture looks like another shot than the one before, of that look, in which the camera did not turn fast."""
        return self._look is not None and self._speed < WHIP and _is_cut(look, self._look)

    def _begin_shot(self, grey: ImageArray, is_free: ImageArray) -> FrameMatches:
        """After a cut to another take of the same place, which nothing shall link to the one before."""
        self._keys.clear()
        self._unlinked_since = None
        self._chain, self._cut_at = self._chain + 1, self._row
        self._make_key(grey, is_free)
        return FrameMatches(CUT, ())

    def _link_late(self, grey: ImageArray, is_free: ImageArray) -> list[Match]:
        """Look for what links a new chain to an earlier one 1, 2, 4, 8, ... frames after it began."""
        if self._unlinked_since is None or not _is_power_of_two(self._row - self._unlinked_since):
            return []
        linked = self._recognise(grey, is_free, [key for key in self._keys if key.chain != self._chain])
        if linked is None:
            return []
        self._unlinked_since = None
        key, followed = linked
        if self._before_cut is not None and abs(key.state[2] + followed.growth - self._before_cut[2] - self._state[2]) > JUMP_GROWTH:
            self._keys = [key for key in self._keys if key.chain == self._chain]  # the others show another take of the same place
            return []
        return [_match(key, followed)]

    def _recognise(self, grey: ImageArray, is_free: ImageArray, keys: Sequence[KeyFrame]) -> tuple[KeyFrame, Following] | None:
        """The last of the key frames that SIFT recognises."""
        if not keys:
            return None
        features = sift_features(grey, is_free)
        found = ((key, recognise(key, features, grey.shape)) for key in reversed(keys[-4:]))
        return next(((key, followed) for key, followed in found if followed is not None), None)


def _is_power_of_two(number: int) -> bool:
    return number > 0 and not number & (number - 1)


def _match(key: KeyFrame, followed: Following) -> Match:
    return Match(key.row, encode_points(followed.reference, followed.found), followed.agrees)


def _small_grey(image: ImageArray) -> ImageArray:
    """The green channel at a low resolution; of large images every n-th pixel is looked at."""
    size = small_size(image.shape[1::-1])
    stride = max(1, int(0.5 * max(image.shape[:2]) / WIDTH))
    green = np.ascontiguousarray(image[::stride, ::stride, 1])
    return np.asarray(cv2.resize(green, size, interpolation=cv2.INTER_AREA), np.uint8)


def _look(grey: ImageArray) -> Look:
    """The histograms (3,4,16) of a picture's parts, as shares, and a tiny version of it."""
    height, width = (max(1, side // parts) for side, parts in zip(grey.shape, (3, 4), strict=True))
    parts = [[grey[i * height : (i + 1) * height, j * width : (j + 1) * width][::2, ::2].ravel() >> 4 for j in range(4)] for i in range(3)]
    histograms = np.array([[np.bincount(part, minlength=16) / max(part.size, 1) for part in row] for row in parts])
    return histograms, np.asarray(cv2.resize(grey, (16, 9), interpolation=cv2.INTER_AREA), np.uint8)


def _is_cut(before: Look | None, after: Look) -> bool:
    """Whether two successive pictures look like two shots."""
    if before is None:
        return False
    histogram = 0.5 * np.abs(before[0] - after[0]).sum(-1).mean()
    return bool(histogram > CUT_HISTOGRAM and np.abs(before[1].astype(float) - after[1]).mean() > CUT_GREY)
