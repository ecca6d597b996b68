"""libidelta, loaded: its functions, its structs, and its errors as exceptions."""

from __future__ import annotations

from . import _library
from ._declarations import Declarations, Functions
from .errors import OF_STATUS, InternalError, LibraryNotFound

declarations = Declarations(_library.HEADERS)


def _load() -> Functions:
    functions = declarations.read("idelta/idelta.h")
    path = _library.core_path()
    found = Functions(_library.load(path), functions)
    try:
        version = found.version().decode()
    except LibraryNotFound:
        raise LibraryNotFound(f"{path} is no idelta: it has no idelta_version") from None
    _library.check_version(path, version)
    return found


core = _load()

Activation = declarations.structs["idelta_activation"]
ContextOptions = declarations.structs["idelta_context_options"]
DeltaOptions = declarations.structs["idelta_delta_options"]
DeltaInfoStruct = declarations.structs["idelta_delta_info_t"]
CandidateStruct = declarations.structs["idelta_candidate"]
ForwardArgs = declarations.structs["idelta_forward_args"]
BackwardDataArgs = declarations.structs["idelta_backward_data_args"]
BackwardWeightsArgs = declarations.structs["idelta_backward_weights_args"]
OptimizerStruct = declarations.structs["idelta_optimizer"]
UpdateArgs = declarations.structs["idelta_update_args"]


def check(status: int) -> None:
    """Raises what a call's status says, with the library's sentence; call it on the thread that made the call."""
    if status:
        raise OF_STATUS.get(core.status_name(status).decode(), InternalError)(core.last_error().decode())
