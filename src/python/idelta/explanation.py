"""Layers as features, in the shape that SHAP's plots take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._arrays import Floats
from .errors import InvalidArgument


@dataclass(frozen=True)
class LayerExplanation:
    """Every logit as a base value and a step of each layer:  logit_c = base_values_c + Σ_l values_lc.

    The steps add up exactly but for their roundings. Scores, not calibrated probabilities; what a layer adds to a
    logit, not which pixels do. With SHAP installed:
        shap.Explanation(e.values, e.base_values, e.data, feature_names=e.feature_names), e = explanation.of_class(c)
    """

    values: Floats  #: (rows, L, C), or (rows, L) of one class: the step sˡ of the class dimension
    base_values: Floats  #: (rows, C), or (rows,): the class padding that every class dimension starts from
    data: Floats  #: (rows, L, C), or (rows, L): the class likelihood that the layer's output gives
    feature_names: list[str]  #: "layer 1" …
    output_names: list[str]  #: of the classes; of one class its name alone

    def of_class(self, which: Any) -> LayerExplanation:
        """Of one class, or with an array of (rows,) integers of a class for each row."""
        if self.values.ndim != 3:
            raise InvalidArgument("the explanation is of one class already")
        rows, _, classes = self.values.shape
        chosen = np.asarray(which)
        if chosen.shape not in ((), (rows,)):
            raise InvalidArgument(f"the classes have the shape {chosen.shape}; give one, or ({rows},) of them")
        chosen = np.broadcast_to(chosen, (rows,))
        if chosen.dtype.kind not in "iu" or (rows and not (0 <= chosen.min() and chosen.max() < classes)):
            raise InvalidArgument(f"the class is {which!r}; give integers from 0 to {classes - 1}")
        names = sorted({self.output_names[c] for c in chosen})
        at = np.arange(rows)
        return LayerExplanation(
            self.values[at, :, chosen],
            self.base_values[at, chosen],
            self.data[at, :, chosen],
            self.feature_names,
            names,
        )

    def __len__(self) -> int:
        return len(self.values)
