"""Labelled images, or rows of named features: from arrays, or from files as the program reads them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import _nn_abi
from ._arrays import FLOAT32, Floats, check_floats, matrix
from ._core_abi import check
from ._handles import Handle, address_of
from ._nn_abi import address, nn
from .errors import InvalidArgument, WrongType

if TYPE_CHECKING:
    from .network import Network

Labels = NDArray[np.int32]


def flat_images(images: Any, name: str, height: int | None = None, width: int | None = None) -> Floats:
    """(rows, P) of images that are (rows, P) or (rows, height, width): a view, or an error that says how to convert."""
    if isinstance(images, np.ndarray) and images.dtype == np.uint8:
        raise WrongType(f"{name} is of uint8; give {name}.astype(numpy.float32) / 255 for pixels from 0 to 1")
    check_floats(images, name)
    if images.ndim == 3:
        rows, h, w = images.shape
        if height is not None and (h, w) != (height, width):
            raise InvalidArgument(f"{name} has the shape {images.shape}; give (rows, {height}, {width})")
        if images.size and (images.strides[2], images.strides[1]) != (4, 4 * w):
            raise InvalidArgument(f"the pixels of {name} are not contiguous; give numpy.ascontiguousarray({name})")
        return images.reshape(rows, h * w)
    if images.ndim != 2:
        raise InvalidArgument(f"{name} has the shape {images.shape}; give (rows, features) or (rows, height, width)")
    return images


def int_labels(labels: Any, rows: int, name: str = "labels") -> Labels:
    """Labels as the library takes them; other integers are converted."""
    found = np.asarray(labels)
    if found.dtype.kind not in "iu":
        raise WrongType(f"{name} are of {found.dtype}; give integers from 0 to the number of classes less 1")
    if found.shape != (rows,):
        raise InvalidArgument(f"{name} have the shape {found.shape}, but there are {rows} images; give ({rows},)")
    if found.size and not (np.iinfo(np.int32).min <= found.min() and found.max() <= np.iinfo(np.int32).max):
        raise InvalidArgument(f"{name} reach from {found.min()} to {found.max()}, which are no classes")
    return np.ascontiguousarray(found, np.int32)


def data_at(given: Any, name: str = "data") -> int:
    """The address of a Dataset, or an error that asks for one."""
    return address_of(given, Dataset, name)


def _network_at(network: Network | None) -> int | None:
    from .network import Network

    return None if network is None else address_of(network, Network, "network")


class _Lent:
    """Floats of the library as numpy takes them, read-only, with what keeps them."""

    def __init__(self, address: int, shape: tuple[int, ...], owner: Handle) -> None:
        self.owner = owner
        self.__array_interface__ = {"version": 3, "typestr": FLOAT32.str, "shape": shape, "data": (address, True)}


class Dataset:
    """Images (rows, height, width), or features (rows, P), and a label each; it never changes.

    images: float32, finite, copied. labels: (rows,) integers in [0, classes), or None for calls that read none.
    classes: 2 to 256; 0 for the largest label + 1. scale: what is to be done to each feature, by the range of these
    rows: "usual" or "none", "zero_to_one", "minus_one_to_one". network: or apply the scaling of the network that is to
    see the set.
    """

    def __init__(
        self,
        images: Floats,
        labels: Any = None,
        *,
        classes: int = 0,
        feature_names: Sequence[str] | None = None,
        class_names: Sequence[str] | None = None,
        label_name: str | None = None,
        scale: str = "usual",
        network: Network | None = None,
        name: str | None = None,
    ) -> None:
        flat = flat_images(images, "images")
        at, rows, ld = matrix(flat, "images", flat.shape[1])
        height, width = images.shape[1:] if images.ndim == 3 else (1, images.shape[1])
        wanted = None if labels is None else int_labels(labels, rows)
        features = _nn_abi.texts(feature_names, "feature_names", height * width)
        classes = classes or (0 if class_names is None else len(class_names))
        names = _nn_abi.texts(class_names, "class_names", classes)
        args = _nn_abi.initial(
            "dataset_args",
            name=_nn_abi.text(name, "name"),
            count=rows,
            height=height,
            width=width,
            classes=classes,
            images=at,
            ld=ld,
            labels=None if wanted is None else wanted.ctypes.data,
            feature_names=address(features),
            class_names=address(names),
            label_name=_nn_abi.text(label_name, "label_name"),
            scale=_nn_abi.value_of("scale", scale),
            network=_network_at(network),
        )
        made = ctypes.c_void_p()
        check(nn().dataset_create(ctypes.byref(args), ctypes.byref(made)))
        self._hold(made)

    @classmethod
    def load(
        cls,
        place: str | PathLike[str],
        split: str = "train",
        *,
        most: int = 0,
        scale: str = "usual",
        label: str | None = None,
        classes_path: str | PathLike[str] | None = None,
        network: Network | None = None,
    ) -> Dataset:
        """A split, "train" or "test", of what `idelta train --data` takes.

        place: "fashion-mnist", a folder of IDX, .npy or CSV files, FOLDER/PREFIX, FILE.npz or FILE.csv. most: images
        from the first on; 0 for all. label: the column of a CSV file with the labels. classes_path: a file of class
        names, one a line. network: the one that is to see the set, whose scaling, label column and classes then hold.
        """
        options = _nn_abi.initial(
            "load_options",
            most=most,
            scale=_nn_abi.value_of("scale", scale),
            label=_nn_abi.text(label, "label"),
            classes_path=None if classes_path is None else _nn_abi.path_bytes(classes_path),
            network=_network_at(network),
        )
        made = ctypes.c_void_p()
        wanted = _nn_abi.value_of("split", split)
        check(nn().dataset_load(_nn_abi.path_bytes(place), wanted, ctypes.byref(options), ctypes.byref(made)))
        return cls._of(made)

    def head(self, count: int) -> Dataset:
        """The first `count` images, or all if there are fewer."""
        made = ctypes.c_void_p()
        check(nn().dataset_head(self._address, count, ctypes.byref(made)))
        return self._of(made)

    @classmethod
    def _of(cls, made: ctypes.c_void_p) -> Dataset:
        dataset = cls.__new__(cls)
        dataset._hold(made)
        return dataset

    def _hold(self, made: ctypes.c_void_p) -> None:
        assert made.value
        self._address = made.value
        self._handle = Handle(made.value, nn().dataset_destroy)
        info = _nn_abi.initial("dataset_info_t")
        check(nn().dataset_info(self._address, ctypes.byref(info)))
        self.classes: int = info.classes
        self.height: int = info.height
        self.width: int = info.width
        self.name: str = (info.name or b"").decode()
        self.label_name: str = (info.label_name or b"").decode()
        self.feature_names = _nn_abi.texts_at(info.feature_names, info.height * info.width)
        self.class_names = _nn_abi.texts_at(info.class_names, info.classes)
        self._count: int = info.count
        self._images_at: int = info.images

    def __len__(self) -> int:
        return self._count

    @property
    def images(self) -> Floats:
        """(rows, height, width), or (rows, P) of features: scaled, read-only, where the library holds them."""
        shape = (self._count, self.width) if self.height == 1 else (self._count, self.height, self.width)
        return np.asarray(_Lent(self._images_at, shape, self._handle))

    @property
    def labels(self) -> Labels:
        """(rows,)."""
        found = np.empty(self._count, np.int32)
        check(nn().dataset_labels(self._address, found.ctypes.data))
        return found

    def warnings(self, classes: int | None = None) -> list[str]:
        """What was done to the set beyond reading it, and which of so many classes it has no image of."""
        wanted = self.classes if classes is None else classes
        return _nn_abi.seen_texts(lambda seen: nn().dataset_warnings(self._address, wanted, seen, None))

    def __repr__(self) -> str:
        size = f"{self.width} features" if self.height == 1 else f"{self.height} x {self.width}"
        return f"<idelta.Dataset {self.name}: {self._count} of {size}, {self.classes} classes>"
