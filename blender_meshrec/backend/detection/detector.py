"""The detector's role: what the pipeline asks of anything that finds people in footage."""

from ..footage.video import open_footage


class Detector:
    """Finds people frame by frame; following them through time is the tracker's work.

    keypoint_set: one of core.skeletons.KEYPOINT_SETS, known once `open` has returned.
    A detector must answer the same for the same frame and expected boxes: results are cached and resumed.
    """

    keypoint_set = "blazepose33"

    def open(self, path, frames=None, fps=None):
        """The Footage to watch; fps is the rate of a folder of numbered files, which do not know it. Raises InputError."""
        return open_footage(path, frames, fps)

    def identity(self):
        """Everything but the footage that decides the result, as text; None if results are not worth keeping."""
        raise NotImplementedError

    def detect(self, frame, expected):
        """The people in one frame, each once.

        Args:
            frame: a footage.Frame. expected: tracking.Expected of everybody who is being followed.

        Returns:
            list of Pose.
        """
        raise NotImplementedError

    def close(self):
        """Give back what `detect` needed."""
