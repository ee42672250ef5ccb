"""Models that stay loaded from one clip to the next: only in the backend's process, which serves several and ends without a shutdown."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Model = TypeVar("Model")

_kept: dict[Hashable, list[Any]] = {}
_is_enabled = False


def keep_models() -> None:
    """From now on, keep what is given back."""
    global _is_enabled
    _is_enabled = True


def take_model(key: Hashable, load: Callable[[], Model]) -> Model:
    """A model that was given back under a key, else a newly loaded one. It is the caller's until it is given back."""
    kept = _kept.get(key)
    return kept.pop() if kept else load()


def give_back(key: Hashable, model: Any) -> bool:
    """Keep a model for the next `take_model`; False where nothing is kept, and the caller has to close it."""
    if _is_enabled:
        _kept.setdefault(key, []).append(model)
    return _is_enabled
