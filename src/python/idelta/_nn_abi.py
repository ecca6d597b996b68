"""The functions, structs and enumerations of libidelta_nn, which is loaded when the first of them is asked for."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _kinds
from ._core_abi import check, declarations
from ._declarations import Functions
from .errors import InvalidArgument, WrongType

Array = NDArray[Any]


@functools.lru_cache(maxsize=None)
def nn() -> Functions:
    """The functions of idelta/nn.h."""
    from ._nn_library import functions  # Python imports once, even where several threads make their first networks

    return functions


def initial(struct: str, **fields: Any) -> Any:
    """A struct of idelta/nn.h, by its name without "idelta_", as its INIT macro has it but for these fields."""
    nn()
    return declarations.structs[f"idelta_{struct}"].initial(**fields)


def value_of(enumeration: str, name: str) -> int:
    """The value of a name of an enumeration of idelta/nn.h."""
    nn()
    return _kinds.enumerator(enumeration, name)


def outputs(struct: Any, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    """Makes arrays of these shapes, of the types that the header gives, and points the struct's fields to them."""
    made: dict[str, Array] = {}
    for name, shape in shapes.items():
        made[name] = np.empty(shape, np.dtype(struct.POINTEES[name]))
        setattr(struct, name, made[name].ctypes.data)
    return made


def texts(given: Sequence[str] | None, name: str, count: int) -> Any:
    """`count` texts as C has them, to be kept as long as they are used; None stays None."""
    if given is None:
        return None
    if isinstance(given, str) or len(given) != count:
        raise InvalidArgument(f"{name} must be {count} texts, and is {given!r}")
    return (ctypes.c_char_p * count)(*(_ended(str(item).encode(), name) for item in given))


def text(given: str | None, name: str) -> bytes | None:
    """A text as C has it; None stays None."""
    if not isinstance(given, (str, type(None))):
        raise WrongType(f"{name} is {given!r}; give a str")
    return None if given is None else _ended(given.encode(), name)


def _ended(given: bytes, name: str) -> bytes:
    """A text for C, where it would end at a NUL."""
    if b"\0" in given:
        raise InvalidArgument(f"{name} has a NUL in {given!r}; leave it out")
    return given


def path_bytes(path: Any) -> bytes:
    try:
        return _ended(os.fsencode(path), "path")
    except TypeError:
        raise WrongType(f"path is {path!r}; give a str or a pathlib.Path") from None


def address(c_object: Any) -> int | None:
    """The address of a ctypes object, for a field of a struct; None stays null."""
    return None if c_object is None else ctypes.addressof(c_object)


def texts_at(at: int | None, count: int) -> list[str] | None:
    """`count` texts that the library holds."""
    if not at:
        return None
    return [(item or b"").decode() for item in (ctypes.c_char_p * count).from_address(at)]


def seen_texts(call: Callable[[Any], int]) -> list[str]:
    """What a call gives to its idelta_text_seen."""
    found: list[str] = []
    nn()
    callback = declarations.callbacks["idelta_text_seen"](lambda _, line: found.append(line.decode()))
    check(call(callback))
    return found


class Observed:
    """A function of Python as a C callback. What it raises is kept, and raised once the call has returned."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        nn()
        self._function = function
        self._error: BaseException | None = None
        self._interrupted = False
        self._returns = declarations.callbacks[name]._restype_ is not None
        self.callback = declarations.callbacks[name](self._call)

    @property
    def address(self) -> int | None:
        """For a field of a struct."""
        return ctypes.cast(self.callback, ctypes.c_void_p).value

    def _call(self, _user: Any, *arguments: Any) -> Any:
        try:
            if self._error is None and not self._interrupted:
                result = self._function(*arguments)
                return result if self._returns else None
        except BaseException as error:
            self._error = error
        return 1 if self._returns else None

    def run(self, call: Callable[[], int]) -> None:
        """Makes the C call that takes this callback, and raises what the function raised, or what the status says.

        Ctrl-C would be raised where Python resumes, at the entry of the callback, and be lost in C. So it is noted, makes
        the callback ask for a stop, and is handled when the call has returned.
        """
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(handler):
            self._raise(call())
            return
        signal.signal(signal.SIGINT, self._note_interrupt)
        try:
            status = call()
        finally:
            signal.signal(signal.SIGINT, handler)
        if self._interrupted:
            handler(signal.SIGINT, None)
        self._raise(status)

    def _note_interrupt(self, *_: Any) -> None:
        self._interrupted = True

    def _raise(self, status: int) -> None:
        if self._error is not None:
            raise self._error
        check(status)
