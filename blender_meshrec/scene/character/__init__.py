"""An artist's character: read from a file or the scene, checked, and described as a Rig."""
