"""Finds the C libraries, loads them and checks their version.

libidelta is sought, in this order,
  1. where the environment variable IDELTA_LIBRARY says: a folder, or the file itself
  2. beside this package: in its folder
  3. where CMake said that it would lie, relative to this folder: in an installation or a build tree (_place.py)
libidelta_nn is sought beside the libidelta that was found, and then where CMake said.
"""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path

from .errors import LibraryNotFound

try:
    from . import _place
except ImportError as error:
    raise LibraryNotFound(
        f"{Path(__file__).parent} is idelta's source, not a built package: build idelta, and put src/python of the "
        "build folder, or an installation's package folder, on PYTHONPATH"
    ) from error

_HERE = Path(__file__).parent
#: The folder of the C headers that this package was made with.
HEADERS = _HERE / "headers"


def _version() -> str:
    text = (HEADERS / "idelta/kinds.h").read_text(encoding="utf-8")
    return ".".join(re.findall(r"^#define IDELTA_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", text, re.M))


VERSION = _version()


def _names(stem: str) -> tuple[str, str]:
    """The file names of a library of this major version, the one that a running program needs first."""
    return f"{stem}.so.{VERSION.split('.')[0]}", f"{stem}.so"


def _in_folder(folder: Path, stem: str) -> Path | None:
    return next((folder / name for name in _names(stem) if (folder / name).is_file()), None)


def _from_environment() -> Path | None:
    given = os.environ.get("IDELTA_LIBRARY", "")
    if not given:
        return None
    path = Path(given)
    found = path if path.is_file() else _in_folder(path, "libidelta")
    if found is None:
        raise LibraryNotFound(
            f"IDELTA_LIBRARY={given}: is neither libidelta.so nor a folder that holds it; correct it, or unset it to "
            "use the library that belongs to this package"
        )
    return found.absolute()


def core_path() -> Path:
    """The libidelta to load."""
    placed = _HERE / _place.CORE
    found = _from_environment() or _in_folder(_HERE, "libidelta") or (placed if placed.is_file() else None)
    if found is None:
        raise LibraryNotFound(
            f"idelta {VERSION}: no {_names('libidelta')[0]} in {_HERE}, nor is there {placed.resolve()}; install the "
            "library beside this package, or set IDELTA_LIBRARY to it"
        )
    return found


def nn_path() -> Path:
    """The libidelta_nn to load."""
    folder = core_path().parent
    placed = _HERE / _place.NN
    found = _in_folder(folder, "libidelta_nn") or (placed if _place.NN and placed.is_file() else None)
    if found is None:
        raise LibraryNotFound(
            f"networks need {_names('libidelta_nn')[0]}, which is not in {folder}; build idelta with "
            "-DIDELTA_BUILD_NN=ON, or set IDELTA_LIBRARY to a folder that holds both libraries"
        )
    return found


def program_path() -> Path:
    """The idelta program that was built or installed with this package."""
    path = _HERE / _place.PROGRAM
    if not _place.PROGRAM or not path.is_file():
        raise LibraryNotFound(
            f"no idelta program was installed with this package ({_HERE}); build idelta with -DIDELTA_BUILD_CLI=ON"
        )
    return path


def load(path: Path) -> ctypes.CDLL:
    """Loads a library; ctypes releases the interpreter's lock in each of its calls."""
    try:
        return ctypes.CDLL(os.fspath(path))
    except OSError as error:
        raise LibraryNotFound(f"{path} cannot be loaded: {error}") from error


def fits(own: str, found: str) -> bool:
    """Whether a library serves a package made for version `own`: the same major version, and no earlier minor one."""
    own_major, own_minor = own.split(".")[:2]
    major, minor = found.split(".")[:2]
    return major == own_major and int(minor) >= int(own_minor)


def check_version(path: Path, found: str) -> None:
    """Refuses a library whose version does not fit this package's."""
    if not fits(VERSION, found):
        raise LibraryNotFound(
            f"{path} is idelta {found}, but this Python package is idelta {VERSION}, which needs {VERSION} or a later "
            f"{VERSION.split('.')[0]}.x: install both from one build, or set IDELTA_LIBRARY to a library that fits"
        )
