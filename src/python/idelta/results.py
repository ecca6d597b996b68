"""What the calls of a network return: small objects of arrays. L layers, P inputs, C class dimensions, n = P + C.

Of images (height, width) every array of P inputs is shaped (…, height, width), as the images were given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ._arrays import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Progress:
    """How far a training run is. epoch counts from 0; batch batches of it are done; loss and accuracy are its means."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float
    accuracy: float
    images_per_second: float
    seconds: float
    seconds_left: float


@dataclass(frozen=True)
class Training:
    """What a training run came to."""

    finished: bool  #: False where the callback stopped it
    progress: Progress  #: after its last batch


@dataclass(frozen=True)
class Evaluation:
    """Each layer on a set: arrays of (L,), for h¹ … hᴸ, means over the images but where said; logarithms are natural."""

    count: int  #: images
    accuracy: Doubles  #: of argmax over the class dimensions of hˡ
    cross_entropy: Doubles  #: -log class likelihood of the label
    entropy: Doubles  #: of the class likelihood
    margin: Doubles  #: class dimension of the label less the largest of the others
    kl_to_final: Doubles  #: KL(class likelihood of hᴸ ‖ that of hˡ)
    direct_contribution: Doubles  #: step of the label's class dimension: the logit is the padding and all of these
    contribution_norm: Doubles  #: ‖Δˡ‖₂
    activation_change_norm: Doubles  #: ‖κˡ‖₂
    step_norm: Doubles  #: ‖sˡ‖₂
    spectral_norm: Doubles  #: ‖Dˡ‖₂
    frobenius_ratio: Doubles  #: ‖Dˡ‖_F / √n
    decided: Integers  #: images whose prediction is the final one from layer l on, and not before; sums to count
    completeness_ulp: Doubles  #: largest |h⁰ + Σ s - hˡ|, in units in the last place
    completeness_bound_ulp: Doubles  #: what roundings alone may make of it, proved
    layer_residual_ulp: Doubles  #: largest |hˡ⁻¹ + sˡ - hˡ| of the layer alone
    layer_residual_share: Doubles  #: the same over its own bound: 1 or less, if the layer adds up
    input_accuracy: float  #: of h⁰: chance, by construction
    telescoping_error: float  #: of the class likelihoods' steps

    def plot(self, ax: Axes | None = None) -> Axes:
        """The accuracy of each layer, drawn with matplotlib."""
        from .plots import layer_accuracy

        return layer_accuracy(self, ax)


@dataclass(frozen=True)
class Decomposition:
    """What every layer adds to each image; None for what was not asked for.

    h⁰ = [x, padding],  Δˡ = zˡ - a hˡ⁻¹,  κˡ = act(zˡ) - zˡ,  sˡ = hˡ - hˡ⁻¹ = (a - 1) hˡ⁻¹ + Δˡ + κˡ
    """

    images: Floats  #: as given
    contribution_maps: Floats | None = None  #: (L, *images.shape): hˡ[0:P] - x
    contributions: Floats | None = None  #: (L, rows, n): Δˡ as the accumulator held it
    activation_changes: Floats | None = None  #: (L, rows, n): κˡ
    steps: Floats | None = None  #: (L, rows, n): sˡ
    class_likelihoods: Floats | None = None  #: (L, rows, C): scores, not calibrated probabilities
    predictions: NDArray[np.int32] | None = None  #: (L, rows)
    features: Floats | None = None  #: (L, rows, n): hˡ
    logits: Floats | None = None  #: (rows, C): the class dimensions of hᴸ
    final_likelihoods: Floats | None = None  #: (rows, C)
    class_names: Sequence[str] | None = field(default=None, repr=False)
    feature_names: Sequence[str] | None = field(default=None, repr=False)

    def plot(self, rows: Sequence[int] | None = None) -> Figure:
        """The contribution sheet, on one zero-centred scale, drawn with matplotlib; rows: which images, the first 4."""
        from .plots import contribution_sheet

        return contribution_sheet(self, rows)


@dataclass(frozen=True)
class ReadOuts:
    """What every layer says of each image."""

    predictions: NDArray[np.int32]  #: (rows, L): of h¹ … hᴸ
    first_final_layer: NDArray[np.int32]  #: (rows,): 1 … L, from where on the prediction is the final one
    final_margin: Floats  #: (rows,): of the logits, the predicted class less the next
    final_likelihood: Floats  #: (rows,): of the predicted class


