"""Moving one skeleton as another moved: numpy only, vectorised over frames, and the rig itself is never changed."""
