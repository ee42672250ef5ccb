"""The four roles and who fills them. A decorator registers; the catalogue in core says what the menus show."""

from ..core.errors import InputError

_ROLES = {"detector": {}, "generator": {}, "estimator": {}, "refiner": {}}


def _register(role, name):
    def decorator(implementation):
        _ROLES[role][name] = implementation
        return implementation

    return decorator


def detector(name):
    """Register a Detector (detection/detector.py): a class, made with the ReconstructRequest, that finds people in a frame."""
    return _register("detector", name)


def generator(name):
    """Register a function that turns one person's Observations and intrinsics into a GeneratedMesh."""
    return _register("generator", name)


def estimator(name):
    """Register a function that turns one person's Observations and intrinsics into an Estimate."""
    return _register("estimator", name)


def refiner(name):
    """Register a function that turns an Estimate into a better one; of refine_shape.BODY_REFINERS, a BodyFit; of
    skel_stage.SKEL_REFINERS, a Recovery with SKEL's angles."""
    return _register("refiner", name)


def names(role):
    """The registered names of a role."""
    return tuple(_ROLES[role])


def find(role, name):
    """The implementation registered as `name`; raises InputError listing the valid choices."""
    try:
        return _ROLES[role][name]
    except KeyError:
        raise InputError(f"There is no {role} named {name}.", f"Choose one of: {', '.join(sorted(_ROLES[role]))}.") from None
