"""Figures show what they say, on one stated scale; without matplotlib there is a sentence in their place."""

import sys
import unittest

import numpy as np
from support import main, python

from idelta import Decomposition, Evaluation, InvalidArgument, LayerExplanation

try:
    import matplotlib
except ImportError:
    sys.exit(77)  # skipped: it is optional
matplotlib.use("Agg")
import matplotlib.pyplot as plt


def decomposition(layers, *shape, classes=3):
    rng = np.random.default_rng(1)
    images = rng.uniform(0, 1, shape).astype(np.float32)
    maps = rng.standard_normal((layers, *shape)).astype(np.float32)
    likelihoods = rng.uniform(0, 1, (layers, shape[0], classes)).astype(np.float32)
    return Decomposition(images, contribution_maps=maps, class_likelihoods=likelihoods, class_names=["x", "y", "z"])


class SheetTest(unittest.TestCase):
    def tearDown(self):
        plt.close("all")

    def test_all_maps_have_one_zero_centred_scale(self):
        found = decomposition(3, 5, 6, 7)
        figure = found.plot([0, 4])
        axes = np.array(figure.axes[:8]).reshape(2, 4)
        scale = np.abs(found.contribution_maps[:, [0, 4]]).max()
        for row, image in enumerate((0, 4)):
            np.testing.assert_array_equal(axes[row, 0].images[0].get_array(), found.images[image])
            for layer in range(3):
                drawn = axes[row, 1 + layer].images[0]
                np.testing.assert_array_equal(drawn.get_array(), found.contribution_maps[layer, image])
                self.assertEqual(drawn.get_clim(), (-scale, scale))
                best = found.class_likelihoods[layer, image].argmax()
                self.assertEqual(axes[row, 1 + layer].get_title().split("\n")[0], "xyz"[best])
        self.assertEqual(figure.axes[-1].get_ylabel(), "h[0:P] - x")

    def test_of_many_layers_twelve_are_drawn_the_first_and_last_among_them(self):
        figure = decomposition(30, 2, 4, 4).plot()
        labels = [ax.get_xlabel() for ax in figure.axes if ax.get_xlabel()]
        self.assertEqual((len(labels), labels[1], labels[-1]), (13, "layer 1", "layer 30"))

    def test_features_are_bars(self):
        figure = decomposition(2, 3, 4).plot([1])
        self.assertEqual([len(ax.patches) for ax in figure.axes], [4, 4, 4])

    def test_a_sheet_without_maps_says_what_it_needs(self):
        with self.assertRaisesRegex(InvalidArgument, "contribution_maps"):
            Decomposition(np.zeros((1, 2), np.float32)).plot()
        with self.assertRaisesRegex(InvalidArgument, "empty"):
            decomposition(2, 3, 4).plot([])


class CurveTest(unittest.TestCase):
    def test_it_shows_every_layer_in_percent(self):
        names = list(Evaluation.__dataclass_fields__)
        values = dict.fromkeys(names, np.zeros(4))
        values.update(accuracy=np.array([0.25, 0.5, 0.75, 1]), input_accuracy=0.25, count=8)
        axes = Evaluation(**values).plot()
        np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[1, 25], [2, 50], [3, 75], [4, 100]])
        self.assertEqual(axes.get_ylabel(), "accuracy / %")
        self.assertIs(Evaluation(**values).plot(axes), axes)
        plt.close("all")

    def test_without_matplotlib_a_sentence_says_what_to_install(self):
        ran = python("-c", "import sys; sys.modules['matplotlib'] = None\n"
                     "import idelta, numpy as np\nfrom idelta.plots import _pyplot\n_pyplot()")  # fmt: skip
        self.assertIn("Unsupported: plots need matplotlib; install it", ran.stderr)

    def test_without_sklearn_a_sentence_says_what_to_install(self):
        ran = python("-c", "import sys; sys.modules['sklearn'] = None\nimport idelta\nidelta.IdentityClassifier")
        self.assertIn("needs scikit-learn, which is not installed", ran.stderr)


class ExplanationTest(unittest.TestCase):
    def test_a_class_a_row_is_chosen_from_all(self):
        values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
        whole = LayerExplanation(values, values[:, 0], values, ["layer 1", "layer 2", "layer 3"], list("abcd"))
        chosen = whole.of_class([3, 1])
        np.testing.assert_array_equal(chosen.values, [values[0, :, 3], values[1, :, 1]])
        np.testing.assert_array_equal(chosen.base_values, [3, 13])
        self.assertEqual(chosen.output_names, ["b", "d"])
        with self.assertRaisesRegex(InvalidArgument, "already"):
            chosen.of_class(0)


if __name__ == "__main__":
    main()
