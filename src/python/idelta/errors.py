"""What idelta raises. Every error is an Error, and also the built-in exception that Python would use for its kind."""

from __future__ import annotations


class Error(Exception):
    """A call of the library that failed; the sentence names the argument, its value and the mend."""


class InvalidArgument(Error, ValueError):
    """A value or a size that the library refuses."""


class WrongType(Error, TypeError):
    """An array of another type than the call can use where it lies; the sentence says how to convert it."""


class OutOfMemory(Error, MemoryError):
    """The library could not get memory; its objects are as they were."""


class Unsupported(Error, NotImplementedError):
    """Something that this machine, this build or this format cannot do."""


class ToleranceNotMet(Error, ArithmeticError):
    """No form of D has a certificate within the tolerance."""


class NotFinite(Error, ArithmeticError):
    """Numbers overflowed, or training diverged."""


class FileError(Error, OSError):
    """A file that cannot be read or written, or that does not hold what the call needs."""


class InternalError(Error, RuntimeError):
    """A defect of the library."""


class LibraryNotFound(Error, ImportError):
    """The C libraries are not where this package looks for them, or are of a version that does not fit."""


# By the names of idelta_status.
OF_STATUS: dict[str, type[Error]] = {
    "INVALID_ARGUMENT": InvalidArgument,
    "OUT_OF_MEMORY": OutOfMemory,
    "UNSUPPORTED": Unsupported,
    "TOLERANCE_NOT_MET": ToleranceNotMet,
    "INTERNAL": InternalError,
    "NOT_FINITE": NotFinite,
    "FILE_ERROR": FileError,
}
