"""What is read from a network: sums that add up and agree, and all of it from many threads."""

import concurrent.futures
import multiprocessing

import numpy as np
from networks import CLASSES, HEIGHT, LAYERS, WIDTH, Case
from support import bits, main, python

import idelta


class ReadingTest(Case):
    def forward(self, images):
        """h⁰ … hᴸ in fp64."""
        h = [np.hstack([images.reshape(len(images), -1), np.zeros((len(images), CLASSES))])]
        for layer in range(LAYERS):
            z = h[-1] + h[-1] @ self.network.delta(layer) + self.network.bias(layer)
            h.append(np.where(z < 0, np.float32(0.1) * z, z) if layer + 1 < LAYERS else z)
        return np.array(h)

    def test_logits_and_likelihoods_are_those_of_fp64(self):
        logits = self.forward(self.test_images)[-1][:, -CLASSES:]
        np.testing.assert_allclose(self.network.logits(self.test_images), logits, atol=1e-5)
        likelihoods = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(self.network.predict_proba(self.test_images), likelihoods, atol=1e-5)
        labels = self.network.predict(self.test_images)
        np.testing.assert_array_equal(labels, self.network.logits(self.test_images).argmax(axis=1))
        self.assertGreater((labels == self.test_labels).mean(), 0.8)

    def test_all_parts_of_a_decomposition_fit_together(self):
        found = self.network.decompose(self.test_images, list(idelta._reading._PARTS))
        h = self.forward(self.test_images)
        np.testing.assert_allclose(found.features, h[1:], atol=1e-5)
        self.assertEqual(found.contribution_maps.shape, (LAYERS, 90, HEIGHT, WIDTH))
        inputs = found.features[:, :, : HEIGHT * WIDTH].reshape(LAYERS, 90, HEIGHT, WIDTH)
        np.testing.assert_allclose(found.contribution_maps, inputs - self.test_images, atol=1e-6)
        np.testing.assert_allclose(h[0] + found.steps.sum(axis=0), found.features[-1], atol=1e-5)
        np.testing.assert_allclose(found.contributions + found.activation_changes, found.steps, atol=1e-6)
        np.testing.assert_array_equal(found.predictions[-1], self.network.predict(self.test_images))
        self.assert_same_bits(found.class_likelihoods[-1], found.final_likelihoods)
        self.assertIsNone(self.network.decompose(self.test_images).steps)

    def test_flat_images_give_flat_maps_of_the_same_bits(self):
        flat = self.test_images.reshape(90, -1)
        shaped = self.network.decompose(self.test_images, batch=7).contribution_maps
        self.assertEqual(self.network.decompose(flat).contribution_maps.shape, (LAYERS, 90, HEIGHT * WIDTH))
        self.assert_same_bits(self.network.decompose(flat).contribution_maps, shaped.reshape(LAYERS, 90, -1))

    def test_every_second_image_is_read_where_it_lies(self):
        self.assert_same_bits(self.network.logits(self.test_images[::2]), self.network.logits(self.test_images)[::2])

    def test_layers_as_features_have_the_shape_of_shap_and_add_up(self):
        found = self.network.explain(self.test_images)
        self.assertEqual(found.values.shape, (90, LAYERS, CLASSES))
        self.assertEqual(found.base_values.shape, (90, CLASSES))
        self.assertEqual(found.data.shape, found.values.shape)
        self.assertEqual(found.feature_names, ["layer 1", "layer 2", "layer 3"])
        logits = self.network.logits(self.test_images)
        np.testing.assert_allclose(found.base_values + found.values.sum(axis=1), logits, atol=1e-5)
        many = np.concatenate([self.test_images] * 7)  # more than explain takes at once
        self.assert_same_bits(self.network.explain(many).values, np.concatenate([found.values] * 7))
        of_label = found.of_class(self.test_labels)
        self.assertEqual((of_label.values.shape, of_label.base_values.shape), ((90, LAYERS), (90,)))
        np.testing.assert_array_equal(of_label.values[5], found.values[5, :, self.test_labels[5]])
        self.assertEqual(found.of_class(2).output_names, ["2"])
        self.assert_refused(idelta.InvalidArgument, ["4", "0 to 3"], found.of_class, 4)

    def test_read_outs_agree_with_the_decomposition(self):
        found = self.network.read_outs(self.test_images)
        predictions = self.network.decompose(self.test_images).predictions
        np.testing.assert_array_equal(found.predictions, predictions.T)
        final = [next(l for l in range(LAYERS) if (row[l:] == row[-1]).all()) + 1 for row in found.predictions]
        self.assertEqual(found.first_final_layer.tolist(), final)

    def test_class_maps_and_their_rests_are_the_logits(self):
        found = self.network.class_maps(self.test_images, self.test_labels)
        self.assertEqual(found.maps.shape, self.test_images.shape)
        np.testing.assert_allclose(found.maps.sum(axis=(1, 2)) + found.rests, found.logits, atol=1e-5)
        logits = self.network.logits(self.test_images)
        np.testing.assert_allclose(found.logits, logits[np.arange(90), self.test_labels], atol=1e-6)

    def test_geometry_lesions_probes_and_roles_have_their_shapes(self):
        weights = self.network.weight_geometry()
        self.assertEqual(weights.singular_values.shape, (LAYERS, self.network.n))
        np.testing.assert_allclose(weights.spectral_norm, [np.linalg.norm(self.network.delta(l), 2) for l in range(LAYERS)],
                                   rtol=1e-5)  # fmt: skip
        self.assertEqual(self.network.feature_geometry(self.test).separation.shape, (LAYERS + 1,))
        lesions = self.network.lesions(self.test)
        np.testing.assert_allclose((lesions.gained - lesions.lost) / 90, lesions.accuracy_change, atol=1e-12)
        self.assertEqual(self.network.weight_geometry(vectors=1).left_alignment.shape, (LAYERS, LAYERS))
        self.assertTrue((self.network.weight_geometry(vectors=1).left_alignment != weights.left_alignment).any())
        others = idelta.Dataset(self.images, (self.labels + 1) % CLASSES)  # centres of other classes
        own, other = (self.network.feature_geometry(self.test, sample=sample) for sample in (None, others))
        self.assertGreater(own.nearest_centre_accuracy[0], other.nearest_centre_accuracy[0])
        shrunk = self.network.probes(self.train, self.test, regularisation=1e4)
        self.assertTrue((shrunk.accuracy != self.network.probes(self.train, self.test).accuracy).any())
        self.assertEqual(self.network.probes(self.train, self.test).accuracy.shape, (LAYERS + 1,))
        roles = self.network.roles(self.train, self.test)
        self.assertEqual(len(roles), LAYERS)
        self.assertTrue(all(role.sentence.startswith("Layer") and role.role for role in roles))
        self.assertIn("probe", idelta.role_rule())

    def test_threads_and_forks_read_one_network(self):
        expected = bits(self.network.logits(self.test_images)).tobytes()
        read = lambda _: bits(self.network.logits(self.test_images)).tobytes()  # noqa: E731
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.assertEqual(list(pool.map(read, range(8))), [expected] * 8)
        global _forked
        _forked = self
        with multiprocessing.get_context("fork").Pool(2) as pool:
            self.assertEqual(pool.map(_logits_of_forked, range(4)), [expected] * 4)

    def test_threads_may_make_the_first_networks_of_a_process_at_once(self):
        ran = python("-c", "import idelta, sys; from concurrent.futures import ThreadPoolExecutor\n"
                     "sys.setswitchinterval(1e-6)\n"
                     "made = ThreadPoolExecutor(8).map(lambda _: idelta.Network((3,), 2).n, range(8))\n"
                     "print(list(made))")  # fmt: skip
        self.assertEqual(ran.stdout, f"{[5] * 8}\n", ran.stderr)


def _logits_of_forked(_):
    return bits(_forked.network.logits(_forked.test_images)).tobytes()


if __name__ == "__main__":
    main()
