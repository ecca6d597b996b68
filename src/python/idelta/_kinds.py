"""Names of kinds (KINDS) and their values: the library's own tables."""

from __future__ import annotations

import ctypes
import functools
from typing import Union

from ._core_abi import Activation, check, core, declarations
from .errors import InvalidArgument, WrongType

#: The name of an activation, or for leaky_relu the name and the slope: ("leaky_relu", 0.1).
ActivationLike = Union[str, "tuple[str, float]"]

#: What has names.
KINDS = ("format", "tail", "verdict", "isa", "bf16_product", "activation", "optimizer")


def _check_text(name: object, what: str) -> str:
    if not isinstance(name, str):
        raise WrongType(f"{what} is {name!r}, and no name; give one of {names_text(what)}")
    return name


def names_text(what: str) -> str:
    """All names of a kind, one of KINDS, separated by ", "."""
    if what not in KINDS:
        raise InvalidArgument(f"there are no names of {what!r}; give one of {', '.join(KINDS)}")
    text: bytes = getattr(core, f"{what}_names")()
    return text.decode()


def names(what: str) -> tuple[str, ...]:
    """All names of a kind, in the order of their values."""
    return tuple(names_text(what).split(", "))


@functools.lru_cache(maxsize=None)
def value_of(what: str, name: str) -> int:
    """The value of a name; an unknown one is InvalidArgument, with a sentence that lists the known ones."""
    value = ctypes.c_int()
    check(getattr(core, f"{what}_by_name")(_check_text(name, what).encode(), ctypes.byref(value)))
    return value.value


@functools.lru_cache(maxsize=None)
def name_of(what: str, value: int) -> str:
    """The name of a value."""
    text: bytes = getattr(core, f"{what}_name")(value)
    return text.decode()


def enumerator(enumeration: str, name: str) -> int:
    """The value of a name of an enumeration without a table, from the headers: ("scale", "zero_to_one")."""
    prefix = f"IDELTA_{enumeration.upper()}_"
    constants = declarations.constants.items()
    known = {constant[len(prefix) :].lower(): int(value) for constant, value in constants if constant.startswith(prefix)}
    if name not in known:
        raise InvalidArgument(f"{enumeration} is {name!r}; give one of {', '.join(known)}")
    return known[name]


def activation(given: ActivationLike) -> Activation:  # type: ignore[valid-type]
    """idelta_activation of a name, or of a name and a slope. Not to be changed: callers share it."""
    if isinstance(given, str):
        return _activation(given, 0.0)
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise WrongType(f"activation is {given!r}; give a name of {names_text('activation')}, or a name and a slope")
    return _activation(*given)


@functools.lru_cache(maxsize=256)
def _activation(name: str, slope: float) -> Activation:  # type: ignore[valid-type]
    found = Activation(value_of("activation", name), slope)
    check(core.activation_check(ctypes.byref(found)))
    return found
