"""The Python lines of the READMEs do what they say."""

import unittest
from pathlib import Path

from readme import program_of
from support import SOURCE, main, python

HERE = Path(__file__).parent


class ReadmeTest(unittest.TestCase):
    def test_the_lines_run(self):
        for name in ("README.md", "src/python/README.md"):
            with self.subTest(name):
                ran = python(HERE / "readme.py", Path(SOURCE) / name)
                self.assertEqual(ran.returncode, 0, ran.stderr)

    def test_blocks_are_found_and_others_are_not(self):
        text = "a\n```python\nx = 1\n```\n```c\ny\n```\n\n```python\nz = 2\n```\n"
        self.assertEqual(program_of(text), "x = 1\n\nz = 2\n")
        self.assertIn("import idelta", program_of((Path(SOURCE) / "src/python/README.md").read_text()))


if __name__ == "__main__":
    main()
