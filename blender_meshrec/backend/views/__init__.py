"""Several cameras that film one scene, joined to one clip."""
