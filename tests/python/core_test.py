"""Contexts, deltas and passes from Python: within the bounds of fp64, in every format, and with the C library's bits."""

import weakref

import numpy as np
from support import U, TestCase, floats, main, strided

import idelta

ACTIVATIONS = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    ("leaky_relu", 0.25): lambda z: np.where(z < 0, 0.25 * z, z),
    "hard_tanh": lambda z: np.clip(z, -1, 1),
    "tanh": np.tanh,
}


class Case(TestCase):
    def setUp(self):
        rng = np.random.default_rng(1)
        self.n, self.m = 37, 5
        self.D = floats(rng, self.n, self.n, scale=0.05)
        self.x = floats(rng, self.m, self.n)
        self.bias = floats(rng, self.n)

    def delta(self, **options):
        return idelta.Delta(self.context, self.D, **options)


class ForwardTest(Case):
    def bound(self, x, D, a=1.0):
        """|y^ - y| of f32, elementwise, before the activation (idelta.h)."""
        magnitudes = np.abs(x).astype(float) @ np.abs(D).astype(float) + np.abs(self.bias)
        return (self.n + 3) * U * magnitudes + 2 * U * abs(a) * np.abs(x)

    def test_every_activation_is_within_the_bound_of_fp64(self):
        for activation, act in ACTIVATIONS.items():
            with self.subTest(activation):
                y = self.delta(format="f32", identity_scale=0.5).forward(self.x, bias=self.bias, activation=activation)
                z = 0.5 * self.x.astype(float) + self.x.astype(float) @ self.D + self.bias
                errors = np.abs(y - act(z))
                self.assertTrue((errors <= self.bound(self.x, self.D, 0.5) + 4 * U).all(), errors.max())

    def test_integers_are_exact(self):
        rng = np.random.default_rng(2)
        D = rng.integers(-3, 4, (self.n, self.n)).astype(np.float32)
        x = rng.integers(-3, 4, (self.m, self.n)).astype(np.float32)
        for format in ("f32", "bf16", "bf16x3"):
            y = idelta.Delta(self.context, D, format=format).forward(x)
            np.testing.assert_array_equal(y, x + x @ D)

    def test_arrays_with_distant_rows_are_used_where_they_lie(self):
        expected = self.delta(format="f32").forward(self.x, bias=self.bias)
        delta = idelta.Delta(self.context, strided(self.D), format="f32")
        out = strided(np.empty_like(self.x))
        returned = delta.forward(strided(self.x), bias=self.bias, out=out)
        self.assertIs(returned, out)
        self.assert_same_bits(out, expected)
        self.assertTrue(np.isnan(out.base[:, self.n :]).all())

    def test_columns_of_one_array_may_be_input_and_output(self):
        both = np.zeros((self.m, 2 * self.n), np.float32)
        both[:, : self.n] = self.x
        self.delta().forward(both[:, : self.n], out=both[:, self.n :])
        self.assert_same_bits(both[:, self.n :], self.delta().forward(self.x))

    def test_out_may_be_x(self):
        expected = self.delta().forward(self.x)
        x = self.x.copy()
        self.delta().forward(x, out=x)
        self.assert_same_bits(x, expected)
        again = strided(self.x)
        self.delta().forward(again, out=again[:])
        self.assert_same_bits(again, expected)

    def test_one_row_may_be_a_vector(self):
        y = self.delta().forward(self.x[2])
        self.assertEqual(y.shape, (self.n,))
        self.assert_same_bits(y, self.delta().forward(self.x)[2])

    def test_no_rows_are_no_work(self):
        self.assertEqual(self.delta().forward(self.x[:0]).shape, (0, self.n))

    def test_memory_mapped_rows_are_taken(self):
        mapped = self.x.view(np.memmap)
        self.assert_same_bits(self.delta().forward(mapped), self.delta().forward(self.x))

    def test_parts_have_the_bits_of_forward_and_hold_their_bounds(self):
        for format in ("f32", "bf16", "low_rank"):
            delta = self.delta(format=format, rank=9 if format == "low_rank" else 0)
            parts = delta.parts(self.x, bias=self.bias, activation="tanh")
            self.assert_same_bits(parts.y, delta.forward(self.x, bias=self.bias, activation="tanh"))
            exact = self.x.astype(float) @ self.D + self.bias
            errors = np.linalg.norm(parts.contribution - exact, axis=1)
            self.assertTrue((errors <= parts.row_error).all(), format)
            norms = np.linalg.norm(self.x.astype(float), axis=1)
            self.assertTrue(((norms <= parts.row_norm) & (parts.row_norm <= 1.0001 * norms)).all())

    def test_transposed_is_the_layout_of_torch(self):
        delta = idelta.Delta(self.context, np.ascontiguousarray(self.D.T), transposed=True)
        self.assert_same_bits(delta.forward(self.x), self.delta().forward(self.x))
        self.assert_same_bits(delta.unpack(), self.D)


