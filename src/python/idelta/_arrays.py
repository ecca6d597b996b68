"""Arrays as the C functions take them: where they lie, or an error that says how to convert them. Nothing is copied."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidArgument, WrongType

Floats = NDArray[np.float32]

FLOAT32 = np.dtype(np.float32)
_ITEM = FLOAT32.itemsize

#: Address, rows, and distance between rows in elements.
Matrix = tuple[int, int, int]


def matrix(array: Any, name: str, n: int, *, rows: int | None = None, output: bool = False) -> Matrix:
    """A float32 array of (rows, n), or of (n,), which is one row; any distance between its rows.

    `rows`: how many there must be; None: any number. `output`: it is written to.
    """
    if type(array) is np.ndarray and array.dtype is FLOAT32:
        shape = array.shape
        if len(shape) == 2 and shape[1] == n and (rows is None or shape[0] == rows):
            m = shape[0]
            row, column = array.strides
            if (column == _ITEM or n == 1) and (m < 2 or (row >= n * _ITEM and row % _ITEM == 0)):
                address: int = array.ctypes.data
                if address % _ITEM == 0 and (not output or array.flags.writeable):
                    return address, m, row // _ITEM if m > 1 else n
    return _matrix_with_care(array, name, n, rows, output)


def _matrix_with_care(array: Any, name: str, n: int, rows: int | None, output: bool) -> Matrix:
    """What is not the usual case: an error, a single row, or a subclass such as numpy.memmap."""
    check_floats(array, name, output)
    wanted = f"({'rows' if rows is None else rows}, {n})"
    if array.ndim == 1 and array.shape[0] == n and rows in (None, 1):
        array = array[np.newaxis, :]
    if array.ndim != 2 or array.shape[1] != n or (rows is not None and array.shape[0] != rows):
        raise InvalidArgument(f"{name} has the shape {array.shape}; give {wanted}")
    m = array.shape[0]
    row, column = array.strides
    if m > 0 and n > 1 and column != _ITEM:
        _refuse_layout(array, name, f"its columns are {column} bytes apart, and must be {_ITEM}", output)
    if m > 1 and (row < n * _ITEM or row % _ITEM):
        _refuse_layout(array, name, f"its rows are {row} bytes apart, and must be {n * _ITEM} or more", output)
    return array.ctypes.data, m, row // _ITEM if m > 1 else n


def width_of(array: Any) -> int:
    """How many columns an array has; 0 for what `matrix` refuses anyway."""
    return array.shape[-1] if isinstance(array, np.ndarray) and array.ndim else 0


def square(array: Any, name: str) -> Matrix:
    """`matrix` of an (n, n) array of any n."""
    n = width_of(array)
    return matrix(array, name, n, rows=n)


def vector(array: Any, name: str, n: int, *, output: bool = False) -> int:
    """The address of a float32 array of (n,) whose elements are contiguous."""
    if not (type(array) is np.ndarray and array.dtype is FLOAT32 and array.shape == (n,) and array.strides == (_ITEM,)):
        check_floats(array, name, output)
        if array.shape != (n,):
            raise InvalidArgument(f"{name} has the shape {array.shape}; give ({n},)")
        if n > 1 and array.strides != (_ITEM,):
            _refuse_layout(array, name, f"its elements are {array.strides[0]} bytes apart, and must be {_ITEM}", output)
    if output and not array.flags.writeable:
        _refuse_read_only(name)
    address: int = array.ctypes.data
    return address


def check_floats(array: Any, name: str, output: bool = False) -> None:
    """Refuses what is no array of numpy, masked, not float32 of this machine, misaligned, or read-only if written to."""
    if not isinstance(array, np.ndarray):
        remedy = "give an array of numpy" if output else f"give numpy.asarray({name}, dtype=numpy.float32)"
        raise WrongType(f"{name} is of type {type(array).__name__}, and no array of numpy; {remedy}")
    if isinstance(array, np.ma.MaskedArray):
        raise WrongType(f"{name} is a masked array, and the library knows no masks; give {name}.filled(0)")
    if array.dtype != FLOAT32:
        remedy = "give an array of float32" if output else f"give {name}.astype(numpy.float32)"
        raise WrongType(f"{name} is of {array.dtype}, and the library computes in float32; {remedy}")
    if not array.flags.aligned:
        raise WrongType(f"{name} does not lie at a multiple of {_ITEM} bytes; give {name}.copy()")
    if output and not array.flags.writeable:
        _refuse_read_only(name)


def _refuse_layout(array: NDArray[Any], name: str, what: str, output: bool) -> NoReturn:
    remedy = f"give numpy.ascontiguousarray({name})"
    if output:
        remedy = f"give numpy.empty({array.shape}, numpy.float32)"
    raise InvalidArgument(f"{name} cannot be used where it lies: {what}; {remedy}")


def _refuse_read_only(name: str) -> NoReturn:
    raise InvalidArgument(f"{name} is read-only, and the call writes to it; give {name}.copy()")


def check_apart(name: str, output: NDArray[Any], **others: NDArray[Any] | None) -> None:
    """Refuses an output that shares memory with another array of the call."""
    for other_name, other in others.items():
        if other is not None and np.shares_memory(output, other):
            raise InvalidArgument(f"{name} shares memory with {other_name}; give it memory of its own")


def check_apart_or_same(name: str, output: NDArray[Any], **others: NDArray[Any]) -> None:
    """The same for an output that may be an input itself, element for element: the library computes in place."""
    for other_name, other in others.items():
        if output is not other and np.shares_memory(output, other):
            if output.ctypes.data != other.ctypes.data or output.strides != other.strides:
                check_apart(name, output, **{other_name: other})
