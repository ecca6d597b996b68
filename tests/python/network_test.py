"""Networks from Python: the program's files and figures to the bit, what changes them, and errors that say what to do."""

import concurrent.futures
import copy
import gc
import json
import pickle
import signal
import subprocess
import sys
import unittest
import weakref

import numpy as np
from networks import CLASSES, HEIGHT, LAYERS, SETTINGS, WIDTH, Case
from support import PROGRAM, main

import idelta


@unittest.skipUnless(PROGRAM, "no program was built")
class ProgramTest(Case):
    """Against the program, on a file that holds the same arrays."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.folder / "data.npz"
        np.savez(cls.data, x_train=cls.images, y_train=cls.labels, x_test=cls.test_images, y_test=cls.test_labels)
        cls.model = cls.folder / "model.safetensors"
        cls.run_program("train", "--data", cls.data, "--layers", LAYERS, "--epochs", 3, "--batch", 32, "--lr", 0.05,
                        "--seed", 5, "--out", cls.model)  # fmt: skip

    @classmethod
    def run_program(cls, *arguments):
        ran = subprocess.run([PROGRAM, *map(str, arguments), "--json"], capture_output=True, text=True, check=True)
        return json.loads(ran.stdout)

    def test_fit_writes_the_file_that_train_writes(self):
        path = self.folder / "fitted.safetensors"
        self.network.save(path)
        self.assertEqual(path.read_bytes(), self.model.read_bytes())
        self.assertEqual(self.network.to_bytes(), self.model.read_bytes())
        loaded = idelta.Dataset.load(self.data)
        self.assertEqual(idelta.Dataset.load(self.data, "test", most=7).images.shape, (7, HEIGHT, WIDTH))
        network = idelta.Network.for_data(loaded, layers=LAYERS)
        network.fit(loaded, **SETTINGS)
        self.assertEqual(network.to_bytes(), self.model.read_bytes())

    def test_an_evaluation_has_the_bits_of_eval(self):
        expected = self.run_program("eval", self.model, "--data", self.data)
        found = idelta.Network.load(self.model).evaluate(self.test)
        self.assertEqual(found.input_accuracy, expected["input_accuracy"])
        self.assertEqual(found.telescoping_error, expected["telescoping_error"])
        for layer, of_layer in enumerate(expected["layers"]):
            for name, value in of_layer.items():
                if name != "layer":
                    self.assertEqual(getattr(found, name)[layer], value, name)
        self.assertEqual(self.network.accuracy(self.test), expected["test_accuracy"])

    def test_labels_with_a_guarantee_are_those_of_predict(self):
        compressed, table = self.folder / "compressed.safetensors", self.folder / "labels.csv"
        self.run_program("compress", self.model, "--data", self.data, "--rank", 4, "--out", compressed)
        self.run_program("predict", compressed, "--data", self.data, "--guarantee", "label", "--out", table)
        network = self.trained()
        network.compress(rank=4)
        self.assertEqual(network.to_bytes(), compressed.read_bytes())
        found = network.predict_with_guarantee(self.test_images)
        rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
        self.assertEqual([int(row[1]) for row in rows], found.labels.tolist())
        np.testing.assert_array_equal(np.array([row[3] for row in rows], np.float32), found.margins)
        np.testing.assert_array_equal(np.array([row[4] for row in rows], np.float32), found.bounds)
        self.assertEqual([row[5] for row in rows], [found.forms[index] for index in found.settled_by])


class ChangingTest(Case):
    def test_pickles_are_the_model_file(self):
        again = pickle.loads(pickle.dumps(self.network))
        self.assertEqual(again.to_bytes(), self.network.to_bytes())
        self.assertEqual(copy.deepcopy(self.network).hash, self.network.hash)
        self.assert_refused(idelta.FileError, [], idelta.Network.from_bytes, b"no model")

    def test_a_callback_sees_every_batch_and_may_stop(self):
        seen = []
        network = idelta.Network.for_data(self.train, layers=2)
        training = network.fit(self.train, epochs=2, batch=100, callback=lambda p: seen.append(p))
        self.assertTrue(training.finished)
        self.assertEqual([(p.epoch, p.batch) for p in seen], [(e, b) for e in (0, 1) for b in (1, 2, 3)])
        self.assertEqual(training.progress, seen[-1])
        network = idelta.Network.for_data(self.train, layers=2)
        training = network.fit(self.train, epochs=2, batch=100, callback=lambda p: p.batch == 2)
        self.assertEqual((training.finished, training.progress.batch), (False, 2))

    def test_what_a_callback_raises_is_raised_and_the_network_is_whole(self):
        for kind in (ZeroDivisionError, KeyboardInterrupt):

            def fail(progress, kind=kind):
                raise kind()

            network = idelta.Network.for_data(self.train, layers=2)
            with self.assertRaises(kind):
                network.fit(self.train, callback=fail)
            self.assertNotEqual(np.abs(network.delta(0)).max(), 0)
            self.assertEqual(network.predict(self.test_images).shape, (90,))
            with self.assertRaises(kind):
                self.trained().compress(rank=2, progress=lambda done, of: fail(None))

    def test_ctrl_c_stops_training_and_the_network_is_whole(self):
        program = """
