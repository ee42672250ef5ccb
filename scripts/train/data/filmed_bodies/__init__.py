"""Rendered clips of motion capture on the open body, and what the product's own detector reports of them.

Simulated keypoint noise has neither a detector's systematic errors nor its failures when an arm is behind the trunk. Here the body performs
the training motion in random clothes, light and places, a software renderer films it, and the detector processes the pictures.

motion.py draws pieces of motion capture; wardrobe.py the body's shape and clothes; performer.py poses it; cameras.py films it; scenery.py,
renderer.py and pictures.py make the pictures; detection.py detects and tracks; clips.py joins all of that; shards.py stores the result, and
jobs.py runs that in several processes; measure.py measures it. `python -m scripts.train.data.filmed_bodies` writes the data set.
"""
