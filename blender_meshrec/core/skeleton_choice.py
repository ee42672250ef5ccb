"""Which skeleton a result gets: the one chosen, or SKEL where the method gives its angles."""

from typing import Any

SKEL_METHODS = ("hsmr",)  # estimators that regress SKEL's angles


def wants_skel(options: Any) -> bool:
    """Whether a result has SKEL's skeleton.

    options: a request, a command's options or the like, with skeleton, body, skel_body and perhaps method. A method of SKEL_METHODS
    gives SKEL whatever the skeleton chosen, if body and SKEL body have one skin: both the open ones, or both the user's.
    """
    if options.skeleton == "skel":
        return True
    return getattr(options, "method", None) in SKEL_METHODS and (options.body == "open") == (options.skel_body == "open")
