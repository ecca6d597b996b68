"""python3 readme.py FILE...: runs the Python lines of each file as a reader would, in an empty folder.

The lines of a file's ```python blocks are one program, in their order.
"""

import os
import re
import sys
import tempfile
from pathlib import Path


def program_of(text):
    """The lines of all ```python blocks."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S))


def main():
    os.environ.setdefault("MPLBACKEND", "Agg")
    programs = {name: program_of(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, program in programs.items():
            exec(compile(program, name, "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
