"""Every weight of the whole-clip solve: standard deviations of its residuals, with unit and reason.

Residuals count as integrals over time: a frame weighs by its duration in 1/30 s, so that results do not depend on the frame rate.
"""

REFERENCE_RATE = 30.0  # Hz, at which a frame weighs 1
MAX_FRAME_WEIGHT = 6.0  # of a frame before a gap

# Errors of the lifter and of the detector's joints are the same for many frames: so many frames weigh as one against what is known of a
# whole clip beforehand (shape, marker offsets, gravity, lean).
PRIOR_FRAMES = 30.0

# --- the image --------------------------------------------------------------------------------------------------------
# A marker against its keypoint, m at the person's distance: the marker's own uncertainty, beside the keypoint's noise.
KEYPOINT_SIGMA = 0.005
# Keypoint errors are this many times their measured high-frequency noise, where nothing else tells them: much of them is slow.
NOISE_FACTOR = 4.0
KEYPOINT_OUTLIER = 3.0  # sigma from which a keypoint lets go (Geman-McClure)
MIN_OUTLIER_WEIGHT = 0.05  # an outlier keeps this weight, or a lost person would never be found again

# The logarithm of a focal length that nobody gave, over the assumed one.
LENS_SIGMA = 0.2

# With several views, keypoints show what is left open here: their noise counts so many times, and lifted bones err by so much more.
SEVERAL_VIEWS_NOISE_FACTOR, SEVERAL_VIEWS_BONE_FACTOR = 2.0, 1.5

# --- the lifter -------------------------------------------------------------------------------------------------------
# A bone's end relative to its start in the lifted pose, m, where the lifter does not say. About its error on held-out motion.
BONE_SIGMA = 0.05
# Where it says how sure it is: what no lifter knows, since its skeleton is not the body's, beside this much of the spread that it gives.
SKELETON_SIGMA, SPREAD_FACTOR = 0.04, 0.6
# How the lifter leans, rad, about the camera's x, y and z axes.
LEAN_SIGMA = (0.0175, 0.0087, 0.0087)

# --- motion -----------------------------------------------------------------------------------------------------------
ACCELERATION_SIGMA, ACCELERATION_OUTLIER = 30.0, 2.0  # m/s^2 of joints; Cauchy
TURN_ACCELERATION_SIGMA, TURN_ACCELERATION_OUTLIER = 60.0, 2.0  # rad/s^2 of joints' rotations about their parents; Cauchy

# --- the ground -------------------------------------------------------------------------------------------------------
SOLE_SPEED_SIGMA, SOLE_OUTLIER = 0.05, 4.0  # m/s of a sole in contact; Geman-McClure
CERTAIN_OUTLIER = 100.0  # the same of a sole that the user knows to be in contact
HOLD_SIGMA = 0.015  # m, of a point in contact from where it rests during the contact
SOLE_HEIGHT_SIGMA = 0.01  # m, of a sole in contact, once gravity is settled
# The same while gravity is sought: a foothold's height is known to this fraction of the camera's, once for all its frames.
FOOTHOLD_DEPTH_SIGMA, FOOTHOLD_FRAMES = 0.06, 20
# The same while people's size is sought on a floor that is known; and how well that floor is, m.
SIZE_HEIGHT_SIGMA, KNOWN_FLOOR_SIGMA = 0.04, 1e-4
# Contacts with a floor that is known count so many times: the lines of sight of a foot move it along the floor, and do not tip it.
KNOWN_FLOOR_FACTOR = 3.0
PENETRATION_SIGMA = 0.01  # m, of a point below the floor, once gravity is settled
# While parts approach the ground (phases.py): from how far, m, those are drawn to it that hover, and without which the body would fall
# over, and how near they come. Lifted poses hold hands and backs up to 15 cm over what they lie on; SOLE_HEIGHT_SIGMA alone lets go of
# them there.
APPROACH_HEIGHT, APPROACH_SIGMA = 0.2, 0.02
MIN_UP_SIGMA = 0.026  # rad, of the gravity that the start is given, however sure of itself
# A camera is this far above the floor at least, m, and by how much that may be wrong; Cauchy, since people are on stages, and climb.
LEAST_CAMERA_HEIGHT, CAMERA_HEIGHT_SIGMA, CAMERA_HEIGHT_OUTLIER = 0.1, 0.15, 3.0
# Two starts that are this far apart, rad, are both tried: gravity as estimated, and a level camera, if that is within so many standard
# deviations of the estimate.
OTHER_START, LEVEL_WITHIN = 0.14, 4.0
SUPPORT_GAIN = 16.0  # what a point on the ground counts for a start in a frame: as much as a foothold costs that is let go
CLEARLY_BETTER = 0.1  # by which fraction of the first start's energy the second one must be better to be taken

# The centre of mass of somebody who stands still on both feet beside the middle of their feet, m, and the speed of the pelvis, m/s, at
# which this weighs exp(-1); Cauchy, since people hold on to something. Between the feet it may be farther, by a share of their distance.
BALANCE_SIGMA, BALANCE_OUTLIER, BALANCED_SPEED, STANCE_SHARE = 0.03, 5.0, 0.15, 0.25

# --- other people ----------------------------------------------------------------------------------------------------
TOUCH_SIGMA = 0.02  # m, of each of two points that touch from where they meet

# --- the body ---------------------------------------------------------------------------------------------------------
# A rotation against the start's (DIK), rad.
POSE_SIGMA = 0.2
POSE_SIGMAS = {"spine1": 0.1, "spine2": 0.1, "spine3": 0.1, "left_collar": 0.05, "right_collar": 0.05,
               "left_ankle": 0.5, "right_ankle": 0.5}  # fmt: skip
KNEE_SIGMAS = (0.7, 0.15, 0.15)  # flexion, and the axes that a knee does not have
# A knee on whose foot the body stands is nearly straight, rad of flexion; one that bends farther than the outlier (sigma) does so on
# purpose.
STANDING_FLEXION, STANDING_SIGMA, STANDING_OUTLIER = 0.08, 0.15, 2.0
# This counts so many times more where the pelvis is slower than STILL_SPEED, m/s: who stands still rests on straight legs.
STILL_FACTOR, STILL_SPEED = 4.0, 0.08
SHAPE_SIGMA = 1.0  # betas against the start's; their unit is the population's standard deviation
SHAPE_LIMIT, SHAPE_LIMIT_SIGMA = 2.5, 0.2  # how far betas are from 0 at most, or from it at the start; and by how much that may be wrong
# The same of the stature of people who share a floor, which their start has been given with all that is known of statures.
SHARED_FLOOR_STATURE_SIGMA = 0.3
# Where a detector sees a joint, beside the body's own, m. Three times as much makes poses 0.5 mm and MPJPE 1.6 mm worse on held-out motion.
OFFSET_SIGMA = {"hip": 0.01, "left_hip": 0.01, "left_shoulder": 0.01, "spine": 0.016, "thorax": 0.016, "nose": 0.016, "head_top": 0.016}
# By how much clips differ in where a detector sees feet, beside the offsets of foot_keypoints.py, m: with truth, in ankles by up to 0.016,
# in heels 0.024, in toes 0.007. It is the same in all frames of a clip, so that points count by it and hardly by what they scatter.
FOOT_SIGMA = {"ankle": 0.02, "heel": 0.04, "big_toe": 0.005}
