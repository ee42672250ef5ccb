"""Where on the floor a foot's heel and ball stand: one place a contact, and one foot's length between places that are held at once."""

import numpy as np

from ...core.contacts import contact_runs


def plan_footprints(points, heading, contacts, heel_to_ball, max_drift):
    """Plan the footprints of one foot.

    Args:
        points: (2,F,2) m, where heel and ball are over the floor. heading: (F,) rad, continuous. contacts: (F,2) bool.
        heel_to_ball: function of a heading -> (2,), m from heel to ball of the foot that lies flat so. max_drift: the most, m, that a print
            may be drawn away from its foot by those before it.

    Returns:
        prints (2,F,2) m, heading (F,) rad, one value while the foot lies flat, and touching (F,2) bool.

    A foot that goes on standing on its heel or ball while it turns takes its next print from the last. Turning on another foot's
    length leads astray in the long run: a pivot that would drift too far is let go, and the foot steps to where it belongs.
    """
    contacts = contacts.copy()
    _overlap_contacts(contacts)
    chains, headings = [], heading.copy()
    flats = contact_runs(contacts.all(1))
    for first, last in flats:
        turn = float(heading[first:last].mean())
        headings[first:last] = turn
        step = heel_to_ball(turn)
        middle = points[:, first:last].mean(1)
        pivot = _find_pivot(contacts, chains[-1][-1][1], first) if chains else None
        if pivot is not None:
            before = chains[-1][-1][2]
            heel = before[0] if pivot == 0 else before[1] - step
            asked = (middle - [heel, heel + step]).mean(0)
            if np.linalg.norm(asked - _mean_offset(chains[-1])) <= max_drift:
                chains[-1].append((first, last, np.stack([heel, heel + step]), asked))
                continue
            contacts[chains[-1][-1][1] : first] = False
        heel = middle.mean(0) - step / 2
        chains.append([(first, last, np.stack([heel, heel + step]), np.zeros(2))])
    prints = np.zeros_like(points)
    for k in range(2):
        for first, last in contact_runs(contacts[:, k]):
            prints[k, first:last] = points[k, first:last].mean(0)
    for chain in chains:
        moved = _mean_offset(chain)
        for first, _, place, _ in chain:
            for k in range(2):
                start, stop = _run_containing(contacts[:, k], first)
                prints[k, start:stop] = place[k] + moved
    # Whose foot is carried farther than that while one point is held, slips.
    away = np.linalg.norm(points - prints, axis=-1).T
    slipped = away > 2 * max_drift
    return prints, headings, contacts & ~(slipped & (contacts.sum(1) == 1)[:, None])


def _overlap_contacts(contacts):
    """Where one point's contact follows on the other's, let both touch for one frame, in place: it is the same foot."""
    heel, ball = contacts.T
    frames = np.flatnonzero((heel[:-1] & ~ball[:-1] & ball[1:] & ~heel[1:]) | (ball[:-1] & ~heel[:-1] & heel[1:] & ~ball[1:]))
    contacts[frames] = True


def _find_pivot(contacts, last, first):
    """0 or 1 where heel or ball stays on the floor from frame `last` to frame `first`; else None."""
    return next((k for k in range(2) if contacts[last - 1 : first + 1, k].all()), None)


def _mean_offset(chain):
    """How far the feet of a chain of prints lie from it, (2,) m, the mean over its frames."""
    return np.average([asked for *_, asked in chain], axis=0, weights=[last - first for first, last, *_ in chain])


def _run_containing(contacts, frame):
    """The run of True in (F,) that a frame lies in: first and last plus one."""
    before, after = np.flatnonzero(~contacts[:frame]), np.flatnonzero(~contacts[frame:])
    return (before[-1] + 1 if len(before) else 0), (frame + after[0] if len(after) else len(contacts))