@dataclass(frozen=True)
class GuaranteedLabels:
    """Labels that are provably those of the dense F32 network: row i is certified since margins[i] > bounds[i].

    Both are 0 where the dense network itself gave the label.
    """

    labels: NDArray[np.int32]  #: (rows,)
    margins: Floats  #: (rows,): by how much its logit exceeds that of the class that comes nearest to overtaking it
    bounds: Floats  #: (rows,): by how much the two could be off
    settled_by: NDArray[np.int32]  #: (rows,): index into forms
    forms: list[str]  #: names; the last is "dense"
    settled: Integers  #: (forms,): rows that each form settled
    tried: Integers  #: (forms,): rows that each form computed
    seconds: float  #: of the passes, nothing else


@dataclass(frozen=True)
class Form:
    """A cheaper form of a network."""

    name: str  #: "rank 32", "sigma 0.01 + int8", …
    ranks: list[int]  #: (L,): columns of U; -1: D itself
    multiplications: float  #: share of the dense network's, in fp32: without those of tails
    tails: list[str]  #: (L,): what becomes of what U V leaves, "none": dropped, or "int8"
    time: float  #: share of the dense network's that a row is expected to take


@dataclass(frozen=True)
class Considered:
    """A form that compress considered, and what became of it."""

    name: str
    multiplications: float  #: share of the dense network's, in fp32
    settled: float  #: share of the sample's labels that it certifies; -1: not tried
    verdict: str
    time: float  #: share of the dense network's that a row is expected to take


@dataclass(frozen=True)
class ClassMaps:
    """Which inputs a logit is made of, through the image's active pattern: logit = Σ map + rest."""

    maps: Floats  #: shaped like the images
    rests: Doubles  #: (rows,)
    logits: Floats  #: (rows,): of the class


@dataclass(frozen=True)
class WeightGeometry:
    """How near the identity the layers are."""

    spectral_norm: Doubles  #: (L,): ‖D‖₂
    frobenius_ratio: Doubles  #: (L,): ‖D‖_F / √n
    cosine_to_identity: Doubles  #: (L,): of W and I
    effective_rank: Doubles  #: (L,): exp of the entropy of σ² / Σσ²
    singular_values: Floats  #: (L, n): of D, falling
    left_alignment: Doubles  #: (L, L): of the input sides' leading singular vectors
    right_alignment: Doubles  #: (L, L): of the output sides'
    random_alignment: float  #: what two random spaces have


@dataclass(frozen=True)
class FeatureGeometry:
    """How the classes lie in the features h⁰ … hᴸ: arrays of (L + 1,)."""

    effective_rank: Doubles  #: of the covariance
    separation: Doubles  #: Tr(S_w S_b⁺)
    nearest_centre_accuracy: Doubles  #: of the class whose mean is nearest


@dataclass(frozen=True)
class Lesions:
    """The network without one layer: arrays of (L,). Changes are its value less the whole network's."""

    accuracy: Doubles
    accuracy_change: Doubles
    logit_change: Doubles  #: mean change of the true class's logit
    centred_logit_change: Doubles
    direct_contribution: Doubles  #: mean step of the true class's dimension, nothing lesioned
    centred_contribution: Doubles
    gained: Integers  #: images that only the lesioned network gets right
    lost: Integers  #: that only the whole one does


@dataclass(frozen=True)
class Probes:
    """How well the class can be read from h⁰ … hᴸ by a linear probe: arrays of (L + 1,)."""

    accuracy: Doubles  #: of the probe on the test set
    readout: Doubles  #: of argmax over the class dimensions of the same hˡ
    probe_gained: Integers
    probe_lost: Integers
    readout_gained: Integers
    readout_lost: Integers


@dataclass(frozen=True)
class LayerRole:
    """What a layer is for, by the rule of `idelta.role_rule()`."""

    role: str  #: "extracts", "mixed", "classifies" or "cannot tell"
    probe_rise: float  #: of accuracy, against the layer before
    readout_rise: float
    probe_share: float  #: of the sum of all layers that rise
    readout_share: float
    sentence: str
