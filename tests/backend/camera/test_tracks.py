"""Matches of the background survive the cache, and files of others are refused."""

import numpy as np
import pytest

from blender_meshrec.backend.camera.tracks import (
    CUT,
    FOLLOWS,
    NOT_LOOKED_AT,
    FrameMatches,
    Match,
    encode_points,
    join_matches,
    pack_matches,
    unpack_matches,
)


def some_frames(seed=0):
    generator = np.random.default_rng(seed)
    frames = [FrameMatches(CUT, ())]
    for row in range(1, 6):
        references = generator.choice(row, size=min(row, 2), replace=False)
        sizes = generator.integers(0, 9, len(references))
        matches = [
            Match(int(r), generator.integers(-99, 99, (n, 4)).astype(np.int16), generator.random(n) < 0.5)
            for r, n in zip(references, sizes)
        ]
        frames.append(FrameMatches(FOLLOWS, tuple(matches)))
    return frames


def as_text(frames):
    return repr(
        [(frame.link, [(match.reference, match.points.tolist(), match.agrees.tolist()) for match in frame.matches]) for frame in frames]
    )


def test_matches_are_packed_and_unpacked():
    frames = some_frames()
    later = [
        FrameMatches(frame.link, tuple(match._replace(reference=match.reference + 100) for match in frame.matches)) for frame in frames
    ]
    assert as_text(unpack_matches(pack_matches(frames), 0, len(frames))) == as_text(frames)
    assert as_text(unpack_matches(pack_matches(later), 100, len(later))) == as_text(later)


def test_files_of_earlier_versions_have_none():
    assert unpack_matches({}, 0, 3) == [NOT_LOOKED_AT] * 3
    assert join_matches([FrameMatches(CUT, ()), NOT_LOOKED_AT], (640, 480), (320, 240)) is None
    assert join_matches([], (640, 480), (320, 240)) is None


@pytest.mark.parametrize(
    "name, change",
    [
        ("camera_links", lambda a: a[:-1]),
        ("camera_links", lambda a: a + 7),
        ("camera_counts", lambda a: a + 1),
        ("camera_counts", lambda a: -a),
        ("camera_counts", lambda a: a[None]),
        ("camera_pairs", lambda a: a + 50),
        ("camera_pairs", lambda a: a - 50),
        ("camera_sizes", lambda a: a + 1),
        ("camera_points", lambda a: a[:, :3]),
        ("camera_agrees", lambda a: a[1:]),
        ("camera_sizes", None),
    ],
)
def test_other_arrays_are_refused(name, change):
    frames = some_frames()
    arrays = pack_matches(frames)
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
    with pytest.raises(ValueError):
        unpack_matches(arrays, 0, len(frames))


def test_points_are_pixels_of_the_footage():
    """The middle of the small image's first pixel is 1 px into footage twice as large."""
    match = Match(0, encode_points(np.array([[0.0, 0.0]]), np.array([[10.0, 20.25]])), np.array([True]))
    tracks = join_matches([FrameMatches(CUT, ()), FrameMatches(FOLLOWS, (match,))], (640, 480), (320, 240))
    assert tracks.points.tolist() == [[1.0, 1.0, 21.0, 41.5]] and tracks.pixel == 2.0
    assert tracks.pairs.tolist() == [[0, 1]] and tracks.starts.tolist() == [0, 1] and len(tracks) == 2
