"""How the package finds its library, what it says where it cannot, and whether it reads the headers as C does."""

import ctypes
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import COMPILER, PROGRAM, main, python

import idelta
from idelta import _core_abi, _library, _nn_abi, _place
from idelta._declarations import Functions, Struct

PACKAGE = Path(idelta.__file__).parent
IMPORT = "import idelta; print(idelta._library.core_path())"


class ScratchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_import(self, **environment):
        kept = {name: value for name, value in os.environ.items() if name != "IDELTA_LIBRARY"}
        return python("-c", IMPORT, env={**kept, **environment})


class FindingTest(ScratchTest):
    def library_of_version(self, version):
        """A library that is idelta by name alone."""
        source, library = self.folder / "other.c", self.folder / "libidelta.so"
        source.write_text(f'const char* idelta_version(void) {{ return "{version}"; }}\n')
        subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, source], check=True)
        return library

    def test_the_variable_names_a_file_or_a_folder(self):
        library = self.folder / "libidelta.so"
        shutil.copy(_library.core_path(), library)
        for given in (library, self.folder):
            ran = self.run_import(IDELTA_LIBRARY=str(given))
            self.assertEqual(ran.stdout.strip(), str(library), ran.stderr)

    def test_an_empty_variable_is_unset(self):
        self.assertEqual(self.run_import(IDELTA_LIBRARY="").stdout.strip(), str(_library.core_path()))

    def test_a_variable_that_leads_nowhere_is_an_error_with_its_value(self):
        ran = self.run_import(IDELTA_LIBRARY=str(self.folder / "nothing"))
        self.assertIn(f"LibraryNotFound: IDELTA_LIBRARY={self.folder}/nothing", ran.stderr)

    def test_a_library_beside_the_package_comes_first(self):
        package = self.folder / "idelta"
        shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(_library.core_path(), package / "libidelta.so")
        ran = self.run_import(PYTHONPATH=str(self.folder))
        self.assertEqual(ran.stdout.strip(), str(package / "libidelta.so"), ran.stderr)

    def test_a_package_without_a_library_says_what_to_do(self):
        package = self.folder / "idelta"
        shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
        (package / "_place.py").write_text('CORE = "../lib/libidelta.so.0"\nNN = ""\nPROGRAM = ""\n')
        ran = self.run_import(PYTHONPATH=str(self.folder))
        self.assertRegex(ran.stderr, r"LibraryNotFound: idelta .* set IDELTA_LIBRARY")
        (package / "_place.py").unlink()
        ran = self.run_import(PYTHONPATH=str(self.folder))
        self.assertRegex(ran.stderr, r"LibraryNotFound: .* not a built package")

    def test_a_version_that_does_not_fit_is_an_error_with_both(self):
        for version in ("0.1.0", "1.0.0", "9.2.0"):
            library = self.library_of_version(version)
            ran = self.run_import(IDELTA_LIBRARY=str(library))
            self.assertRegex(ran.stderr, rf"{library} is idelta {version}, .* is idelta {idelta.__version__}")

    def test_what_is_no_idelta_is_an_error(self):
        source, library = self.folder / "other.c", self.folder / "libidelta.so"
        source.write_text("int nothing;\n")
        subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, source], check=True)
        self.assertIn(f"{library} is no idelta", self.run_import(IDELTA_LIBRARY=str(library)).stderr)
        library.write_text("no library")
        self.assertIn(f"{library} cannot be loaded", self.run_import(IDELTA_LIBRARY=str(library)).stderr)

    def test_later_minor_versions_fit(self):
        self.assertTrue(_library.fits("0.2.0", "0.2.0"))
        self.assertTrue(_library.fits("0.2.3", "0.2.1"))
        self.assertTrue(_library.fits("0.2.0", "0.10.0"))
        self.assertFalse(_library.fits("0.2.0", "0.1.9"))
        self.assertFalse(_library.fits("1.0.0", "2.0.0"))

    def test_the_version_is_the_librarys(self):
        self.assertEqual(idelta.__version__, _core_abi.core.version().decode())

    def test_neither_sklearn_nor_matplotlib_is_imported(self):
        ran = python("-c", "import idelta, sys; print([m for m in ('sklearn', 'matplotlib') if m in sys.modules])")
        self.assertEqual(ran.stdout.strip(), "[]", ran.stderr)


