"""What can be read from a network: labels, logits, what every layer contributes, geometry and roles.

Images are (rows, height, width) or (rows, P), float32, scaled as the training images were (`scale` does it). They are
computed in pieces of `batch` rows, 0 for the library's choice, which changes no bit of any result.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import _kinds, _nn_abi, results
from ._arrays import Floats, Matrix, matrix
from ._core_abi import check
from ._nn_abi import nn
from .dataset import Dataset, data_at, flat_images, int_labels
from .errors import InvalidArgument
from .explanation import LayerExplanation

if TYPE_CHECKING:
    from .context import Context

_PARTS = tuple(name for name in results.Decomposition.__dataclass_fields__ if name not in
               ("images", "class_names", "feature_names"))  # fmt: skip
_USUAL_PARTS = ("contribution_maps", "class_likelihoods", "predictions")


class Reading:
    """The half of Network that changes nothing."""

    context: Context
    layers: int
    classes: int
    n: int
    inputs: int
    shape: tuple[int, ...]
    feature_names: list[str] | None
    class_names: list[str] | None
    class_padding: float
    _address: int

    # ---- What it is

    @property
    def forms(self) -> list[results.Form]:
        """The cheaper forms, in the order of their file; none until compress or a file gives them."""
        made = []
        for index in range(self._info().forms):
            info = _nn_abi.initial("form_info_t")
            check(nn().network_form(self._address, index, ctypes.byref(info)))
            ranks = list((ctypes.c_int64 * self.layers).from_address(info.ranks))
            kinds = (ctypes.c_int * self.layers).from_address(info.tails)
            tails = [_kinds.name_of("tail", kind) for kind in kinds]
            made.append(results.Form(info.name.decode(), ranks, info.multiplications, tails, info.time))
        return made

    @property
    def has_dense(self) -> bool:
        """Whether D is there, not only the factors of a file that dropped it."""
        return bool(self._info().has_dense)

    def _info(self) -> Any:
        info = _nn_abi.initial("network_info_t")
        check(nn().network_info(self._address, ctypes.byref(info)))
        return info

    def _images(self, images: Any) -> Matrix:
        height, width = self.shape if len(self.shape) == 2 else (1, self.inputs)
        return matrix(flat_images(images, "images", height, width), "images", self.inputs)

    def scale(self, images: Floats) -> Floats:
        """The images as the network's training images were scaled: (value - offset) factor, or as they are."""
        at, rows, ld = self._images(images)
        scaled = np.empty(images.shape, np.float32)
        check(nn().network_scale(self._address, rows, at, ld, scaled.ctypes.data, self.inputs))
        return scaled

    # ---- Labels

    def predict(self, images: Floats, *, form: str = "dense", batch: int = 0) -> NDArray[np.int32]:
        """Labels (rows,): argmax over the class dimensions of hᴸ. form: "dense", or the name of one of `forms`."""
        return self._predict(images, self._form_index(form), False, batch)["labels"]

    def predict_with_guarantee(self, images: Floats, *, batch: int = 0) -> results.GuaranteedLabels:
        """Labels that are provably those of the dense F32 network; needs compress, or a compressed file that kept D."""
        found = self._predict(images, -1, True, batch)
        names = [form.name for form in self.forms] + ["dense"]
        found["seconds"] = float(found["seconds"][0])
        return results.GuaranteedLabels(forms=names, **found)

    def _form_index(self, form: str) -> int:
        if form == "dense":
            return -1
        names = [known.name for known in self.forms]
        if form not in names:
            raise InvalidArgument(f"form is {form!r}; this network has {', '.join([*names, 'dense'])}")
        return names.index(form)

    def _predict(self, images: Floats, form: int, guarantee: bool, batch: int) -> dict[str, Any]:
        at, rows, ld = self._images(images)
        args = _nn_abi.initial("predict_args", rows=rows, images=at, ld=ld, batch=batch, form=form, guarantee=guarantee)
        shapes: dict[str, tuple[int, ...]] = {"labels": (rows,)}
        if guarantee:
            forms = len(self.forms) + 1
            shapes.update(margins=(rows,), bounds=(rows,), settled_by=(rows,))
            shapes.update(settled=(forms,), tried=(forms,), seconds=(1,))
        made = _nn_abi.outputs(args, shapes)
        check(nn().network_predict(self._address, ctypes.byref(args)))
        return made

    def predict_proba(self, images: Floats, *, batch: int = 0) -> Floats:
        """Class likelihoods (rows, C): softmax of the logits. Scores, not calibrated probabilities."""
        return self._decompose(images, ["final_likelihoods"], batch)["final_likelihoods"]

    def logits(self, images: Floats, *, batch: int = 0) -> Floats:
        """The class dimensions of hᴸ (rows, C)."""
        return self._decompose(images, ["logits"], batch)["logits"]

    # ---- Contributions

    def decompose(
        self, images: Floats, parts: Iterable[str] = _USUAL_PARTS, *, batch: int = 0
    ) -> results.Decomposition:
        """What every layer adds to each image: those `parts` that are named, see Decomposition for all."""
        made: dict[str, Any] = self._decompose(images, list(parts), batch)
        if "contribution_maps" in made:
            made["contribution_maps"] = made["contribution_maps"].reshape(self.layers, *images.shape)
        return results.Decomposition(images, class_names=self.class_names, feature_names=self.feature_names, **made)

    def _decompose(self, images: Floats, parts: list[str], batch: int) -> dict[str, Any]:
        at, rows, ld = self._images(images)
        layers = (self.layers, rows)
        shapes: dict[str, tuple[int, ...]] = {
            "contribution_maps": (*layers, self.inputs),
            **{name: (*layers, self.n) for name in ("contributions", "activation_changes", "steps", "features")},
            "class_likelihoods": (*layers, self.classes),
            "predictions": layers,
            "logits": (rows, self.classes),
            "final_likelihoods": (rows, self.classes),
        }
        for part in parts:
            if part not in shapes:
                raise InvalidArgument(f"parts has {part!r}; there are {', '.join(_PARTS)}")
        args = _nn_abi.initial("decompose_args", rows=rows, images=at, ld=ld, batch=batch)
        made = _nn_abi.outputs(args, {part: shapes[part] for part in parts})
        check(nn().network_decompose(self._address, ctypes.byref(args)))
        return made

    def read_outs(self, images: Floats | Dataset, *, batch: int = 0) -> results.ReadOuts:
        """What every layer says of each image. A Dataset spares a copy of the images."""
        data = images if isinstance(images, Dataset) else Dataset(images, classes=self.classes)
        to = _nn_abi.initial("read_outs", batch=batch)
        rows = len(data)
        made = _nn_abi.outputs(to, {"predictions": (rows, self.layers), "first_final_layer": (rows,),
                                    "final_margin": (rows,), "final_likelihood": (rows,)})  # fmt: skip
        check(nn().network_read_outs(self._address, data._address, ctypes.byref(to)))
        return results.ReadOuts(**made)

    def explain(self, images: Floats, *, batch: int = 0) -> LayerExplanation:
        """Every logit as the padding and a step of each layer, in the shape that SHAP's plots take."""
        _, rows, _ = self._images(images)
        piece = 512  # steps are n wide; only the class dimensions are kept
        values = np.empty((rows, self.layers, self.classes), np.float32)
        data = np.empty_like(values)
        for first in range(0, rows, piece):
            part = slice(first, first + piece)
            made = self._decompose(images[part], ["steps", "class_likelihoods"], batch)
            values[part] = made["steps"][:, :, self.inputs :].transpose(1, 0, 2)
            data[part] = made["class_likelihoods"].transpose(1, 0, 2)
        base = np.full((rows, self.classes), self.class_padding, np.float32)
        names = self.class_names or [str(c) for c in range(self.classes)]
        layers = [f"layer {layer + 1}" for layer in range(self.layers)]
        return LayerExplanation(values, base, data, layers, list(names))

    def class_maps(self, images: Floats, classes: Any, *, batch: int = 0) -> results.ClassMaps:
        """Which inputs the logit of a class is made of; classes: one, or (rows,) of them."""
        at, rows, ld = self._images(images)
        chosen = int_labels(np.full(rows, classes) if np.ndim(classes) == 0 else classes, rows, "classes")
        args = _nn_abi.initial("class_maps_args", rows=rows, images=at, ld=ld, classes=chosen.ctypes.data, batch=batch)
        made = _nn_abi.outputs(args, {"maps": (rows, self.inputs), "rests": (rows,), "logits": (rows,)})
        check(nn().network_class_maps(self._address, ctypes.byref(args)))
        return results.ClassMaps(made["maps"].reshape(images.shape), made["rests"], made["logits"])

    # ---- Layers on a set

    def evaluate(self, data: Dataset, *, batch: int = 0) -> results.Evaluation:
        """Each layer's accuracy, norms and the rest, on a labelled set."""
        to = _nn_abi.initial("evaluation", batch=batch)
        single = ("input_accuracy", "telescoping_error")
        made = self._filled(results.Evaluation, to, self.layers, nn().network_evaluate, data_at(data),
                            omit=("count",), single=single)  # fmt: skip
        return results.Evaluation(count=len(data), **made)

    def accuracy(self, data: Dataset, *, batch: int = 0) -> float:
        """The last layer's accuracy alone, without the cost of the rest."""
        found = ctypes.c_double()
        check(nn().network_accuracy(self._address, data_at(data), batch, ctypes.byref(found)))
        return found.value

    def weight_geometry(self, *, vectors: int = 0) -> results.WeightGeometry:
        """How near the identity the layers are; vectors: singular vectors that are compared, 0 for 10."""
        to = _nn_abi.initial("weight_geometry", vectors=vectors)
        square = (self.layers, self.layers)
        made = self._filled(results.WeightGeometry, to, self.layers, nn().network_weight_geometry,
                            single=("random_alignment",), singular_values=(self.layers, self.n),
                            left_alignment=square, right_alignment=square)  # fmt: skip
        return results.WeightGeometry(**made)

    def feature_geometry(
        self, data: Dataset, *, sample: Dataset | None = None, batch: int = 0
    ) -> results.FeatureGeometry:
        """How the classes lie in the features; sample: where their means are taken, usually of training images."""
        to = _nn_abi.initial("feature_geometry", batch=batch)
        given = (data_at(data), None if sample is None else data_at(sample, "sample"))
        made = self._filled(results.FeatureGeometry, to, self.layers + 1, nn().network_feature_geometry, *given)
        return results.FeatureGeometry(**made)

    def lesions(self, data: Dataset, *, batch: int = 0) -> results.Lesions:
        """The network without each layer in turn. Costs about L / 2 passes over the set."""
        to = _nn_abi.initial("lesions", batch=batch)
        return results.Lesions(**self._filled(results.Lesions, to, self.layers, nn().network_lesions, data_at(data)))

    def probes(self, train: Dataset, test: Dataset, *, regularisation: float = 0.0, batch: int = 0) -> results.Probes:
        """How well a linear probe, fitted on `train`, reads the class from each layer."""
        to = _nn_abi.initial("probes", regularisation=regularisation, batch=batch)
        given = (data_at(train, "train"), data_at(test, "test"))
        return results.Probes(**self._filled(results.Probes, to, self.layers + 1, nn().network_probes, *given))

    def roles(self, train: Dataset, test: Dataset, *, batch: int = 0) -> list[results.LayerRole]:
        """What each layer is for, by the rule of `role_rule()`: from evaluation, lesions and probes."""
        sentences: list[str] = []
        observed = _nn_abi.Observed("idelta_text_seen", lambda line: sentences.append(line.decode()))
        to = _nn_abi.initial("roles", batch=batch, sentence=observed.address)
        role = (ctypes.c_int * self.layers)()
        to.role = ctypes.addressof(role)
        given = (data_at(train, "train"), data_at(test, "test"))
        made = self._filled(results.LayerRole, to, self.layers, nn().network_roles, *given, omit=("role", "sentence"))
        return [
            results.LayerRole(
                role=nn().role_name(role[layer]).decode(),
                sentence=sentences[layer],
                **{name: float(values[layer]) for name, values in made.items()},
            )
            for layer in range(self.layers)
        ]

    def _filled(
        self,
        result: Any,
        to: Any,
        count: int,
        function: Any,
        *given: int | None,
        omit: tuple[str, ...] = (),
        single: tuple[str, ...] = (),
        **shapes: tuple[int, ...],
    ) -> dict[str, Any]:
        """Calls function(network, *given, to) with an array of (count,) for each field of the result's class.

        omit: fields that are made otherwise. single: those that are one number. shapes: those of another shape.
        """
        wanted = {name: shapes.get(name, (count,)) for name in result.__dataclass_fields__ if name not in omit}
        wanted.update({name: (1,) for name in single})
        made: dict[str, Any] = _nn_abi.outputs(to, wanted)
        check(function(self._address, *given, ctypes.byref(to)))
        return {name: float(values[0]) if name in single else values for name, values in made.items()}


def role_rule() -> str:
    """The rule by which layers get their roles, in a few sentences."""
    text: bytes = nn().role_rule()
    return text.decode()
