"""What the suites of networks share: a few pictures, and a network that was trained on them."""

import tempfile
from pathlib import Path

import numpy as np
from support import TestCase

import idelta

LAYERS, HEIGHT, WIDTH, CLASSES = 3, 6, 5, 4
SETTINGS = {"epochs": 3, "batch": 32, "learning_rate": 0.05, "seed": 5}


def pictures(seed, count):
    """Images around one picture a class, and labels."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).uniform(0, 1, (CLASSES, HEIGHT, WIDTH))
    labels = rng.integers(0, CLASSES, count)
    noisy = centres[labels] + 0.15 * rng.standard_normal((count, HEIGHT, WIDTH))
    return np.clip(noisy, 0, 1).astype(np.float32), labels.astype(np.uint8)


class Case(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.images, cls.labels = pictures(1, 300)
        cls.test_images, cls.test_labels = pictures(2, 90)
        cls.train = idelta.Dataset(cls.images, cls.labels)
        cls.test = idelta.Dataset(cls.test_images, cls.test_labels)
        cls.network = cls.trained()

    @classmethod
    def trained(cls, **options):
        network = idelta.Network.for_data(cls.train, layers=LAYERS, context=cls.context)
        network.fit(cls.train, **{**SETTINGS, **options})
        return network
