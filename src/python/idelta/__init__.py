"""idelta (I + Δ): layers whose square weight stays near the identity, and the networks that are made of them.

    W = a I + D        z = a x + x D + b        y = act(z)        x, y: (m, n), one sample a row

Arrays are numpy's and float32. They are used where they lie, rows any distance apart; what does not fit is an error
that says how to convert it. Every call releases the interpreter's lock, and its results are the same bits for any
number of threads.
"""

from typing import TYPE_CHECKING, Any

from ._arrays import Floats
from ._kinds import ActivationLike, names
from ._library import VERSION as __version__
from ._reading import role_rule
from .context import Context, default_context
from .dataset import Dataset
from .delta import Delta, Parts
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
from .explanation import LayerExplanation
from .forms import Candidate, DeltaInfo, Passes, candidates, predicted_seconds
from .network import Network
from .optimizer import Optimizer
from .results import Decomposition, Evaluation, GuaranteedLabels, Progress

if TYPE_CHECKING:
    from .sklearn import IdentityClassifier as IdentityClassifier


def __getattr__(name: str) -> Any:
    """IdentityClassifier is imported when it is asked for: it needs scikit-learn, which takes a second."""
    if name == "IdentityClassifier":
        from .sklearn import IdentityClassifier

        return IdentityClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ActivationLike",
    "Candidate",
    "Context",
    "Dataset",
    "Decomposition",
    "Delta",
    "DeltaInfo",
    "Error",
    "Evaluation",
    "FileError",
    "Floats",
    "GuaranteedLabels",
    "InternalError",
    "InvalidArgument",
    "LayerExplanation",
    "LibraryNotFound",
    "Network",
    "NotFinite",
    "Optimizer",
    "OutOfMemory",
    "Parts",
    "Passes",
    "Progress",
    "ToleranceNotMet",
    "Unsupported",
    "WrongType",
    "__version__",
    "candidates",
    "default_context",
    "names",
    "predicted_seconds",
    "role_rule",
]
