"""python3 check.py PREFIX VERSION: the installed package and its library are whole and belong together."""

import sys
from pathlib import Path

import numpy as np

import idelta

prefix, version = Path(sys.argv[1]), sys.argv[2]
package = Path(idelta.__file__).parent
assert package.is_relative_to(prefix), package
assert idelta._library.core_path().resolve().is_relative_to(prefix), idelta._library.core_path()
assert idelta.__version__ == version, idelta.__version__
assert (package / "py.typed").is_file()
links = [path for path in package.rglob("*") if path.is_symlink()]
assert not links, f"of the build tree: {links}"

delta = idelta.Delta(idelta.Context(), np.diag(np.float32([0.1, -0.1])))
print(delta, delta.forward(np.float32([[1, 2]])))