class DeltaTest(Case):
    def test_info_is_what_was_asked_for_by_name(self):
        for format in ("f32", "bf16"):
            info = self.delta(format=format, identity_scale=0.75).info
            self.assertEqual((info.n, info.asked, info.identity_scale), (self.n, format, 0.75))
            self.assertEqual(info.isa, self.context.isa)
            self.assertEqual(info.passes, idelta.Passes.BOTH)
            self.assertLess(0, info.certificate)
        forward = self.delta(passes=idelta.Passes.FORWARD).info
        self.assertEqual(forward.certificate_backward_data, np.inf)

    def test_unpack_gives_D_and_its_rounding(self):
        self.assert_same_bits(self.delta(format="f32").unpack(), self.D)
        rounded = self.delta(format="bf16").unpack()
        self.assertTrue((np.abs(rounded - self.D) <= 2.0**-8 * np.abs(self.D)).all())
        out = strided(np.empty_like(self.D))
        self.assert_same_bits(self.delta().unpack(out), self.D)

    def test_repack_takes_another_D(self):
        delta = self.delta()
        delta.repack(2 * self.D)
        self.assert_same_bits(delta.unpack(), 2 * self.D)

    def test_factors_make_a_delta_of_their_rank(self):
        rng = np.random.default_rng(3)
        U, V = floats(rng, self.n, 4), floats(rng, 4, self.n)
        delta = idelta.Delta.of_factors(self.context, U, V)
        self.assertEqual(delta.info.rank, 4)
        made_U, made_V = delta.factors()
        np.testing.assert_allclose(made_U @ made_V, U @ V, atol=1e-4)
        np.testing.assert_allclose(made_U.T @ made_U, np.eye(4), atol=1e-6)
        zero = idelta.Delta(self.context, np.zeros_like(self.D), format="low_rank", rank=4)
        self.assertEqual([factor.shape for factor in zero.factors()], [(self.n, 0), (0, self.n)])

    def test_a_tolerance_that_no_form_meets_is_an_error_with_its_number(self):
        self.assert_refused(idelta.ToleranceNotMet, ["tolerance"], self.delta, format="bf16", tolerance=1e-9)
        self.assertLessEqual(self.delta(tolerance=0.01).info.certificate, 0.01)
        self.delta(tolerance="sgemm")
        self.assert_refused(idelta.InvalidArgument, ["dgemm", '"sgemm"'], self.delta, tolerance="dgemm")

    def test_a_tail_keeps_what_the_factors_leave(self):
        head = self.delta(format="low_rank", rank=4)
        whole = self.delta(format="low_rank", rank=4, tail="int8")
        self.assertEqual((head.info.tail, whole.info.tail), ("none", "int8"))
        self.assertLess(whole.info.certificate, head.info.certificate / 3)
        self.assertLess(0, whole.info.certificate_inf)
        exact = self.x + self.x.astype(float) @ self.D
        parts = whole.parts(self.x)
        self.assertTrue((np.linalg.norm(parts.y - exact, axis=1) <= parts.row_error).all())
        self.assert_refused(idelta.InvalidArgument, ["fp4", "none, int8"], self.delta, format="low_rank", tail="fp4")

    def test_candidates_say_what_auto_chooses_and_why(self):
        options = {"tolerance": 0.05, "expected_rows": 16, "sample": strided(self.x)}
        found = idelta.candidates(self.context, self.D, **options)
        chosen = [candidate for candidate in found if candidate.verdict == "chosen"]
        self.assertEqual(len(chosen), 1)
        delta = self.delta(**options)
        self.assertEqual((delta.info.format, delta.info.tail), (chosen[0].format, chosen[0].tail))
        self.assertLessEqual(chosen[0].error, 0.05)
        self.assertLessEqual(set(candidate.format for candidate in found), set(idelta.names("format")))
        for form in found:
            how = {"format": form.format, "rank": form.rank, "tail": form.tail, "expected_rows": 16}
            self.assertEqual(form.seconds, idelta.predicted_seconds(self.context, len(self.D), **how))
        self.assert_refused(ValueError, ["tolerance"], idelta.candidates, self.context, self.D, tolerance=0)
        self.assert_refused(ValueError, ["auto"], idelta.predicted_seconds, self.context, 8, format="auto")
        self.assert_refused(idelta.InvalidArgument, ["sample", "(rows, 37)"], self.delta, tolerance=1,
                            sample=self.x[:, 1:])  # fmt: skip

    def test_the_rows_to_come_and_all_of_the_sample_count(self):
        few, many = (idelta.candidates(self.context, self.D, tolerance=1, expected_rows=m) for m in (1, 4096))
        self.assertLess(2 * min(form.seconds for form in few), min(form.seconds for form in many))
        after_zeros = np.vstack([np.zeros_like(self.x[:1]), self.x])
        alone, after = (
            idelta.candidates(self.context, self.D, tolerance=1e-3, sample=rows) for rows in (self.x, after_zeros)
        )
        self.assertEqual([form.error for form in after], [form.error for form in alone])

    def test_a_delta_keeps_its_context(self):
        context = idelta.Context()
        delta, of_context = idelta.Delta(context, self.D), weakref.ref(context._handle)
        del context, delta.context
        self.assertIsNotNone(of_context())
        self.assert_same_bits(delta.forward(self.x), self.delta().forward(self.x))
        del delta
        self.assertIsNone(of_context())


