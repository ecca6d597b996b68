"""Optimisers, as Delta.update takes their steps."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _kinds
from ._arrays import Floats
from ._core_abi import OptimizerStruct, check, core

_DEFAULT = OptimizerStruct.initial()


@dataclass
class Optimizer:
    """One of `idelta.names("optimizer")` and its settings. g is the gradient; decay pulls D towards 0, W towards a I.

    sgd        D -= rate (g + decay D)
    momentum   g += decay D;  v = momentum v + g;  D -= rate v
    nesterov   g += decay D;  v = momentum v + g;  D -= rate (g + momentum v)
    adamw      decay decoupled (Loshchilov & Hutter 2019); momentum is beta1, and step counts from 1: raise it by one
               after each step of the network
    """

    kind: str
    learning_rate: float
    momentum: float = _DEFAULT.momentum
    beta2: float = _DEFAULT.beta2
    epsilon: float = _DEFAULT.epsilon
    weight_decay: float = 0.0
    step: int = _DEFAULT.step

    def __post_init__(self) -> None:
        check(core.optimizer_check(ctypes.byref(self._struct())))

    @property
    def state_arrays(self) -> int:
        """How many arrays of D's shape, and of the bias', it keeps: 0, 1 or 2."""
        return int(core.optimizer_state_arrays(_kinds.value_of("optimizer", self.kind)))

    def new_state(self, *shape: int) -> tuple[Floats, ...]:
        """The arrays of state before the first step, for D: new_state(n, n), for a bias: new_state(n)."""
        return tuple(np.zeros(shape, np.float32) for _ in range(self.state_arrays))

    def _struct(self) -> Any:
        return OptimizerStruct.initial(
            kind=_kinds.value_of("optimizer", self.kind),
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            beta2=self.beta2,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay,
            step=self.step,
        )
