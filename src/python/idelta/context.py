"""The machine as the library uses it: instruction set, threads, caches."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np

from . import _kinds
from ._arrays import Floats, check_apart, matrix, square, vector, width_of
from ._core_abi import BackwardWeightsArgs, ContextOptions, check, core
from ._handles import Handle, address_of
from .errors import InvalidArgument

_BACKWARD_WEIGHTS_SIZE = ctypes.sizeof(BackwardWeightsArgs)


class Context:
    """Chosen once, immutable, and to be shared by threads, deltas and networks.

    isa: one of `idelta.names("isa")`; "auto" is the best of this machine. threads: 0 for the cores that this process
    may use. spin_us: how long idle threads spin before they sleep, in microseconds; -1 for the default. bf16_product:
    one of `idelta.names("bf16_product")`. The environment variables IDELTA_ISA, IDELTA_THREADS, IDELTA_SPIN_US and
    IDELTA_BF16 lower or choose what is left open.

    All calls release the interpreter's lock. A context may be used after a fork.
    """

    def __init__(self, *, isa: str = "auto", threads: int = 0, spin_us: int = -1, bf16_product: str = "auto") -> None:
        self._options = {"isa": isa, "threads": threads, "spin_us": spin_us, "bf16_product": bf16_product}
        options = ContextOptions.initial(
            isa=_kinds.value_of("isa", isa),
            threads=threads,
            spin_us=spin_us,
            bf16_product=_kinds.value_of("bf16_product", bf16_product),
        )
        address = ctypes.c_void_p()
        check(core.context_create(ctypes.byref(options), ctypes.byref(address)))
        assert address.value
        self._handle = Handle(address.value, core.context_destroy)
        self._address = address.value

    @property
    def isa(self) -> str:
        """The instruction set that runs."""
        return _kinds.name_of("isa", core.context_isa(self._address))

    @property
    def threads(self) -> int:
        """How many threads share a call's work."""
        return int(core.context_threads(self._address))

    @property
    def bf16_product(self) -> str:
        """How format bf16 multiplies here: "widened" or "rounded"."""
        return _kinds.name_of("bf16_product", core.context_bf16_product(self._address))

    def describe(self) -> str:
        """What was chosen and why, a line each: CPU, instruction set, caches, threads."""
        text: bytes = core.context_describe(self._address)
        return text.decode()

    def backward_weights(
        self,
        x: Floats,
        dz: Floats,
        *,
        beta: float = 0.0,
        dD: Floats | None = None,
        db: Floats | None = None,
        format: str = "auto",
    ) -> tuple[Floats, Floats]:
        """dD = beta dD + xᵀ dz and db = beta db + column sums of dz, in one pass; returns both.

        x, dz: (m, n). dD: (n, n), in x out, and db: (n,) are made where they are not given, which only beta = 0 allows.
        format: how x and dz are multiplied, "auto" (f32), "f32", "bf16x3" or "bf16"; sums are fp32.
        """
        n = width_of(x)
        x_at, m, ldx = matrix(x, "x", n)
        dz_at, _, lddz = matrix(dz, "dz", n, rows=m)
        for name, given in (("dD", dD), ("db", db)):
            if given is None and beta != 0:
                raise InvalidArgument(f"beta = {beta} adds to {name}, which is not given; give it, or beta = 0")
        dD = np.empty((n, n), np.float32) if dD is None else dD
        db = np.empty(n, np.float32) if db is None else db
        dD_at, _, lddD = matrix(dD, "dD", n, rows=n, output=True)
        db_at = vector(db, "db", n, output=True)
        check_apart("dD", dD, x=x, dz=dz)
        check_apart("db", db, x=x, dz=dz, dD=dD)
        args = BackwardWeightsArgs(
            struct_size=_BACKWARD_WEIGHTS_SIZE, m=m, n=n, x=x_at, ldx=ldx, dz=dz_at, lddz=lddz, beta=beta,
            dD=dD_at, lddD=lddD, db=db_at, format=_kinds.value_of("format", format),
        )  # fmt: skip
        check(core.backward_weights(self._address, ctypes.byref(args)))
        return dD, db

    def spectral_norm_bound(self, D: Floats, *, identity_scale: float = 1.0) -> float:
        """A proved upper bound of ‖a I + D‖₂, a = identity_scale, as a rule within 1 %. D: (n, n), finite."""
        at, n, ldd = square(D, "D")
        bound = ctypes.c_double()
        check(core.spectral_norm_bound(self._address, n, at, ldd, identity_scale, ctypes.byref(bound)))
        return bound.value

    def __repr__(self) -> str:
        return f"<idelta.Context {self.isa}, {self.threads} thread{'' if self.threads == 1 else 's'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _context_of, (self._options,)


@functools.lru_cache(maxsize=1)
def default_context() -> Context:
    """The context that networks share where none is given."""
    return Context()


def context_or_default(context: Context | None) -> Context:
    """The context, which is checked, or the one that networks share."""
    if context is None:
        return default_context()
    address_of(context, Context, "context")
    return context


def _context_of(options: dict[str, Any]) -> Context:
    return Context(**options)