class HeadersTest(ScratchTest):
    """What was read from the headers of both libraries, against what a C compiler makes of them."""

    @classmethod
    def setUpClass(cls):
        _core_abi.declarations.read("idelta/nn.h")

    def c_program(self, structs):
        lines = ["#include <stdio.h>", "#include <string.h>", *self.includes(), "int main(void) {"]
        for name, struct in structs.items():
            lines.append(f'  printf("{name} %zu", sizeof({name}));')
            lines += [f'  printf(" %zu", offsetof({name}, {field}));' for field, _ in struct._fields_]
            if initial := self.initialisers().get(name):
                lines.append(f"  {{ {name} made; memset(&made, 0, sizeof made);")
                lines.append(f"    {{ const {name} from = {initial};")
                lines += [f"      memcpy(&made.{f}, &from.{f}, sizeof made.{f});" for f, _ in struct._fields_]
                lines.append("    } const unsigned char* byte = (const unsigned char*)&made;")
                lines.append('    printf(" "); for (size_t i = 0; i < sizeof made; ++i) printf("%02x", byte[i]); }')
            lines.append('  printf("\\n");')
        return "\n".join([*lines, "  return 0;", "}"])

    def includes(self):
        return [f'#include "{header}"' for header in _core_abi.declarations.headers]

    def initialisers(self):
        """The INIT macro of each struct that has one."""
        found = {}
        for header in _core_abi.declarations.headers:
            text = (_library.HEADERS / header).read_text()
            for macro, struct in re.findall(r"#define (IDELTA_\w+_INIT)[ \\\n]*\{[ \\\n]*sizeof\((\w+)\)", text):
                found[struct] = macro
        return found

    def test_structs_have_the_layout_and_the_defaults_of_C(self):
        structs = _core_abi.declarations.structs
        source, program = self.folder / "layout.c", self.folder / "layout"
        source.write_text(self.c_program(structs))
        subprocess.run([COMPILER, "-std=c99", f"-I{_library.HEADERS}", "-o", program, source], check=True)
        printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
        self.assertEqual(len(printed.splitlines()), len(structs))
        self.assertLessEqual({"idelta_forward_args", "idelta_decompose_args", "idelta_progress"}, set(structs))
        for line in printed.splitlines():
            name, size, *rest = line.split()
            struct = structs[name]
            with self.subTest(name):
                self.assertEqual(ctypes.sizeof(struct), int(size))
                offsets, initial = rest[: len(struct._fields_)], rest[len(struct._fields_) :]
                self.assertEqual(
                    [getattr(struct, field).offset for field, _ in struct._fields_], list(map(int, offsets))
                )
                self.assertEqual(bool(initial), issubclass(struct, Struct))
                if initial:
                    self.assertEqual(bytes(struct.initial()).hex(), initial[0])

    def test_every_function_of_the_headers_is_bound(self):
        for header in _core_abi.declarations.headers:
            of_nn = header.startswith("idelta/nn")
            if of_nn and not _place.NN:
                continue
            library = _nn_abi.nn() if of_nn else _core_abi.core
            for name in re.findall(r"^IDELTA_API [^;(]*?(\w+)\(", (_library.HEADERS / header).read_text(), re.M):
                self.assertTrue(callable(getattr(library, name.removeprefix("idelta_"))), name)

    def test_a_library_without_a_function_of_the_headers_is_of_another_build(self):
        functions = Functions(ctypes.CDLL(None), {"idelta_not_yet": (None,)})
        with self.assertRaisesRegex(idelta.LibraryNotFound, "no idelta_not_yet, .* another build"):
            functions.not_yet()


@unittest.skipUnless(PROGRAM, "no program was built")
class ProgramTest(unittest.TestCase):
    def test_python_m_idelta_is_the_program_with_its_exit_code(self):
        ran = python("-m", "idelta", "info")
        self.assertEqual((ran.returncode, ran.stdout), (0, subprocess.getoutput(f"{PROGRAM} info") + "\n"))
        self.assertEqual(python("-m", "idelta", "nonsense").returncode, 2)


if __name__ == "__main__":
    main()