class TrainingTest(TestCase):
    def setUp(self):
        rng = np.random.default_rng(4)
        self.n, self.m = 24, 7
        self.D = floats(rng, self.n, self.n, scale=0.05)
        self.x, self.dy = floats(rng, self.m, self.n), floats(rng, self.m, self.n)

    def test_gradients_are_those_of_fp64(self):
        delta = idelta.Delta(self.context, self.D, identity_scale=0.5)
        y = delta.forward(self.x, activation=("leaky_relu", 0.25))
        dz = np.empty_like(self.dy)
        dx = delta.backward_data(self.dy, y, activation=("leaky_relu", 0.25), dz=dz)
        expected = self.dy * np.where(y > 0, np.float32(1), np.float32(0.25))
        self.assert_same_bits(dz, expected)
        np.testing.assert_allclose(dx, 0.5 * expected + expected.astype(float) @ self.D.T, atol=1e-5)
        dD, db = self.context.backward_weights(self.x, dz)
        np.testing.assert_allclose(dD, self.x.astype(float).T @ dz, atol=1e-4)
        np.testing.assert_allclose(db, dz.astype(float).sum(0), atol=1e-5)

    def test_gradients_may_be_written_over_dy(self):
        delta = idelta.Delta(self.context, self.D)
        y = delta.forward(self.x, activation="tanh")
        dz = np.empty_like(self.dy)
        dx = delta.backward_data(self.dy, y, activation="tanh", dz=dz)
        dy = self.dy.copy()
        self.assert_same_bits(delta.backward_data(dy, y, activation="tanh", dz=dy), dx)
        self.assert_same_bits(dy, dz)
        dy = self.dy.copy()
        self.assert_same_bits(delta.backward_data(dy, y, activation="tanh", out=dy), dx)
        dy = self.dy.copy()
        self.assert_refused(
            idelta.InvalidArgument, ["out shares memory with dz"], delta.backward_data, dy, y, dz=dy, out=dy
        )

    def test_gradients_add_up_over_pieces(self):
        whole, bias = self.context.backward_weights(self.x, self.dy)
        dD, db = self.context.backward_weights(self.x[:3], self.dy[:3])
        self.context.backward_weights(self.x[3:], self.dy[3:], beta=1, dD=dD, db=db)
        self.assert_same_bits(dD, whole)
        self.assert_same_bits(db, bias)
        self.assert_refused(
            idelta.InvalidArgument, ["beta", "dD"], self.context.backward_weights, self.x, self.dy, beta=1
        )

    def test_every_optimiser_makes_the_step_that_it_says(self):
        g = self.x.astype(float).T @ self.dy
        rate, decay = 0.01, 0.1
        with_decay = g + decay * self.D
        steps = {
            "sgd": -rate * with_decay,
            "momentum": -rate * with_decay,
            "nesterov": -rate * (with_decay + 0.9 * with_decay),
            "adamw": -rate * (decay * self.D + g / (np.abs(g) + 1e-8)),
        }
        self.assertEqual(set(steps), set(idelta.names("optimizer")))
        for kind, step in steps.items():
            optimizer = idelta.Optimizer(kind, learning_rate=rate, weight_decay=decay)
            delta = idelta.Delta(self.context, self.D, format="f32")
            D, bias = self.D.copy(), np.ones(self.n, np.float32)
            state, bias_state = optimizer.new_state(self.n, self.n), optimizer.new_state(self.n)
            delta.update(self.x, self.dy, optimizer, D=D, state=state, bias=bias, bias_state=bias_state)
            np.testing.assert_allclose(D, self.D + step, atol=1e-4, err_msg=kind)
            self.assert_same_bits(delta.unpack(), D)
            self.assertFalse((bias == 1).any())

    def test_gradients_have_formats_of_their_own(self):
        whole, _ = self.context.backward_weights(self.x, self.dy)
        self.assert_same_bits(self.context.backward_weights(self.x, self.dy, format="f32")[0], whole)
        delta, sgd = idelta.Delta(self.context, self.D), idelta.Optimizer("sgd", learning_rate=0.1)
        for call, option in (
            (lambda **of: self.context.backward_weights(self.x, self.dy, **of), "format"),
            (lambda **of: delta.update(self.x, self.dy, sgd, D=self.D.copy(), **of), "gradient_format"),
        ):
            call(**{option: "bf16"})
            self.assert_refused(idelta.InvalidArgument, ["low_rank"], call, **{option: "low_rank"})

    def test_the_packed_delta_can_be_the_master(self):
        sgd = idelta.Optimizer("sgd", learning_rate=0.1)
        D = self.D.copy()
        given, packed = (idelta.Delta(self.context, self.D, format="f32") for _ in range(2))
        given.update(self.x, self.dy, sgd, D=D)
        packed.update(self.x, self.dy, sgd)
        self.assert_same_bits(packed.unpack(), D)


