"""Objects of the C library whose lifetime follows Python's."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from .errors import WrongType


class Handle:
    """A C object, which is freed when the last user of its Handle is gone, and after what was made with it.

    `needs` are Handles that must outlive it: the finalizer holds them, so that they do even where the garbage collector
    or the end of the process takes all of them at once.
    """

    __slots__ = ("__weakref__",)

    def __init__(self, address: int, free: Callable[[int], Any], *needs: Handle) -> None:
        weakref.finalize(self, _free, free, address, needs)


def address_of(given: Any, kind: Any, name: str) -> int:
    """The address of an object of this package, or an error that says which class to give."""
    if not isinstance(given, kind):
        raise WrongType(f"{name} is of type {type(given).__name__}; give an idelta.{kind.__name__}")
    address: int = given._address
    return address


def _free(free: Callable[[int], Any], address: int, needs: tuple[Handle, ...]) -> None:
    free(address)
