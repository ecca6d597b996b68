"""What the suites of the Python package share: contexts of every instruction set, arrays, and errors by their text."""

import os
import subprocess
import sys
import unittest

import numpy as np

import idelta

#: The program, the C compiler and the root of the sources, as ctest gives them.
PROGRAM = os.environ.get("IDELTA_TEST_PROGRAM", "")
COMPILER = os.environ.get("IDELTA_TEST_CC", "cc")
SOURCE = os.environ.get("IDELTA_TEST_SOURCE", "")

U = 2.0**-24  # unit roundoff of fp32


def floats(rng, *shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def strided(array, extra=3):
    """The same values with rows further apart; what lies between them is NaN."""
    m, n = array.shape
    wide = np.full((m, n + extra), np.nan, np.float32)
    wide[:, :n] = array
    return wide[:, :n]


def bits(array):
    return np.ascontiguousarray(array).view(np.uint32)


def python(*arguments, **options):
    """Runs this interpreter in a process of its own."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120, **options)


class TestCase(unittest.TestCase):
    """Adds comparisons of arrays by bits, and of errors by kind and words."""

    @classmethod
    def setUpClass(cls):
        cls.context = idelta.Context()

    def assert_same_bits(self, a, b):
        np.testing.assert_array_equal(bits(a), bits(b))

    def assert_refused(self, kind, words, call, *arguments, **named):
        """The call raises this kind of error, and each of the words is in its sentence."""
        with self.assertRaises(kind) as caught:
            call(*arguments, **named)
        for word in words:
            self.assertIn(word, str(caught.exception))


def main():
    unittest.main(verbosity=1)
