"""The contact network and its training data: contacts are at rest, seeds repeat, standing and walking are recognised."""

import numpy as np
import pytest
import torch

from blender_meshrec.core.metrics import contact_f1
from blender_meshrec.methods import skeleton2mesh as lifting
from blender_meshrec.methods.lifter import foot_contacts
from blender_meshrec.methods.lifter.foot_contacts import ContactNetwork, contact_features, load_contact_network
from scripts.train import contacts
from scripts.train.data import camera_views, contact_labels, motion_clips
from tests.methods.test_skeleton2mesh import CPU, seen
from tests.scripts.test_lifter_training import made_up_clip
from tests.support.synthetic_gait import jump, make_view, squat, stand, walk


@pytest.fixture(scope="module")
def clip():
    return made_up_clip()[0]


@pytest.fixture(scope="module")
def scenes(clip):
    return [scene for view in range(6) for scene in contacts.film_scenes(lifting.load_lifter(), [clip], 3, view, "cpu")]


def test_contacts_of_augmented_recordings_are_at_rest(clip):
    """For any size, speed, frame rate, and with mirroring."""
    (piece,) = contact_labels.split_into_pieces([clip])
    for seed in range(12):
        points, _axes, valid, contacts, step = contact_labels.augment_piece(np.random.default_rng(seed), piece)
        assert len(points) == len(valid) == len(contacts)
        speed = np.linalg.norm(np.gradient(points[:, contact_labels.FEET].astype(float), step, axis=0), axis=-1)
        assert 0.2 < contacts.mean() < 0.9
        assert np.median(speed[contacts]) < 0.1 < 0.5 < np.median(speed[~contacts])  # m/s


def test_crouching_preserves_feet_and_bone_lengths(clip):
    points, front = clip.points().astype(float), clip.axes
    lowered = contact_labels.make_crouch(np.random.default_rng(2), points, front, 30)
    names = [[motion_clips.NODES.index(f"{side}_{name}") for side in ("left", "right")] for name in ("hip", "knee", "ankle", "heel")]
    hips, knees, ankles, heels = names
    np.testing.assert_allclose(lowered[:, ankles + heels], points[:, ankles + heels], atol=1e-5)  # m
    assert (points[:, hips, 1] - lowered[:, hips, 1]).max() > 0.05  # m
    for above, below in ((hips, knees), (knees, ankles)):
        before, after = (np.linalg.norm(p[:, above] - p[:, below], axis=-1) for p in (points, lowered))
        assert np.abs(after - before).max() < 0.01  # m
    knee_forward = ((lowered[:, knees] - 0.5 * (lowered[:, hips] + lowered[:, ankles])) * front[:, None, 0, :, 2]).sum(-1)
    assert knee_forward.mean() > 0.05  # m


def test_pieces_of_a_long_recording_share_one_ground():
    long = made_up_clip(1000)[0]
    pieces = contact_labels.split_into_pieces([long])
    assert [piece.frames.start for piece in pieces[1:]] == [piece.frames.stop for piece in pieces[:-1]]
    assert (pieces[0].frames.start, pieces[-1].frames.stop) == (0, 1000)
    for piece in pieces:
        np.testing.assert_array_equal(piece.ground, pieces[0].ground)
    assert not contact_labels.split_into_pieces([made_up_clip(contact_labels.MIN_FRAMES - 1)[0]])


def test_training_reduces_the_loss_and_is_reproducible(scenes):
    untrained = ContactNetwork()
    (batch,) = contacts.draw_windows(scenes, 1, 4)
    one, other = (contacts.train(scenes, 50, 3, "cpu") for _ in range(2))
    losses = [contacts.contact_loss(network, *batch).item() for network in (untrained, one)]
    assert losses[1] < 0.8 * losses[0], losses
    for name, values in one.state_dict().items():
        torch.testing.assert_close(values, other.state_dict()[name], atol=0, rtol=0)


