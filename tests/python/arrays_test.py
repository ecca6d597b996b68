"""Arrays that a call cannot use where they lie are refused by name, with what to write instead; nothing is touched."""

import numpy as np
from support import TestCase, floats, main

import idelta


class RefusedArraysTest(TestCase):
    def setUp(self):
        rng = np.random.default_rng(1)
        self.n, self.m = 16, 4
        self.D, self.x = floats(rng, self.n, self.n, scale=0.1), floats(rng, self.m, self.n)
        self.bias = floats(rng, self.n)
        self.delta = idelta.Delta(self.context, self.D, format="f32")

    def assert_forward_refused(self, kind, words, *arguments, **named):
        self.assert_refused(kind, words, self.delta.forward, *arguments, **named)

    def test_other_types_say_astype(self):
        for dtype in (np.float64, np.float16, np.uint8, np.complex64, ">f4"):
            with self.subTest(dtype):
                x = self.x.astype(dtype)
                self.assert_forward_refused(idelta.WrongType, ["x is of", "give x.astype(numpy.float32)"], x)
        self.assert_forward_refused(TypeError, ["bias is of float64"], self.x, bias=self.bias.astype(float))
        self.assert_forward_refused(
            idelta.WrongType, ["out is of float64", "give an array of float32"], self.x, out=np.empty(self.x.shape)
        )
        self.assert_refused(idelta.WrongType, ["D is of float64"], idelta.Delta, self.context, self.D.astype(float))

    def test_no_array_says_asarray(self):
        self.assert_forward_refused(idelta.WrongType, ["list", "numpy.asarray(x, dtype=numpy.float32)"], [[1.0] * 16])
        self.assert_forward_refused(idelta.WrongType, ["NoneType"], None)
        self.assert_refused(idelta.WrongType, ["D is of type list"], idelta.Delta, self.context, [[1.0]])

    def test_masked_values_are_not_unmasked_in_silence(self):
        self.assert_forward_refused(idelta.WrongType, ["masked", "x.filled(0)"], np.ma.masked_array(self.x, self.x > 0))

    def test_columns_that_are_apart_say_ascontiguousarray(self):
        for x in (np.asfortranarray(self.x), self.x.repeat(2, axis=1)[:, ::2], self.x[:, ::-1]):
            self.assert_forward_refused(idelta.InvalidArgument, ["columns", "numpy.ascontiguousarray(x)"], x)
        self.assert_forward_refused(
            idelta.InvalidArgument, ["elements", "numpy.ascontiguousarray(bias)"], self.x,
            bias=self.bias.repeat(2)[::2],
        )  # fmt: skip
        self.assert_refused(ValueError, ["D", "columns"], idelta.Delta, self.context, self.D.T)

    def test_rows_that_overlap_or_go_backwards_say_ascontiguousarray(self):
        repeated = np.broadcast_to(self.x[0], self.x.shape)
        for x in (self.x[::-1], repeated, np.lib.stride_tricks.as_strided(self.x, (3, self.n), (4, 4))):
            self.assert_forward_refused(idelta.InvalidArgument, ["rows", "numpy.ascontiguousarray(x)"], x)

    def test_a_row_stride_that_is_no_multiple_of_an_element_is_refused(self):
        raw = np.zeros(self.m * (4 * self.n + 2), np.uint8)
        x = np.ndarray((self.m, self.n), np.float32, raw, 0, (4 * self.n + 2, 4))
        self.assert_forward_refused(idelta.WrongType, ["x"], x)

    def test_a_misaligned_array_says_copy(self):
        raw = np.zeros(4 * self.n + 4, np.uint8)
        x = raw[1 : 1 + 4 * self.n].view(np.float32)[np.newaxis, :]
        self.assert_forward_refused(idelta.WrongType, ["multiple of 4 bytes", "x.copy()"], x)

    def test_other_shapes_are_refused_with_the_right_one(self):
        for x in (self.x[:, :5], self.x[np.newaxis], self.x[0, :5], self.x.T.copy()):
            self.assert_forward_refused(idelta.InvalidArgument, ["shape", "(rows, 16)"], x)
        self.assert_forward_refused(idelta.InvalidArgument, ["(4, 16)"], self.x, out=np.empty_like(self.x[1:]))
        self.assert_forward_refused(idelta.InvalidArgument, ["bias", "(16,)"], self.x, bias=self.bias[1:])
        self.assert_forward_refused(
            idelta.InvalidArgument, ["row_error", "(4,)"], self.x, row_error=np.empty(3, np.float32)
        )
        self.assert_refused(idelta.InvalidArgument, ["D", "(16, 16)"], idelta.Delta, self.context, self.x)

    def test_read_only_arrays_are_inputs_but_no_outputs(self):
        expected = self.delta.forward(self.x)
        frozen = self.x.copy()
        frozen.flags.writeable = False
        self.assert_same_bits(self.delta.forward(frozen), expected)
        self.assert_forward_refused(idelta.InvalidArgument, ["out is read-only"], self.x, out=frozen)
        self.assert_forward_refused(idelta.InvalidArgument, ["read-only"], self.x, contribution=frozen)
        bias = self.bias[:4].copy()
        bias.flags.writeable = False
        self.assert_forward_refused(idelta.InvalidArgument, ["row_norm is read-only"], self.x, row_norm=bias)

    def test_shared_memory_is_refused_and_nothing_is_written(self):
        rows = floats(np.random.default_rng(2), self.m + 1, self.n)
        before = rows.copy()
        self.assert_forward_refused(idelta.InvalidArgument, ["out shares memory with x"], rows[1:], out=rows[:-1])
        self.assert_forward_refused(
            idelta.InvalidArgument, ["contribution shares memory with x"], rows[1:], contribution=rows[1:]
        )
        wide = np.zeros((2 * self.m, self.n), np.float32)
        self.assert_forward_refused(  # they begin together, but their rows are not equally far apart
            idelta.InvalidArgument, ["out shares memory with x"], wide[: self.m], out=wide[::2]
        )
        out = np.empty_like(self.x)
        self.assert_forward_refused(
            idelta.InvalidArgument, ["contribution shares memory with out"], self.x, out=out, contribution=out
        )
        error = np.empty(self.m, np.float32)
        self.assert_forward_refused(
            idelta.InvalidArgument, ["row_norm shares memory with row_error"], self.x, row_error=error, row_norm=error
        )
        self.assert_forward_refused(
            idelta.InvalidArgument, ["out shares memory with bias"], rows[1:], out=rows[1:], bias=rows[1]
        )
        self.assert_refused(
            idelta.InvalidArgument, ["dz shares memory with dy"], self.delta.backward_data, rows[1:], dz=rows[:-1]
        )
        self.assert_refused(
            idelta.InvalidArgument, ["dD shares memory with x"], self.context.backward_weights, rows[:2], rows[2:4],
            dD=np.lib.stride_tricks.as_strided(rows, (self.n, self.n), (64, 4)),
        )  # fmt: skip
        D, sgd = self.D.copy(), idelta.Optimizer("momentum", learning_rate=0.1)
        self.assert_refused(
            idelta.InvalidArgument, ["D shares memory with x"], self.delta.update, D[:2], D[2:4], sgd, D=D,
            state=sgd.new_state(self.n, self.n),
        )  # fmt: skip
        self.assert_refused(
            idelta.InvalidArgument,
            ["state[0] shares memory with D"],
            self.delta.update,
            rows,
            rows,
            sgd,
            D=D,
            state=(D,),
        )
        self.assert_same_bits(D, self.D)
        self.assert_same_bits(rows, before)

    def test_names_that_nobody_knows_are_refused_with_those_that_are(self):
        self.assert_forward_refused(idelta.InvalidArgument, ["gelu", "leaky_relu"], self.x, activation="gelu")
        self.assert_forward_refused(idelta.InvalidArgument, ["slope"], self.x, activation="leaky_relu")
        self.assert_forward_refused(idelta.WrongType, ["7", "relu"], self.x, activation=7)
        self.assert_refused(idelta.InvalidArgument, ["fp8", "bf16"], idelta.Delta, self.context, self.D, format="fp8")
        self.assert_refused(idelta.WrongType, ["None", "bf16"], idelta.Delta, self.context, self.D, format=None)
        self.assert_refused(idelta.InvalidArgument, ["lion", "adamw"], idelta.Optimizer, "lion", learning_rate=1)
        self.assert_refused(idelta.InvalidArgument, ["learning_rate"], idelta.Optimizer, "sgd", learning_rate=np.nan)

    def test_numbers_that_C_would_cut_are_refused(self):
        self.assert_refused(idelta.InvalidArgument, ["threads is 4294967297", "to 2147483647"], idelta.Context,
                            threads=2**32 + 1)  # fmt: skip
        self.assert_refused(
            idelta.InvalidArgument, ["rank", "-9223372036854775808 to"], self.delta_of, rank=2**64 + 1
        )
        self.assert_refused(idelta.WrongType, ["rank is 2.5", "an integer"], self.delta_of, rank=2.5)
        self.assert_refused(idelta.WrongType, ["tolerance is None", "a number"], self.delta_of, tolerance=None)
        self.assertEqual(self.delta_of(rank=np.int64(3)).info.rank, 3)

    def delta_of(self, **options):
        return idelta.Delta(self.context, self.D, format="low_rank", **options)

    def test_other_objects_are_refused_by_their_type(self):
        self.assert_refused(
            idelta.WrongType, ["context is of type NoneType", "idelta.Context"], idelta.Delta, None, self.D
        )
        self.assert_refused(idelta.WrongType, ["context is of type str"], idelta.candidates, "", self.D, tolerance=1)
        self.assert_refused(idelta.InvalidArgument, ["'formats'", "format, tail"], idelta.names, "formats")

    def test_states_of_another_optimiser_are_refused(self):
        momentum = idelta.Optimizer("momentum", learning_rate=0.1)
        adamw = idelta.Optimizer("adamw", learning_rate=0.1)
        n = self.n
        for state in ((), adamw.new_state(n, n), (np.zeros((n, n)),), (np.zeros((n, n + 1), np.float32)[:, :n],)):
            with self.assertRaises((idelta.InvalidArgument, idelta.WrongType)):
                self.delta.update(self.x, self.x, momentum, D=self.D, state=state)
        self.assert_refused(idelta.WrongType, ["idelta.Optimizer"], self.delta.update, self.x, self.x, "sgd")
        self.assert_same_bits(self.delta.unpack(), self.D)

    def test_what_the_library_refuses_has_its_sentence(self):
        low_rank = idelta.Delta(self.context, self.D, format="low_rank", rank=4)
        sgd = idelta.Optimizer("sgd", learning_rate=0.1)
        self.assert_refused(idelta.Unsupported, ["low_rank"], low_rank.update, self.x, self.x, sgd, D=self.D)
        forward = idelta.Delta(self.context, self.D, passes=idelta.Passes.FORWARD)
        self.assert_refused(idelta.InvalidArgument, ["backward"], forward.backward_data, self.x)
        backward = idelta.Delta(self.context, self.D, passes=idelta.Passes.BACKWARD_DATA)
        self.assert_refused(idelta.InvalidArgument, ["forward"], backward.forward, self.x)
        self.assert_refused(idelta.InvalidArgument, ["y"], self.delta.backward_data, self.x, activation="relu")
        self.assertTrue(issubclass(idelta.Unsupported, idelta.Error))


if __name__ == "__main__":
    main()
