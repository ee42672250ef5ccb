"""Registries of the implementations of four roles: detectors, mesh generators, estimators and refiners.

An implementation of your own registers itself with one decorator (examples/05_own_detector.py); core/catalog.py lists what menus show.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

import torch

from ..core.array_types import FloatArray
from ..core.errors import InputError
from ..core.records import Estimate, GeneratedMesh, Observations

if TYPE_CHECKING:
    from .clip import Clip, Person
    from .detection.detector import Detector

Role = TypeVar("Role")
RefinerStage = Literal["estimate", "body", "skel"]


class Estimator(Protocol):
    """One person's 3D joints from their Observations; intrinsics (3,3) px, timestamps (F,) s."""

    def __call__(self, observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device, /) -> Estimate: ...


class Generator(Protocol):
    """One person's mesh, frame by frame, from their Observations; arguments as an Estimator's."""

    def __call__(
        self, observations: Observations, intrinsics: FloatArray, timestamps: FloatArray, device: torch.device, /
    ) -> GeneratedMesh: ...


class Refiner(Protocol):
    """Improves, in place, what the Person holds at the refiner's stage; returns its part of the report, ready for JSON."""

    def __call__(self, person: "Person", clip: "Clip", /) -> dict[str, Any]: ...


class Registry(Generic[Role]):
    """The implementations of one role by name."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.implementations: dict[str, Role] = {}

    def register(self, name: str) -> Callable[[Role], Role]:
        """A decorator that registers an implementation."""

        def decorator(implementation: Role) -> Role:
            self.implementations[name] = implementation
            return implementation

        return decorator

    def get(self, name: str) -> Role:
        """The implementation registered as `name`; raises InputError listing the valid choices."""
        try:
            return self.implementations[name]
        except KeyError:
            raise InputError(
                "role-member-unknown",
                "There is no {role} named {name}.",
                "Choose one of: {known}.",
                role=self.role,
                name=name,
                known=sorted(self.implementations),
            ) from None


DETECTORS: "Registry[type[Detector]]" = Registry("detector")
GENERATORS: Registry[Generator] = Registry("generator")
ESTIMATORS: Registry[Estimator] = Registry("estimator")
REFINERS: Registry[Refiner] = Registry("refiner")
REGISTRIES = (DETECTORS, GENERATORS, ESTIMATORS, REFINERS)
_STAGES: dict[str, RefinerStage] = {}

detector = DETECTORS.register
generator = GENERATORS.register
estimator = ESTIMATORS.register


def refiner(name: str, stage: RefinerStage) -> Callable[[Refiner], Refiner]:
    """Register a Refiner of the 3D joints ("estimate"), of the fitted body ("body") or of SKEL's angles ("skel")."""
    _STAGES[name] = stage
    return REFINERS.register(name)


def refiners_of_stage(stage: RefinerStage, wanted: Iterable[str]) -> dict[str, Refiner]:
    """The refiners of a stage among those wanted, by name, in the order wanted. Raises InputError."""
    return {name: REFINERS.get(name) for name in wanted if _STAGES.get(name, "estimate") == stage}
