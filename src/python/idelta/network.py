"""Identity-initialised networks: made, trained, kept in files, compressed.

    h⁰ = [image, padding … padding]            width n = P + C: P inputs, C class dimensions
    hˡ = act(a hˡ⁻¹ + hˡ⁻¹ Dˡ + bˡ)            l = 1 … L; the last layer is linear; D = 0, b = 0 at first
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

import numpy as np

from . import _kinds, _nn_abi
from ._arrays import Floats, matrix, vector
from ._core_abi import check, declarations
from ._handles import Handle, address_of
from ._kinds import ActivationLike
from ._nn_abi import address, nn
from ._reading import Reading
from .context import Context, context_or_default
from .dataset import Dataset, data_at
from .errors import InvalidArgument, WrongType
from .results import Considered, Progress, Training

_PROGRESS = tuple(Progress.__dataclass_fields__)


class Network(Reading):
    """A network of identity layers, D = 0 and b = 0 when it is made.

    shape: of an input: (height, width) of an image, or (features,). Arguments that are None are the program's defaults.
    activation: of all layers but the last. identity_scale: a. class_padding: what the class dimensions start from.
    feature_names, class_names, label_name: kept in model files; the network computes with none of them.

    Many threads may read a network at once; fit, compress, attach_forms and set_… need it alone.
    """

    def __init__(
        self,
        shape: Sequence[int],
        classes: int,
        *,
        context: Context | None = None,
        layers: int | None = None,
        activation: ActivationLike | None = None,
        identity_scale: float | None = None,
        class_padding: float | None = None,
        feature_names: Sequence[str] | None = None,
        class_names: Sequence[str] | None = None,
        label_name: str | None = None,
    ) -> None:
        if np.ndim(shape) != 1 or len(shape) not in (1, 2):
            raise InvalidArgument(f"shape is {shape!r}; give (height, width) or (features,)")
        height, width = shape if len(shape) == 2 else (1, shape[0])
        features = _nn_abi.texts(feature_names, "feature_names", height * width)
        names = _nn_abi.texts(class_names, "class_names", classes)
        options = _nn_abi.initial(
            "network_options",
            height=height,
            width=width,
            classes=classes,
            feature_names=address(features),
            class_names=address(names),
            label_name=_nn_abi.text(label_name, "label_name"),
        )
        self._create(context, options, layers, activation, identity_scale, class_padding)

    @classmethod
    def for_data(
        cls,
        data: Dataset,
        *,
        context: Context | None = None,
        layers: int | None = None,
        activation: ActivationLike | None = None,
        identity_scale: float | None = None,
        class_padding: float | None = None,
        classes: int | None = None,
    ) -> Network:
        """A network for a training set, whose shape, names and scaling it gets, as `idelta train` makes it.

        classes: more than the training set has, where the test set has more.
        """
        options = _nn_abi.initial("network_options")
        check(nn().network_options_for(data_at(data), ctypes.byref(options)))
        if classes is not None and classes != options.classes:
            options.classes, options.class_names = classes, None
        network = cls.__new__(cls)
        network._create(context, options, layers, activation, identity_scale, class_padding)
        return network

    def _create(
        self,
        context: Context | None,
        options: Any,
        layers: int | None,
        activation: ActivationLike | None,
        identity_scale: float | None,
        class_padding: float | None,
    ) -> None:
        given = {"layers": layers, "identity_scale": identity_scale, "class_padding": class_padding}
        for name, value in given.items():
            if value is not None:
                options.put(name, value)
        if activation is not None:
            options.activation = _kinds.activation(activation)
        context = context_or_default(context)
        made = ctypes.c_void_p()
        check(nn().network_create(context._address, ctypes.byref(options), ctypes.byref(made)))
        self._hold(context, made)

    def _hold(self, context: Context, made: ctypes.c_void_p) -> None:
        assert made.value
        self.context = context
        self._address = made.value
        self._handle = Handle(made.value, nn().network_destroy, context._handle)
        info = self._info()
        self.layers: int = info.layers
        self.classes: int = info.classes
        self.n: int = info.n  #: width: inputs and class dimensions
        self.inputs: int = info.height * info.width  #: P
        self.shape: tuple[int, ...] = (info.width,) if info.height == 1 else (info.height, info.width)
        self.identity_scale: float = info.identity_scale
        self.class_padding: float = info.class_padding
        self.feature_names = _nn_abi.texts_at(info.feature_names, self.inputs)
        self.class_names = _nn_abi.texts_at(info.class_names, self.classes)
        self.label_name: str = (info.label_name or b"").decode()
        name = _kinds.name_of("activation", info.activation.kind)
        self.activation: ActivationLike = (name, info.activation.slope) if info.activation.slope else name

    # ---- Files

    def save(self, path: str | PathLike[str], *, drop_dense: bool = False) -> None:
        """Writes a model file (safetensors), whole or not at all.

        drop_dense: leave out every D that no form multiplies; needs forms (compress).
        """
        options = _nn_abi.initial("save_options", drop_dense=drop_dense)
        check(nn().network_save(self._address, _nn_abi.path_bytes(path), ctypes.byref(options)))

    @classmethod
    def load(cls, path: str | PathLike[str], *, context: Context | None = None) -> Network:
        """The network of a model file."""
        context = context_or_default(context)
        made = ctypes.c_void_p()
        check(nn().network_load(context._address, _nn_abi.path_bytes(path), ctypes.byref(made)))
        return cls._of(context, made)

    def to_bytes(self, *, drop_dense: bool = False) -> bytes:
        """The bytes of a model file."""
        options = _nn_abi.initial("save_options", drop_dense=drop_dense)
        made = ctypes.c_void_p()
        check(nn().network_to_bytes(self._address, ctypes.byref(options), ctypes.byref(made)))
        try:
            return ctypes.string_at(nn().bytes_data(made), nn().bytes_size(made))
        finally:
            nn().bytes_destroy(made)

    @classmethod
    def from_bytes(cls, data: bytes, *, context: Context | None = None) -> Network:
        """The network of a model file's bytes."""
        if not isinstance(data, bytes):
            raise WrongType(f"data is of type {type(data).__name__}; give bytes, as bytes(data) of a bytearray")
        context = context_or_default(context)
        made = ctypes.c_void_p()
        check(nn().network_from_bytes(context._address, data, len(data), ctypes.byref(made)))
        return cls._of(context, made)

    @classmethod
    def _of(cls, context: Context, made: ctypes.c_void_p) -> Network:
        network = cls.__new__(cls)
        network._hold(context, made)
        return network

    def __reduce__(self) -> Any:
        return _network_of, (self.to_bytes(), self.context)

    # ---- Training

    def fit(
        self,
        data: Dataset,
        *,
        epochs: int | None = None,
        batch: int | None = None,
        learning_rate: float | None = None,
        decay_epochs: int | None = None,
        optimizer: str | None = None,
        momentum: float | None = None,
        weight_decay: float | None = None,
        compute: str | None = None,
        seed: int | None = None,
        layer_loss: float | None = None,
        shuffled_labels: int | None = None,
        callback: Callable[[Progress], Any] | None = None,
    ) -> Training:
        """Trains as `idelta train` does, to the same bits. Arguments that are None are the program's defaults.

        learning_rate: 0 for 0.03 / layers. decay_epochs: last epochs with a tenth of the rate. compute: the format of
        all products, "f32", "bf16x3" or "bf16"; D stays fp32. seed: of the shuffling. layer_loss: weight of every
        hidden layer's own loss. shuffled_labels: not 0: permutes the labels by this seed, as a control. callback:
        called after every batch; what is true of its results stops the run there, with the network whole. So does
        Ctrl-C.
        """
        options = _nn_abi.initial("train_options")
        given = {
            "epochs": epochs, "batch": batch, "learning_rate": learning_rate, "decay_epochs": decay_epochs,
            "momentum": momentum, "weight_decay": weight_decay, "seed": seed, "layer_loss": layer_loss,
            "shuffled_labels": shuffled_labels,
            "optimizer": None if optimizer is None else _kinds.value_of("optimizer", optimizer),
            "compute": None if compute is None else _kinds.value_of("format", compute),
        }  # fmt: skip
        for name, value in given.items():
            if value is not None:
                options.put(name, value)
        at_data = data_at(data)
        last = Progress(0, options.epochs, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0)
        struct = declarations.structs["idelta_progress"]

        def observe(at: int) -> int:
            nonlocal last
            seen = struct.from_address(at)
            last = Progress(*(getattr(seen, name) for name in _PROGRESS))
            return 1 if callback is not None and callback(last) else 0

        observed = _nn_abi.Observed("idelta_train_observer", observe)
        finished = ctypes.c_int32()
        given_to_c = (ctypes.byref(options), observed.callback, None, ctypes.byref(finished))
        observed.run(lambda: nn().network_train(self._address, at_data, *given_to_c))
        return Training(bool(finished.value), last)

    @property
    def settings(self) -> dict[str, str]:
        """What model files record: the network's options, and how it was trained, if it was."""
        found: dict[str, str] = {}

        def seen(name: bytes, value: bytes) -> None:
            found[name.decode()] = value.decode()

        observed = _nn_abi.Observed("idelta_setting_seen", seen)
        observed.run(lambda: nn().network_settings(self._address, observed.callback, None))
        return found

    def warnings(self) -> list[str]:
        """Sentences about settings that work but disappoint."""
        return _nn_abi.seen_texts(lambda seen: nn().network_warnings(self._address, seen, None))

    # ---- Parameters

    def delta(self, layer: int) -> Floats:
        """D (n, n), in x out, of layer 0 … L-1: a copy in fp32."""
        D = np.empty((self.n, self.n), np.float32)
        check(nn().network_layer(self._address, layer, D.ctypes.data, self.n, None))
        return D

    def bias(self, layer: int) -> Floats:
        """b (n,) of layer 0 … L-1: a copy."""
        b = np.empty(self.n, np.float32)
        check(nn().network_layer(self._address, layer, None, self.n, b.ctypes.data))
        return b

    def set_layer(self, layer: int, D: Floats, bias: Floats) -> None:
        """Replaces D (n, n), in x out, and b (n,) of a layer. Forms, which were made of the old ones, are gone."""
        at, _, ldd = matrix(D, "D", self.n, rows=self.n)
        check(nn().network_set_layer(self._address, layer, at, ldd, vector(bias, "bias", self.n)))

    @property
    def compute(self) -> str:
        """The format in which x D is multiplied."""
        return _kinds.name_of("format", self._info().compute)

    def set_compute(self, format: str, *, rank: int = 0) -> None:
        """Multiplies in this format from now on; rank is for low_rank. D itself does not change."""
        check(nn().network_set_compute(self._address, _kinds.value_of("format", format), rank))

    @property
    def hash(self) -> str:
        """16 hexadecimal digits of D and b of all layers."""
        digits = ctypes.create_string_buffer(17)
        check(nn().network_hash(self._address, digits))
        return digits.value.decode()

    # ---- Cheaper forms

    def compress(
        self,
        *,
        rank: int = 0,
        sigma: float = 0.0,
        tolerance: float = 0.0,
        tail: str = "none",
        sample: Dataset | None = None,
        progress: Callable[[int, int], Any] | None = None,
    ) -> list[Considered]:
        """Gives the network cheaper forms, with proofs, for predict and predict_with_guarantee; D stays.

        At most one of: rank of every layer; sigma: singular values above it are kept; tolerance: the least rank whose
        certificate is within it. tail "int8" keeps what ranks leave of D in INT8, alone all of D. With none of them
        `sample`, usually of training images, decides. progress(done, of) is called between layers.
        """
        found: list[Considered] = []
        struct = declarations.structs["idelta_considered"]

        def considered(at: int) -> None:
            seen = struct.from_address(at)
            name, verdict = seen.name.decode(), seen.verdict.decode()
            found.append(Considered(name, seen.multiplications, seen.settled, verdict, seen.time))

        of_form = _nn_abi.Observed("idelta_compress_options.considered", considered)
        of_work = _nn_abi.Observed("idelta_work_seen", progress or (lambda done, of: None))
        options = _nn_abi.initial(
            "compress_options",
            rank=rank,
            sigma=sigma,
            tolerance=tolerance,
            tail=_kinds.value_of("tail", tail),
            sample=None if sample is None else data_at(sample, "sample"),
            seen=of_work.address,
            considered=of_form.address,
        )
        of_work.run(lambda: nn().network_compress(self._address, ctypes.byref(options)))
        return found

    def attach_forms(self, compressed: Network) -> None:
        """Takes the forms of `compressed`, which may have dropped D, if they were made of this very network."""
        check(nn().network_attach_forms(address_of(compressed, Network, "compressed"), self._address))

    def __repr__(self) -> str:
        size = " x ".join(str(extent) for extent in self.shape)
        return f"<idelta.Network {self.layers} layers, {size} inputs, {self.classes} classes, {self.activation}>"


def _network_of(data: bytes, context: Context) -> Network:
    return Network.from_bytes(data, context=context)