def test_position_of_unconfident_points_is_ignored(scenes):
    rays, confidence, joints = (torch.as_tensor(getattr(scenes[0], name))[None] for name in ("rays", "confidence", "joints"))
    confidence = confidence.clone()
    confidence[:, 20:40, foot_contacts._ANKLES] = 0.1
    elsewhere = rays.clone()
    elsewhere[:, 20:40, foot_contacts._ANKLES] += 0.3
    one, other = (contact_features(r, confidence, joints, torch.zeros(1), torch.full((1,), 1 / 30)) for r in (rays, elsewhere))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "motion, keypoint_set, least",
    # Without points on the feet the heels of squatting people are uncertain: most people lift them.
    [(stand, "h36m17", 0.99), (stand, "blazepose33", 0.99), (squat, "blazepose33", 0.85), (squat, "h36m17", 0.75)],
)
@pytest.mark.parametrize("bearing", [0.0, 1.5])
def test_stationary_people_are_in_contact(motion, bearing, keypoint_set, least):
    times = np.arange(90) / 30
    camera = make_view(distance=5.0, bearing=bearing)
    predicted = lifting.estimate(seen(motion(times), camera, keypoint_set), camera.intrinsics, times, CPU).contacts
    assert (predicted > 0.5).mean() > least


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_jumps_have_no_contacts_in_flight(fps):
    times = np.arange(3 * fps) / fps
    camera, walker = make_view(distance=5.0, bearing=0.7), jump(times)
    predicted = lifting.estimate(seen(walker, camera), camera.intrinsics, times, CPU).contacts > 0.5
    flying = walker.contacts[:, 0] < 0.5
    # Take-off and landing may be a twentieth of a second late.
    inside = np.convolve(flying, np.ones(2 * round(0.05 * fps) + 1), "same") > 2 * round(0.05 * fps)
    assert inside.sum() > 0.2 * fps
    assert not predicted[inside].any()
    assert predicted[times < 0.4].all()


@pytest.mark.parametrize("fps", [5, 10, 15, 20])
def test_contacts_are_found_at_low_frame_rates(fps):
    """Below the network's rate most of its time slots are empty and are interpolated."""
    times = np.arange(4 * fps) / fps
    camera, walker = make_view(distance=6.0, bearing=0.9, look_at=(0, -2, 0.9)), walk(times)
    predicted = lifting.estimate(seen(walker, camera), camera.intrinsics, times, CPU).contacts
    assert contact_f1(predicted, walker.contacts) > 0.8


def test_only_short_gaps_are_interpolated_linearly():
    slots = np.zeros((40, 2, 3))
    slots[[0, 6, 30]] = np.array([0, 6, 30])[:, None, None] + [[[0, 0, 1]]]
    filled = lifting.fill_gaps(slots, 1 / 30)
    np.testing.assert_allclose(filled[:7, :, 0], np.repeat(np.arange(7)[:, None], 2, 1), atol=1e-12)
    np.testing.assert_array_equal(filled[7:], slots[7:])


@pytest.mark.parametrize("every", [1, 2, 3])
def test_contacts_of_recorded_walking(shared_mocap, every):
    """Of a test subject, with simulated detector noise, at 30, 15 and 10 frames a second."""
    clip = next(c for c in motion_clips.split_by_subject(motion_clips.read_clips(shared_mocap))[1] if "walk" in c.text)
    filmed = (values[None] for values in (clip.points(), clip.axes, clip.valid))
    views = camera_views.film_bodies(np.random.default_rng(7), *filmed, sets=[0], lossy=False, static=True)
    rays, confidence, times = views.rays[0, ::every], views.confidence[0, ::every], np.arange(len(clip.hip))[::every] / 30
    predicted = lifting.lift_clip(lifting.load_lifter(), rays, confidence, times, False, "cpu", load_contact_network()).contacts
    assert contact_f1(predicted, contact_labels.label_contacts(clip)[::every]) > 0.8
