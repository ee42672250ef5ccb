"""What is known of a clip and its people before the solve."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ....core.array_types import BoolArray, FloatArray, IntArray
from ....core.files.body_template import BodyTemplate
from ....core.records import BodyParams
from .body_points import Shape, shape_of_stature
from .corrections import CorrectionEvidence
from .foot_keypoints import foot_offsets
from .ground_contacts import SoleContacts
from .view_evidence import PersonInView, ViewEvidence


@dataclass(frozen=True)
class PersonEvidence:
    """What is known of one person over F frames.

    body: the start, in camera axes. keypoints: (F,17,3) px and confidence, h36m17. lifted: (F,17,3) m about the hip, camera axes.
    contacts: (F,4) 0..1, of the soles. visible: (F,). is_shape_known: the start's betas stay.
    certain: (F,4), contacts of the soles that are certain, 1 or 0, and nan elsewhere; or None. spread: (F,17,3) m, of the lifted joints
    relative to their parents, across and along the line of sight; or None. views: what each of the clip's further views shows, if anything.
    is_size_open: whether the views show how large the person is, or the floor that they share; else their stature is the start's.
    corrections: an artist's, or None. shares_floor: whether they stand on one floor with all others who do. feet: (F,6,3) px and confidence
    of FOOT_POINTS, or None where the ankles of `keypoints` count. foot_set: the keypoint set whose feet
    and ankles are seen, beside the body's own (foot_keypoints.py); h36m17 if they are the body's own joints.
    keypoint_sigma: (F,17) px, standard deviations of `keypoints`; None where the clip itself tells their noise.
    """

    body: BodyParams
    keypoints: FloatArray
    lifted: FloatArray
    contacts: FloatArray
    visible: BoolArray
    is_shape_known: bool = False
    certain: FloatArray | None = None
    spread: FloatArray | None = None
    views: Sequence[PersonInView | None] = ()
    is_size_open: bool = False
    corrections: CorrectionEvidence | None = None
    shares_floor: bool = False
    feet: FloatArray | None = None
    foot_set: str = "h36m17"
    keypoint_sigma: FloatArray | None = None

    @property
    def is_size_shared(self) -> bool:
        """Whether the floor that people share tells the person's size."""
        return self.shares_floor and self.is_size_open

    @property
    def soles(self) -> SoleContacts:
        """The contacts of the frames with the person."""
        return SoleContacts(self.contacts[self.visible], None if self.certain is None else self.certain[self.visible])

    def shape(self, template: BodyTemplate) -> Shape:
        """The shapes that the person may have."""
        return shape_of_stature(
            template, self.body.betas.astype(float), self.is_shape_known, self.is_size_open, foot_offsets(self.foot_set)
        )

    def frames(self, rows: IntArray) -> "PersonEvidence":
        """Of some frames, by one view."""
        body = self.body
        return replace(
            self,
            body=replace(body, global_orient=body.global_orient[rows], body_pose=body.body_pose[rows], transl=body.transl[rows]),
            keypoints=self.keypoints[rows],
            lifted=self.lifted[rows],
            contacts=self.contacts[rows],
            visible=self.visible[rows],
            certain=None if self.certain is None else self.certain[rows],
            spread=None if self.spread is None else self.spread[rows],
            corrections=None if self.corrections is None else self.corrections.frames(rows),
            feet=None if self.feet is None else self.feet[rows],
            keypoint_sigma=None if self.keypoint_sigma is None else self.keypoint_sigma[rows],
        )


@dataclass(frozen=True)
class ClipEvidence:
    """What the people share.

    intrinsics: (3,3) px. image_size: (width, height) px. timestamps: (F,) s. up: (3,) in camera axes. floor: m; a point's height is
    up . x + floor. tilt_sigma: (2,) rad, how well the camera's pitch and roll are known; 0 where up is given and does not change.
    lens_sigma: of the logarithm of the focal length; 0 where it is given. centres: (F,3) m, the places of a camera that moves but does not
    turn, or None if it stays at the origin; path_sigma: of the logarithm of their scale; 0 where it is given.
    may_be_level: whether nothing but people's bodies speaks against a level camera. views: further views, which do not move.
    is_floor_known: whether the floor is given, and does not change. keeps_touch: whether contact between people is kept.
    """

    intrinsics: FloatArray
    image_size: FloatArray
    timestamps: FloatArray
    up: FloatArray
    floor: float
    tilt_sigma: FloatArray
    lens_sigma: float = 0.0
    centres: FloatArray | None = None
    path_sigma: float = 0.0
    may_be_level: bool = True
    is_floor_known: bool = False
    views: Sequence[ViewEvidence] = ()
    keeps_touch: bool = False

    def places(self, growth: float, seen: BoolArray | slice = slice(None)) -> FloatArray:
        """The camera's places (F,3) m in the frames that are `seen`, with a path exp(growth) times the assumed size."""
        centres = np.zeros((len(self.timestamps), 3)) if self.centres is None else self.centres
        return np.exp(growth) * centres[seen]

    def frames(self, rows: IntArray) -> "ClipEvidence":
        """Of some frames."""
        return replace(self, timestamps=self.timestamps[rows], centres=None if self.centres is None else self.centres[rows])
