"""One layer's D, packed for this machine, and the passes through it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import _kinds
from ._arrays import FLOAT32, Floats, check_apart, check_apart_or_same, matrix, square, vector
from ._core_abi import BackwardDataArgs, ForwardArgs, UpdateArgs, check, core
from ._handles import Handle, address_of
from ._kinds import ActivationLike
from .context import Context
from .errors import InvalidArgument, WrongType
from .forms import DeltaInfo, Passes, info_of, pack_options
from .optimizer import Optimizer

_FORWARD_SIZE = ctypes.sizeof(ForwardArgs)
_BACKWARD_DATA_SIZE = ctypes.sizeof(BackwardDataArgs)
_UPDATE_SIZE = ctypes.sizeof(UpdateArgs)
_byref = ctypes.byref


class Parts(NamedTuple):
    """A forward pass with all that it can tell: y (m, n), contribution (m, n), row_error (m,), row_norm (m,)."""

    y: Floats
    contribution: Floats  #: z - a x as the accumulator held it: x D + b
    row_error: Floats  #: a proved bound of ‖ẑ - z‖₂ for each row
    row_norm: Floats  #: ‖x‖₂ of each row, rounded up


class Delta:
    """D (n, n) of a layer  z = a x + x D + b,  y = act(z),  packed for the machine of a context.

    D: float32, in x out, or out x in (PyTorch's layout) with transposed=True; it is copied. format: one of
    `idelta.names("format")`; "auto" is the fastest whose certificate is within the tolerance. tolerance: what the
    certificates must not exceed; 0 for no demand; "sgemm" for what SGEMM with a I + D can promise. rank: the most
    columns that low_rank may have; 0 leaves it to the tolerance. tail: of low_rank, "int8" keeps what
    the factors leave. identity_scale: a. "auto" takes the form that is fastest for calls of expected_rows, 0 for 128, and
    with a `sample` of rows (rows, n) judges by their errors in place of the worst case; `candidates` says what it chose
    from.

    Many threads may use a delta at once; repack and update need it alone.
    """

    def __init__(
        self,
        context: Context,
        D: Floats,
        *,
        format: str = "auto",
        rank: int = 0,
        tolerance: float | str = 0.0,
        tail: str = "none",
        transposed: bool = False,
        identity_scale: float = 1.0,
        passes: Passes = Passes.BOTH,
        expected_rows: int = 0,
        sample: Floats | None = None,
    ) -> None:
        at, n, ldd = square(D, "D")
        options = pack_options(
            n, format=format, rank=rank, tolerance=tolerance, tail=tail, transposed=transposed,
            identity_scale=identity_scale, passes=passes, expected_rows=expected_rows, sample=sample,
        )  # fmt: skip
        address = ctypes.c_void_p()
        check(core.delta_pack(address_of(context, Context, "context"), n, at, ldd, _byref(options), _byref(address)))
        self._hold(context, n, address)

    @classmethod
    def of_factors(
        cls,
        context: Context,
        U: Floats,
        V: Floats,
        *,
        tolerance: float | str = 0.0,
        transposed: bool = False,
        identity_scale: float = 1.0,
        passes: Passes = Passes.BOTH,
    ) -> Delta:
        """low_rank of given factors, D = U V: U (n, r), V (r, n). The rank shrinks to what U V has."""
        at_context = address_of(context, Context, "context")
        n, r = U.shape if isinstance(U, np.ndarray) and U.ndim == 2 else (0, 0)
        u_at, _, ldu = matrix(U, "U", r, rows=n)
        v_at, _, ldv = matrix(V, "V", n, rows=r)
        options = pack_options(
            n, format="low_rank", tolerance=tolerance, tail="none", transposed=transposed,
            identity_scale=identity_scale, passes=passes,
        )  # fmt: skip
        address = ctypes.c_void_p()
        check(core.delta_pack_factors(at_context, n, r, u_at, ldu, v_at, ldv, _byref(options), _byref(address)))
        delta = cls.__new__(cls)
        delta._hold(context, n, address)
        return delta

    def _hold(self, context: Context, n: int, address: ctypes.c_void_p) -> None:
        assert address.value
        self.context = context
        self.n = n  #: width
        self._context_address = context._address
        self._address = address.value
        self._handle = Handle(address.value, core.delta_destroy, context._handle)

    # ---- What is stored

    @property
    def info(self) -> DeltaInfo:
        """What is stored, with certificates and norms."""
        return info_of(self._context_address, self._address)

    def unpack(self, out: Floats | None = None) -> Floats:
        """D (n, n), in x out: bit for bit of f32, else as it was rounded; of low_rank the product of the factors."""
        out = np.empty((self.n, self.n), np.float32) if out is None else out
        at, _, ldd = matrix(out, "out", self.n, rows=self.n, output=True)
        check(core.delta_unpack(self._context_address, self._address, at, ldd))
        return out

    def factors(self) -> tuple[Floats, Floats]:
        """U (n, rank) with orthonormal columns and V (rank, n) of a low_rank delta, in x out."""
        rank = self.info.rank
        U, V = np.empty((self.n, rank), np.float32), np.empty((rank, self.n), np.float32)
        check(
            core.delta_unpack_factors(
                self._context_address, self._address, U.ctypes.data, max(rank, 1), V.ctypes.data, self.n
            )
        )
        return U, V

    def repack(self, D: Floats) -> None:
        """Packs another D (n, n) of the same layout and options into the same memory."""
        at, _, ldd = matrix(D, "D", self.n, rows=self.n)
        check(core.delta_repack(self._context_address, self._address, at, ldd))

    # ---- Passes

    def forward(
        self,
        x: Floats,
        *,
        bias: Floats | None = None,
        activation: ActivationLike = "identity",
        out: Floats | None = None,
        contribution: Floats | None = None,
        row_error: Floats | None = None,
        row_norm: Floats | None = None,
    ) -> Floats:
        """y = act(a x + x D + bias), returned, and written to `out` if that is given.

        x: (m, n), or (n,) for a single row; y has its shape. bias: (n,). activation: a name of
        `idelta.names("activation")`, or ("leaky_relu", slope). out may be x itself. Filled where given: contribution,
        shaped like x (z - a x as the accumulator held it); row_error (m,), a proved bound of ‖ẑ - z‖₂ for each row;
        row_norm (m,), ‖x‖₂ rounded up.
        """
        n = self.n
        x_at, m, ldx = matrix(x, "x", n)
        bias_at = None if bias is None else vector(bias, "bias", n)
        if out is None:
            out = np.empty(x.shape, FLOAT32)
            y_at, ldy = out.ctypes.data, n
        else:
            y_at, _, ldy = matrix(out, "out", n, rows=m, output=True)
            check_apart_or_same("out", out, x=x)
            check_apart("out", out, bias=bias)
        contribution_at = error_at = norm_at = None
        ldc = 0
        if contribution is not None:
            contribution_at, _, ldc = matrix(contribution, "contribution", n, rows=m, output=True)
        if row_error is not None:
            error_at = vector(row_error, "row_error", m, output=True)
        if row_norm is not None:
            norm_at = vector(row_norm, "row_norm", m, output=True)
        if contribution_at or error_at or norm_at:
            others: dict[str, Any] = {"x": x, "out": out, "bias": bias}
            for name, output in (("contribution", contribution), ("row_error", row_error), ("row_norm", row_norm)):
                if output is not None:
                    check_apart(name, output, **others)
                    others[name] = output
        args = ForwardArgs(
            struct_size=_FORWARD_SIZE, m=m, x=x_at, ldx=ldx, bias=bias_at, activation=_kinds.activation(activation),
            y=y_at, ldy=ldy, contribution=contribution_at, ldc=ldc, row_error=error_at, row_norm=norm_at,
        )  # fmt: skip
        status = core.forward(self._context_address, self._address, _byref(args))
        if status:
            check(status)
        return out

    def parts(self, x: Floats, *, bias: Floats | None = None, activation: ActivationLike = "identity") -> Parts:
        """A forward pass with the contribution and the proved error of each row. x: (m, n)."""
        _, m, _ = matrix(x, "x", self.n)
        made = Parts(*(np.empty(shape, np.float32) for shape in (x.shape, x.shape, (m,), (m,))))
        self.forward(x, bias=bias, activation=activation, out=made.y, contribution=made.contribution,
                     row_error=made.row_error, row_norm=made.row_norm)  # fmt: skip
        return made

    def backward_data(
        self,
        dy: Floats,
        y: Floats | None = None,
        *,
        activation: ActivationLike = "identity",
        out: Floats | None = None,
        dz: Floats | None = None,
    ) -> Floats:
        """dz = dy ⊙ act'(y);  dx = a dz + dz Dᵀ, returned, and written to `out` if that is given.

        dy: (m, n), the gradient of the loss by y. y: what forward returned; not needed with "identity". out may be dy
        itself. dz, shaped like dy, is filled where given: it is what backward_weights and update want; it may be dy, if
        out is not.
        """
        n = self.n
        dy_at, m, lddy = matrix(dy, "dy", n)
        y_at, ldy = None, 0
        if y is not None:
            y_at, _, ldy = matrix(y, "y", n, rows=m)
        dz_at, lddz = None, 0
        if dz is not None:
            dz_at, _, lddz = matrix(dz, "dz", n, rows=m, output=True)
            check_apart_or_same("dz", dz, dy=dy)
            check_apart("dz", dz, y=y)
        if out is None:
            out = np.empty(dy.shape, FLOAT32)
            dx_at, lddx = out.ctypes.data, n
        else:
            dx_at, _, lddx = matrix(out, "out", n, rows=m, output=True)
            check_apart_or_same("out", out, dy=dy)
            check_apart("out", out, y=y, dz=dz)
        args = BackwardDataArgs(
            struct_size=_BACKWARD_DATA_SIZE, m=m, dy=dy_at, lddy=lddy, y=y_at, ldy=ldy,
            activation=_kinds.activation(activation), dz=dz_at, lddz=lddz, dx=dx_at, lddx=lddx,
        )  # fmt: skip
        status = core.backward_data(self._context_address, self._address, _byref(args))
        if status:
            check(status)
        return out

    def update(
        self,
        x: Floats,
        dz: Floats,
        optimizer: Optimizer,
        *,
        D: Floats | None = None,
        state: Sequence[Floats] = (),
        bias: Floats | None = None,
        bias_state: Sequence[Floats] = (),
        gradient_format: str = "auto",
    ) -> None:
        """One optimiser step by the gradient xᵀ dz, of D, of this delta, and of the bias, all in place.

        x, dz: (m, n). D: (n, n), the master copy in the layout that the delta was given; None, for format f32 only: the
        packed delta is the master, and `unpack` shows it. state, bias_state: optimizer.new_state(n, n) and (n) before
        the first step. bias: (n,). gradient_format: as `format` of Context.backward_weights.
        """
        n = self.n
        x_at, m, ldx = matrix(x, "x", n)
        dz_at, _, lddz = matrix(dz, "dz", n, rows=m)
        d_at, ldd = None, 0
        if D is not None:
            d_at, _, ldd = matrix(D, "D", n, rows=n, output=True)
        if not isinstance(optimizer, Optimizer):
            raise WrongType(f"optimizer is {optimizer!r}; give an idelta.Optimizer")
        states = _states("state", state, optimizer, (n, n))
        bias_at = None if bias is None else vector(bias, "bias", n, output=True)
        bias_states = _states("bias_state", bias_state if bias is not None else (), optimizer, (n,), bias is not None)
        others: dict[str, Any] = {"x": x, "dz": dz}
        changed = {"D": D, "bias": bias, **{f"state[{i}]": array for i, array in enumerate(state)}}
        changed.update({f"bias_state[{i}]": array for i, array in enumerate(bias_state)})
        for name, array in changed.items():
            if array is not None:
                check_apart(name, array, **others)
                others[name] = array
        settings = optimizer._struct()
        args = UpdateArgs(
            struct_size=_UPDATE_SIZE, m=m, x=x_at, ldx=ldx, dz=dz_at, lddz=lddz,
            optimizer=ctypes.addressof(settings), D=d_at, ldd=ldd, state=states, bias=bias_at,
            bias_state=bias_states, gradient_format=_kinds.value_of("format", gradient_format),
        )  # fmt: skip
        check(core.update(self._context_address, self._address, _byref(args)))

    def __repr__(self) -> str:
        info = self.info
        form = f"{info.format} of rank {info.rank}" if info.format == "low_rank" else info.format
        return f"<idelta.Delta n={self.n}, {form}, certificate {info.certificate:.3g}>"

    def __reduce__(self) -> Any:
        raise WrongType("a Delta is packed for this machine and cannot be pickled; pickle D and make it anew")


def _states(
    name: str, given: Sequence[Floats], optimizer: Optimizer, shape: tuple[int, ...], wanted: bool = True
) -> ctypes.Array[ctypes.c_void_p]:
    """The addresses of an optimiser's arrays, which are dense."""
    addresses = (ctypes.c_void_p * 2)()
    count = optimizer.state_arrays if wanted else 0
    if len(given) != count:
        size = ", ".join(str(extent) for extent in shape)
        raise InvalidArgument(
            f"{name} has {len(given)} arrays, and {optimizer.kind} keeps {count}; start from "
            f"optimizer.new_state({size})"
        )
    elements = int(np.prod(shape))
    for i, array in enumerate(given):
        if not isinstance(array, np.ndarray) or array.shape != shape or not array.flags.c_contiguous:
            raise InvalidArgument(f"{name}[{i}] must be a contiguous array of {shape}; start from optimizer.new_state")
        addresses[i] = vector(array.reshape(elements), f"{name}[{i}]", elements, output=True)
    return addresses
