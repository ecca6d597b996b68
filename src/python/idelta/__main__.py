"""python3 -m idelta: the idelta program, with its arguments and its exit code."""

import os
import sys

from idelta import _library
from idelta.errors import LibraryNotFound


def main() -> None:
    try:
        program = os.fspath(_library.program_path().resolve())
    except LibraryNotFound as error:
        sys.exit(f"python3 -m idelta: {error}")
    os.execv(program, [program, *sys.argv[1:]])


main()
