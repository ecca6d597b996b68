"""The forms in which D is stored: how one is asked for, what is proved of it, and what "auto" chooses from."""

from __future__ import annotations

import ctypes
import enum
from dataclasses import dataclass, fields
from typing import Any

from . import _kinds
from ._arrays import Floats, matrix, square
from ._core_abi import CandidateStruct, DeltaInfoStruct, DeltaOptions, check, core
from ._handles import address_of
from .context import Context
from .errors import InvalidArgument

_SGEMM = -1.0  # IDELTA_TOLERANCE_SGEMM


class Passes(enum.IntFlag):
    """The directions that a packed delta serves; each keeps a copy of D in its own order."""

    FORWARD = 1
    BACKWARD_DATA = 2
    BOTH = 3


@dataclass(frozen=True)
class DeltaInfo:
    """What a delta stores, and what is proved of it. idelta_delta_info_t in idelta.h has the formulas.

    `certificate`: ‖y_computed - y‖₂ <= certificate ‖x‖₂ for every row, before activation and with b = 0; infinity for a
    pass that is not packed. `certificate_backward_data`: the same for dx of dz. Norms are of what is stored.
    """

    n: int
    format: str  #: what is stored and multiplied
    asked: str  #: what was asked for
    isa: str
    passes: Passes
    identity_scale: float
    packed_bytes: int
    certificate: float
    certificate_backward_data: float
    norm_frobenius: float
    norm_one: float
    norm_inf: float
    norm_max: float
    zero_fraction: float  #: share of the multiplication that is skipped because D is exactly zero there
    rank: int  #: columns of U; 0 unless format is low_rank
    certificate_inf: float  #: ‖y_computed - y‖₂ <= (certificate - certificate_inf) ‖x‖₂ + certificate_inf ‖x‖_inf
    certificate_inf_backward_data: float
    tail: str  #: of low_rank: "none" or "int8"


@dataclass(frozen=True)
class Candidate:
    """A form that "auto" considered."""

    format: str
    tail: str  #: of low_rank: "none" or "int8"
    verdict: str  #: "chosen", "slower", "inexact", "replaced" or "unfit"
    rank: int  #: of low_rank: the least within the tolerance, or the one that came nearest to it
    certificate: float  #: infinity where it was not measured
    certificate_backward_data: float
    error: float  #: what must be within the tolerance
    tolerance: float
    seconds: float  #: predicted; only ratios say something


def pack_options(
    n: int,
    *,
    format: str,
    tolerance: float | str,
    transposed: bool,
    identity_scale: float,
    passes: Passes,
    tail: str,
    rank: int = 0,
    expected_rows: int = 0,
    sample: Floats | None = None,
) -> Any:
    """idelta_delta_options. It points into `sample`, which must live until it was used."""
    if isinstance(tolerance, str):
        if tolerance != "sgemm":
            raise InvalidArgument(f'tolerance is "{tolerance}"; give a number, 0 for no demand, or "sgemm"')
        tolerance = _SGEMM
    sample_at, sample_rows, ld_sample = (None, 0, 0) if sample is None else matrix(sample, "sample", n)
    return DeltaOptions.initial(
        format=_kinds.value_of("format", format),
        passes=passes,
        transposed=bool(transposed),
        identity_scale=identity_scale,
        tolerance=tolerance,
        rank=rank,
        tail=_kinds.value_of("tail", tail),
        expected_rows=expected_rows,
        sample=sample_at,
        sample_rows=sample_rows,
        ld_sample=ld_sample,
    )


def info_of(context: int, delta: int) -> DeltaInfo:
    """What a packed delta is, by the addresses of its context and of itself."""
    found = DeltaInfoStruct.initial()
    check(core.delta_info(context, delta, ctypes.byref(found)))
    values = _named(found, DeltaInfo)
    values.update(
        asked=_kinds.name_of("format", found.asked),
        isa=_kinds.name_of("isa", found.isa),
        passes=Passes(found.passes),
    )
    return DeltaInfo(**values)


def candidates(
    context: Context,
    D: Floats,
    *,
    tolerance: float | str,
    transposed: bool = False,
    identity_scale: float = 1.0,
    passes: Passes = Passes.BOTH,
    tail: str = "none",
    rank: int = 0,
    expected_rows: int = 0,
    sample: Floats | None = None,
) -> list[Candidate]:
    """What Delta(context, D, format="auto", …) with these options chooses from, fastest first, and why."""
    at, n, ldd = square(D, "D")
    options = pack_options(
        n, format="auto", tolerance=tolerance, transposed=transposed, identity_scale=identity_scale, passes=passes,
        tail=tail, rank=rank, expected_rows=expected_rows, sample=sample,
    )  # fmt: skip
    capacity, count = 64, ctypes.c_int64()
    made = (CandidateStruct * capacity)(*(CandidateStruct.initial() for _ in range(capacity)))
    given = (ctypes.byref(options), ctypes.byref(made), capacity, ctypes.byref(count))
    check(core.delta_candidates(address_of(context, Context, "context"), n, at, ldd, *given))
    found = []
    for candidate in made[: count.value]:
        values = _named(candidate, Candidate)
        values["verdict"] = _kinds.name_of("verdict", candidate.verdict)
        found.append(Candidate(**values))
    return found


def predicted_seconds(
    context: Context,
    n: int,
    *,
    format: str,
    rank: int = 0,
    tail: str = "none",
    expected_rows: int = 0,
    threads: int = 0,
) -> float:
    """What `Candidate.seconds` would be for a D of n x n that is packed so, on all threads of the context or on 1.

    Only ratios say something. It needs no D.
    """
    kinds = {"format": _kinds.value_of("format", format), "tail": _kinds.value_of("tail", tail)}
    options = DeltaOptions.initial(rank=rank, expected_rows=expected_rows, **kinds)
    found = ctypes.c_double()
    at = address_of(context, Context, "context")
    check(core.predicted_seconds(at, n, ctypes.byref(options), threads, ctypes.byref(found)))
    return found.value


def _named(struct: Any, result: Any) -> dict[str, Any]:
    """The fields of a result from those of a struct, with format and tail by name."""
    values = {field.name: getattr(struct, field.name) for field in fields(result)}
    values["format"] = _kinds.name_of("format", struct.format)
    values["tail"] = _kinds.name_of("tail", struct.tail)
    return values
