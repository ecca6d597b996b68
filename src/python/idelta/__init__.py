"""idelta (I + Δ): layers whose square weight stays near the identity, and the networks that are made of them.

    W = a I + D        z = a x + x D + b        y = act(z)        x, y: (m, n), one sample a row

Arrays are numpy's and float32. They are used where they lie, rows any distance apart; what does not fit is an error that
says how to convert it. Every call releases the interpreter's lock, and its results are the same bits for any number of
threads.
"""

from ._arrays import Floats
from ._kinds import ActivationLike, names
from ._library import VERSION as __version__
from .context import Context
from .delta import Delta, DeltaInfo, Parts, Passes
from .errors import (
    Error,
    FileError,
    InternalError,
    InvalidArgument,
    LibraryNotFound,
    NotFinite,
    OutOfMemory,
    ToleranceNotMet,
    Unsupported,
    WrongType,
)
from .optimizer import Optimizer

__all__ = [
    "ActivationLike",
    "Context",
    "Delta",
    "DeltaInfo",
    "Error",
    "FileError",
    "Floats",
    "InternalError",
    "InvalidArgument",
    "LibraryNotFound",
    "NotFinite",
    "Optimizer",
    "OutOfMemory",
    "Parts",
    "Passes",
    "ToleranceNotMet",
    "Unsupported",
    "WrongType",
    "__version__",
    "names",
]
