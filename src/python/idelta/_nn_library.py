"""libidelta_nn, loaded when this module is imported: when the first network or data set is made."""

from __future__ import annotations

from . import _library
from ._core_abi import declarations
from ._declarations import Functions

_path = _library.nn_path()
functions = Functions(_library.load(_path), declarations.read("idelta/nn.h"))
_library.check_version(_path, functions.nn_version().decode())