class ContextTest(TestCase):
    def test_settings_are_taken_by_name(self):
        context = idelta.Context(isa="scalar", threads=1)
        self.assertEqual((context.isa, context.threads), ("scalar", 1))
        self.assertIn("scalar", context.describe())
        self.assertIn(context.bf16_product, idelta.names("bf16_product"))
        self.assertEqual({idelta.Context(isa="scalar", bf16_product=name).bf16_product for name in ("widened", "rounded")},
                         {"widened", "rounded"})  # fmt: skip
        self.assert_refused(idelta.InvalidArgument, ["sse", "avx2"], idelta.Context, isa="sse")
        self.assert_refused(idelta.InvalidArgument, ["spin_us", "-7"], idelta.Context, spin_us=-7)

    def test_results_are_the_same_bits_on_scalar_and_on_any_number_of_threads(self):
        rng = np.random.default_rng(5)
        D, x = floats(rng, 65, 65), floats(rng, 9, 65)
        expected = idelta.Delta(self.context, D, format="f32").forward(x)
        for options in ({"isa": "scalar"}, {"threads": 1}, {"threads": 2}):
            delta = idelta.Delta(idelta.Context(**options), D, format="f32")
            self.assert_same_bits(delta.forward(x), expected)

    def test_contexts_and_deltas_say_what_they_are(self):
        context = idelta.Context(isa="scalar", threads=1)
        self.assertEqual(repr(context), "<idelta.Context scalar, 1 thread>")
        delta = idelta.Delta(context, np.diag(np.float32([0.1, 0.2])), format="low_rank", rank=1)
        self.assertRegex(repr(delta), r"^<idelta.Delta n=2, low_rank of rank 1, certificate 0\.1\d*>$")

    def test_spectral_norm_bound_is_above_the_norm_and_near(self):
        D = floats(np.random.default_rng(6), 20, 20, scale=0.1)
        norm = np.linalg.norm(np.eye(20) + D.astype(float), 2)
        bound = self.context.spectral_norm_bound(D)
        self.assertTrue(norm <= bound <= 1.02 * norm, (norm, bound))


if __name__ == "__main__":
    main()
