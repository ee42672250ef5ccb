"""The methods that menus offer. The user interface cannot import the methods themselves.

A test compares this list with the backend's registries.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class CatalogEntry:
    """One method.

    name: registered name. role: detector, estimator, generator or refiner. label, explanation: menu texts. paper: its source, or "".
    weights: file name of its weights, "user" where the user provides them, None where it needs none. license: SPDX identifier.
    """

    name: str
    role: str
    label: str
    explanation: str
    paper: str
    weights: str | None
    license: str


CATALOG = (
    CatalogEntry(
        name="mediapipe",
        role="detector",
        label="MediaPipe",
        explanation="Finds and follows several people; needs nothing but what is installed",
        paper="Bazarevsky et al. 2020, BlazePose: On-device real-time body pose tracking",
        weights="pose_landmarker.task",
        license="Apache-2.0",
    ),
    CatalogEntry(
        name="keypoints",
        role="detector",
        label="2D keypoints file",
        explanation="Reads keypoints from an .npz or a folder of OpenPose JSON instead of looking at pixels",
        paper="",
        weights=None,
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="rtmlib",
        role="detector",
        label="RTMPose (your ONNX files)",
        explanation="Runs RTMPose or ViTPose ONNX files that you bring",
        paper="Jiang et al. 2023, RTMPose: Real-time multi-person pose estimation",
        weights="user",
        license="Apache-2.0",
    ),
    CatalogEntry(
        name="blazepose",
        role="estimator",
        label="BlazePose 3D",
        explanation="The detector's own 3D joints, anchored to its 2D: quick, for single pictures (Grishchenko et al. 2022)",
        paper="Grishchenko et al. 2022, BlazePose GHUM Holistic",
        weights="pose_landmarker.task",
        license="Apache-2.0",
    ),
    CatalogEntry(
        name="skeleton2mesh",
        role="estimator",
        label="Skeleton2Mesh lifter",
        explanation="3D joints from 2D keypoints, judged over time, averaged with the detector's own; for most footage (Yu et al. 2021)",
        paper="Yu et al. 2021, Skeleton2Mesh: Kinematics Prior Injected Unsupervised Human Mesh Recovery",
        weights="lifter.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="hmr",
        role="generator",
        label="HMR",
        explanation="Pose and shape of each frame by itself, from 2D joints and an outline",
        paper="Kanazawa et al. 2018, End-to-end Recovery of Human Shape and Pose",
        weights="hmr.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="hkmr",
        role="generator",
        label="HKMR",
        explanation="Pose and shape of each frame by itself, limb by limb, for people who are partly hidden",
        paper="Georgakis et al. 2020, Hierarchical Kinematic Human Mesh Recovery",
        weights="hkmr.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="hkmr",
        role="estimator",
        label="HKMR",
        explanation="Each frame by itself, limb by limb, for people partly hidden or cut off by the picture (Georgakis et al. 2020)",
        paper="Georgakis et al. 2020, Hierarchical Kinematic Human Mesh Recovery",
        weights="hkmr.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="hsmr",
        role="generator",
        label="HSMR",
        explanation="SKEL's angles and shape of each frame by itself, as SMPL's rotations",
        paper="Xia et al. 2025, Reconstructing Humans with a Biomechanically Accurate Skeleton",
        weights="hsmr.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="decomr",
        role="generator",
        label="DecoMR",
        explanation="The mesh of each frame by itself, from the picture, by where each pixel lies on the body",
        paper="Zeng et al. 2020, 3D Human Mesh Regression with Dense Correspondence",
        weights="decomr.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="pc-hmr",
        role="estimator",
        label="PC-HMR",
        explanation="A mesh generated from each frame, calibrated onto lifted joints, which bones may stretch to meet (Luan et al. 2021)",
        paper="Luan et al. 2021, PC-HMR: Pose Calibration for 3D Human Mesh Recovery from 2D Images/Videos",
        weights="pc_hmr.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="pc-hmr-serial",
        role="estimator",
        label="PC-HMR, serial",
        explanation="The same, the joints lifted from the generated mesh itself: less exact, for comparison (Luan et al. 2021)",
        paper="Luan et al. 2021, PC-HMR: Pose Calibration for 3D Human Mesh Recovery from 2D Images/Videos",
        weights="pc_hmr.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="pc-hmr-hkmr",
        role="estimator",
        label="PC-HMR over HKMR",
        explanation="PC-HMR with the meshes of HKMR, for people who are partly hidden (Luan et al. 2021, Georgakis et al. 2020)",
        paper="Luan et al. 2021, PC-HMR: Pose Calibration for 3D Human Mesh Recovery from 2D Images/Videos",
        weights="hkmr.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="pc-hmr-decomr",
        role="estimator",
        label="PC-HMR over DecoMR",
        explanation="PC-HMR with the meshes that DecoMR sees in the picture (Luan et al. 2021, Zeng et al. 2020)",
        paper="Luan et al. 2021, PC-HMR: Pose Calibration for 3D Human Mesh Recovery from 2D Images/Videos",
        weights="decomr.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="hmr2",
        role="estimator",
        label="HMR2.0 (your checkpoint)",
        explanation="Pose from the picture by a large network, for rare poses; needs its checkpoint and your SMPL file (Goel et al. 2023)",
        paper="Goel et al. 2023, Humans in 4D: Reconstructing and Tracking Humans with Transformers",
        weights="user",
        license="MIT",
    ),
    CatalogEntry(
        name="hsmr",
        role="estimator",
        label="HSMR",
        explanation="SKEL's angles, within anatomical limits; your released checkpoint, where it was added (Xia et al. 2025)",
        paper="Xia et al. 2025, Reconstructing Humans with a Biomechanically Accurate Skeleton",
        weights="hsmr.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="spin",
        role="estimator",
        label="SPIN (your checkpoint)",
        explanation="Pose from the picture by a small, fast network; needs its checkpoint and your SMPL file (Kolotouros et al. 2019)",
        paper="Kolotouros et al. 2019, Learning to Reconstruct 3D Human Pose and Shape via Model-fitting in the Loop",
        weights="user",
        license="BSD-3-Clause",
    ),
    CatalogEntry(
        name="decomr",
        role="estimator",
        label="DecoMR",
        explanation="A mesh from where each pixel lies on the body; your released checkpoint, where it was added (Zeng et al. 2020)",
        paper="Zeng et al. 2020, 3D Human Mesh Regression with Dense Correspondence",
        weights="decomr.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="videopose3d",
        role="estimator",
        label="VideoPose3D (your checkpoint)",
        explanation="3D joints from 2D keypoints over up to 243 frames, for comparison; needs its checkpoint (Pavllo et al. 2019)",
        paper="Pavllo et al. 2019, 3D Human Pose Estimation in Video with Temporal Convolutions and Semi-supervised Training",
        weights="user",
        license="CC-BY-NC-4.0",
    ),
    CatalogEntry(
        name="dik-network",
        role="refiner",
        label="Twists",
        explanation="Natural twist of the limbs, and turns of hands, feet and head, learned from motion capture",
        paper="Yu et al. 2021, Skeleton2Mesh: Kinematics Prior Injected Unsupervised Human Mesh Recovery",
        weights="rotations.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="silhouettes",
        role="refiner",
        label="Silhouettes",
        explanation="Girth, and how hands and feet are turned, from the person's outline in up to 32 frames of footage",
        paper="Yu et al. 2021, Skeleton2Mesh: Kinematics Prior Injected Unsupervised Human Mesh Recovery",
        weights="silhouettes.safetensors",
        license="GPL-3.0-or-later",
    ),
    CatalogEntry(
        name="skelify",
        role="refiner",
        label="SKELify",
        explanation="Fits SKEL's angles to the 2D keypoints, frame by frame only where they come nearer; needs the skeleton SKEL",
        paper="Xia et al. 2025, Reconstructing Humans with a Biomechanically Accurate Skeleton",
        weights=None,
        license="GPL-3.0-or-later",
    ),
)

# Refiners that run unless the user chooses others.
DEFAULT_REFINERS = ("dik-network", "silhouettes")


def catalog_entries(role: str) -> tuple[CatalogEntry, ...]:
    """The entries of one role, in menu order."""
    return tuple(entry for entry in CATALOG if entry.role == role)