import idelta, numpy
images = numpy.eye(4, dtype="f")
data = idelta.Dataset(images, [0, 1, 0, 1])
network = idelta.Network.for_data(data, layers=2)
try:
    network.fit(data, epochs=10**9, callback=lambda progress: progress.epoch == 0 and print("begun", flush=True))
except KeyboardInterrupt:
    print(network.predict(images).shape)
"""
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as running:
            self.assertEqual(running.stdout.readline(), "begun\n")
            running.send_signal(signal.SIGINT)
            self.assertEqual(running.communicate(timeout=60)[0], "(4,)\n")

    def test_every_option_of_fit_reaches_the_training(self):
        options = {"epochs": 2, "batch": 16, "learning_rate": 0.01, "decay_epochs": 1, "optimizer": "nesterov",
                   "momentum": 0.5, "weight_decay": 0.1, "compute": "bf16", "seed": 6, "layer_loss": 0.5,
                   "shuffled_labels": 1}  # fmt: skip
        hashes = {name: self.trained(**{name: value}).hash for name, value in options.items()}
        self.assertEqual(len({self.network.hash, *hashes.values()}), 1 + len(options), hashes)

    def test_every_option_of_compress_reaches_the_forms(self):
        network = self.trained()
        for options, name in (
            ({"rank": 2}, "rank 2"),
            ({"sigma": 0.5}, "sigma 0.5"),
            ({"tolerance": 0.5}, "tolerance 0.5"),
        ):
            network.compress(**options)
            self.assertEqual(network.forms[0].name, name)
        network.set_compute("low_rank", rank=1)
        self.assertTrue((network.logits(self.test_images) != self.network.logits(self.test_images)).any())

    def test_a_network_keeps_its_context(self):
        context = idelta.Context()
        network, of_context = idelta.Network((3,), 2, context=context), weakref.ref(context._handle)
        del context, network.context
        self.assertIsNotNone(of_context())
        del network
        self.assertIsNone(of_context())

    def test_training_on_another_thread_has_the_same_bits(self):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            self.assertEqual(pool.submit(self.trained).result().hash, self.network.hash)

    def test_a_test_set_may_have_more_classes(self):
        data = idelta.Dataset(self.images, self.labels, class_names=["a", "b", "c", "d"])
        network = idelta.Network.for_data(data, layers=2, classes=6)
        self.assertEqual((network.classes, network.n, network.class_names), (6, HEIGHT * WIDTH + 6, None))
        self.assertEqual(idelta.Network.for_data(data, layers=2, classes=4).class_names, ["a", "b", "c", "d"])

    def test_settings_that_disappoint_are_warned_of(self):
        self.assertEqual(self.network.warnings(), [])
        found = idelta.Network((3,), 2, activation="relu", class_padding=0).warnings()
        self.assertTrue(found and "padding" in found[0], found)

    def test_networks_and_sets_say_what_they_are(self):
        self.assertRegex(repr(self.network), r"^<idelta.Network 3 layers, 6 x 5 inputs, 4 classes, \('leaky_relu', 0.1")
        self.assertRegex(repr(self.train), "^<idelta.Dataset .*: 300 of 6 x 5, 4 classes>$")

    def test_a_table_has_the_labels_and_classes_that_are_named(self):
        table, classes = self.folder / "table.csv", self.folder / "classes.txt"
        table.write_text("u,kind,v\n" + "".join(f"{i},{'xyz'[i % 3]},{-i}\n" for i in range(40)))
        classes.write_text("z\ny\nx\n")
        data = idelta.Dataset.load(table, label="kind", classes_path=classes)
        self.assertEqual((data.label_name, data.feature_names, data.class_names), ("kind", ["u", "v"], ["z", "y", "x"]))

    def test_a_set_has_a_head_labels_and_warnings(self):
        head = self.train.head(7)
        np.testing.assert_array_equal(head.labels, self.labels[:7])
        self.assert_same_bits(head.images, self.images[:7])
        self.assertEqual((len(self.train.head(1000)), self.train.warnings()), (300, []))
        found = self.train.warnings(classes=5)
        self.assertTrue(len(found) == 1 and "4" in found[0], found)

    def test_options_are_taken_and_recorded(self):
        network = idelta.Network((HEIGHT, WIDTH), CLASSES, layers=2, activation="hard_tanh", identity_scale=0.5,
                                 class_padding=0.25, class_names=["a", "b", "c", "d"])  # fmt: skip
        self.assertEqual((network.layers, network.n, network.shape), (2, 34, (HEIGHT, WIDTH)))
        self.assertEqual((network.activation, network.identity_scale, network.class_padding), ("hard_tanh", 0.5, 0.25))
        self.assertEqual(network.class_names, ["a", "b", "c", "d"])
        network.fit(self.train, epochs=1, optimizer="adamw", seed=9, learning_rate=1e-3)
        settings = network.settings
        self.assertTrue(any("adamw" == value for value in settings.values()), settings)
        self.assertIn("9", settings.values())

    def test_parameters_can_be_replaced(self):
        network = idelta.Network((5,), 3, layers=2)
        D = np.full((8, 8), 0.5, np.float32)
        network.set_layer(1, D, np.ones(8, np.float32))
        self.assert_same_bits(network.delta(1), D)
        self.assertEqual(network.bias(1).tolist(), [1] * 8)
        self.assert_refused(idelta.InvalidArgument, ["layer"], network.delta, 2)
        network.set_compute("bf16")
        self.assertEqual(network.compute, "bf16")

    def test_forms_come_from_compress_and_are_used_by_name(self):
        network = self.trained()
        considered = network.compress(sample=self.train)
        self.assertTrue(considered and all(form.verdict for form in considered))
        network.compress(rank=1)
        self.assertEqual([(form.name, form.ranks) for form in network.forms], [("rank 1", [1] * LAYERS)])
        self.assertEqual(network.forms[0].tails, ["none"] * LAYERS)
        network.compress(tail="int8")
        self.assertEqual(network.forms[0].tails, ["int8"] * LAYERS)
        self.assert_refused(idelta.InvalidArgument, ["int4", "none, int8"], network.compress, tail="int4")
        network.compress(rank=1)
        self.assert_refused(idelta.InvalidArgument, ["rank 7", "rank 1, dense"], network.predict, self.test_images,
                            form="rank 7")  # fmt: skip
        path = self.folder / "dropped.safetensors"
        network.save(path, drop_dense=True)
        dropped = idelta.Network.load(path)
        self.assertFalse(dropped.has_dense)
        noise = np.random.default_rng(4).uniform(0, 1, (500, HEIGHT, WIDTH)).astype(np.float32)
        of_form = network.predict(noise, form="rank 1")
        np.testing.assert_array_equal(of_form, dropped.logits(noise).argmax(axis=1))
        np.testing.assert_array_equal(of_form, dropped.predict(noise, form="rank 1"))
        self.assertTrue((of_form != network.predict(noise)).any())
        dense = self.trained()
        dense.attach_forms(dropped)
        guaranteed = dense.predict_with_guarantee(self.test_images)
        np.testing.assert_array_equal(guaranteed.labels, dense.predict(self.test_images))
        self.assertEqual(guaranteed.settled.sum(), 90)

    def test_networks_of_features_keep_names_and_scaling(self):
        rows = np.random.default_rng(3).uniform(-5, 9, (50, 3)).astype(np.float32)
        labels = (rows[:, 0] > 2).astype(int)
        data = idelta.Dataset(rows, labels, feature_names=["u", "v", "w"], class_names=["low", "high"],
                              scale="zero_to_one")  # fmt: skip
        self.assertEqual((data.images.min(), data.images.max()), (0, 1))
        network = idelta.Network.for_data(data, layers=2)
        network.fit(data, epochs=2)
        again = idelta.Network.from_bytes(network.to_bytes())
        self.assertEqual((again.feature_names, again.class_names), (["u", "v", "w"], ["low", "high"]))
        self.assert_same_bits(again.scale(rows), data.images)
        self.assert_same_bits(idelta.Dataset(rows, labels, network=again).images, data.images)


class RefusedTest(Case):
    def test_images_that_do_not_fit_say_how_to_convert(self):
        bytes_ = (255 * self.test_images).astype(np.uint8)
        self.assert_refused(idelta.WrongType, ["images.astype(numpy.float32) / 255"], self.network.predict, bytes_)
        self.assert_refused(idelta.WrongType, ["float64"], self.network.predict, self.test_images.astype(float))
        self.assert_refused(idelta.InvalidArgument, ["(rows, 6, 5)"], self.network.predict, self.test_images[:, 1:])
        self.assert_refused(idelta.InvalidArgument, ["(rows, 30)"], self.network.predict, self.test_images[0])
        self.assert_refused(idelta.InvalidArgument, ["ascontiguousarray"], self.network.predict,
                            np.ones((3, WIDTH, HEIGHT), np.float32).transpose(0, 2, 1))  # fmt: skip
        self.assert_refused(idelta.InvalidArgument, ["'maps'", "contribution_maps"], self.network.decompose,
                            self.test_images, ["maps"])  # fmt: skip

    def test_labels_that_do_not_fit_are_refused(self):
        self.assert_refused(idelta.WrongType, ["float64", "integers"], idelta.Dataset, self.images, self.labels + 0.5)
        self.assert_refused(idelta.InvalidArgument, ["(300,)"], idelta.Dataset, self.images, self.labels[1:])
        self.assert_refused(ValueError, ["label"], idelta.Dataset, self.images, self.labels, classes=2)
        self.assert_refused(ValueError, [], idelta.Dataset, self.images, self.labels.astype(np.int64) - 1)
        self.assert_refused(idelta.InvalidArgument, ["zero_to_one"], idelta.Dataset, self.images, scale="unit")

    def test_arrays_in_place_of_a_set_are_refused_by_name(self):
        for name in ("fit", "evaluate", "accuracy", "lesions", "feature_geometry"):
            with self.subTest(name):
                self.assert_refused(idelta.WrongType, ["data is of type ndarray", "idelta.Dataset"],
                                    getattr(self.network, name), self.images)  # fmt: skip
        self.assert_refused(idelta.WrongType, ["test is of"], self.network.probes, self.train, self.images)
        self.assert_refused(idelta.WrongType, ["sample is of"], self.network.compress, sample=self.images)
        self.assert_refused(
            idelta.WrongType, ["network is of", "idelta.Network"], idelta.Dataset, self.images, network=1
        )
        self.assert_refused(idelta.WrongType, ["context is of"], idelta.Network, (3,), 2, context=1)

    def test_other_arguments_that_do_not_fit_are_refused_by_name(self):
        self.assert_refused(idelta.InvalidArgument, ["shape is 3", "(features,)"], idelta.Network, 3, 2)
        self.assert_refused(idelta.InvalidArgument, ["seed is -1", "from 0 to"], self.trained, seed=-1)
        self.assert_refused(idelta.WrongType, ["epochs is 3.0", "an integer"], self.trained, epochs=3.0)
        self.assert_refused(idelta.InvalidArgument, ["classes have the shape (2,)", "(90,)"], self.network.class_maps,
                            self.test_images, [0, 1])  # fmt: skip
        self.assert_refused(idelta.InvalidArgument, ["(2,)", "(90,)"], self.network.explain(self.test_images).of_class,
                            [0, 1])  # fmt: skip
        self.assert_refused(idelta.InvalidArgument, ["(300, 6, 5, 1)", "(rows, features)"], idelta.Dataset,
                            self.images[..., np.newaxis], self.labels)  # fmt: skip
        self.assert_refused(idelta.InvalidArgument, ["class_names must be 4 texts"], idelta.Network, (3,), 4,
                            class_names=["a"])  # fmt: skip
        self.assert_refused(idelta.InvalidArgument, ["4294967295"], idelta.Dataset, self.images,
                            self.labels.astype(np.int64) + 2**32 - 1 - self.labels)  # fmt: skip
        self.assert_refused(idelta.WrongType, ["bytearray", "bytes(data)"], idelta.Network.from_bytes, bytearray())

    def test_texts_that_C_would_end_early_are_refused(self):
        self.assert_refused(ValueError, ["path has a NUL"], self.network.save, self.folder / "a\0b")
        self.assertFalse((self.folder / "a").exists())
        names = ["a", "b\0", "c", "d"]
        self.assert_refused(
            ValueError, ["class_names has a NUL"], idelta.Dataset, self.images, self.labels, class_names=names
        )
        self.assert_refused(idelta.WrongType, ["name is 5", "str"], idelta.Dataset, self.images, self.labels, name=5)

    def test_names_may_be_an_array(self):
        data = idelta.Dataset(self.images, self.labels, class_names=np.array(["a", "b", "c", "d"]))
        self.assertEqual((data.classes, data.class_names), (4, ["a", "b", "c", "d"]))

    def test_a_number_that_is_not_finite_is_refused_with_its_row(self):
        images = self.images.copy()
        images[17, 0, 0] = np.nan
        self.assert_refused(idelta.Error, ["17"], idelta.Dataset, images, self.labels)

    def test_files_that_are_not_there_are_named(self):
        self.assert_refused(OSError, ["nowhere.safetensors"], idelta.Network.load, "nowhere.safetensors")
        self.assert_refused(idelta.FileError, ["nowhere"], idelta.Dataset.load, "./nowhere")
        self.assert_refused(idelta.FileError, ["no/folder"], self.network.save, self.folder / "no/folder/model")
        self.assert_refused(idelta.WrongType, ["7"], self.network.save, 7)

    def test_training_that_diverges_is_an_error_with_the_rate(self):
        with self.assertRaises(idelta.NotFinite):
            self.trained(learning_rate=1e20)

    def test_a_set_outlives_its_data_set(self):
        images = idelta.Dataset(self.images, self.labels).images
        gc.collect()
        self.assert_same_bits(images, self.images)
        with self.assertRaises(ValueError):
            images[0] = 0


if __name__ == "__main__":
    main()
