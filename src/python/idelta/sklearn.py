"""IdentityClassifier: identity-initialised networks as an estimator of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .dataset import Dataset
from .errors import LibraryNotFound
from .explanation import LayerExplanation
from .network import Network

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise LibraryNotFound(
        "idelta.IdentityClassifier needs scikit-learn, which is not installed (Debian: python3-sklearn)"
    ) from error

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # before scikit-learn 1.6

    def validate_data(estimator: Any, *arrays: Any, **options: Any) -> Any:
        return estimator._validate_data(*arrays, **options)


_CHECKED: dict[str, Any] = {"dtype": np.float32, "order": "C"}  # how scikit-learn hands over X


class IdentityClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of identity layers, which says what each layer adds to each class.

    X: (rows, features), any numbers; they are brought to float32, and each feature to the range `scale` of the rows
    that fit sees: "zero_to_one", "minus_one_to_one" or "none". y: 2 to 256 classes of any type.

    layers, activation ("relu", or "leaky_relu" with `slope`), identity_scale, class_padding: of the network. epochs,
    batch, learning_rate (0: 0.03 / layers), decay_epochs, optimizer, momentum, weight_decay, compute, layer_loss: of
    the training. random_state: an int is the seed of the shuffling; the same seed gives the same bits.

    After fit: classes_, n_features_in_, feature_names_in_ (where X has names of columns), network_ (an idelta.Network),
    n_iter_ (epochs).
    """

    def __init__(
        self,
        *,
        layers: int = 10,
        activation: str = "leaky_relu",
        slope: float = 0.1,
        identity_scale: float = 1.0,
        class_padding: float = 0.0,
        scale: str = "zero_to_one",
        epochs: int = 30,
        batch: int = 32,
        learning_rate: float = 0.0,
        decay_epochs: int = 0,
        optimizer: str = "momentum",
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        compute: str = "f32",
        layer_loss: float = 0.0,
        random_state: Any = None,
    ) -> None:
        self.layers = layers
        self.activation = activation
        self.slope = slope
        self.identity_scale = identity_scale
        self.class_padding = class_padding
        self.scale = scale
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.decay_epochs = decay_epochs
        self.optimizer = optimizer
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.compute = compute
        self.layer_loss = layer_loss
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> IdentityClassifier:
        """Trains a network on X (rows, features) and y (rows,)."""
        checked, y = validate_data(self, X, y, **_CHECKED)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has 1 class, {self.classes_[0]!r}; a classifier needs samples of two classes or more")
        data = Dataset(
            checked,
            labels,
            classes=len(self.classes_),
            feature_names=getattr(self, "feature_names_in_", None),
            class_names=[str(name) for name in self.classes_],
            scale=self.scale,
        )
        self.network_ = Network.for_data(
            data,
            layers=self.layers,
            activation=(self.activation, self.slope if self.activation == "leaky_relu" else 0.0),
            identity_scale=self.identity_scale,
            class_padding=self.class_padding,
        )
        self.network_.fit(
            data,
            epochs=self.epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            decay_epochs=self.decay_epochs,
            optimizer=self.optimizer,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            compute=self.compute,
            layer_loss=self.layer_loss,
            seed=self._seed(),
        )
        self.n_iter_ = self.epochs
        return self

    def _seed(self) -> int:
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(1, 2**31))

    def _scaled(self, X: ArrayLike) -> Any:
        """X as fit saw its rows: checked, and brought to the same range."""
        check_is_fitted(self)
        checked = validate_data(self, X, **_CHECKED, reset=False)
        return self.network_.scale(checked)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The class of each row of X."""
        scaled = self._scaled(X)
        labels: NDArray[Any] = self.classes_[self.network_.predict(scaled)]
        return labels

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Class likelihoods (rows, classes): softmax of the logits, whose rows sum to 1. Scores, not calibrated."""
        scaled = self._scaled(X)
        likelihoods = self.network_.predict_proba(scaled).astype(np.float64)
        return likelihoods / likelihoods.sum(axis=1, keepdims=True)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float32]:
        """Logits (rows, classes); of two classes (rows,), positive for the second."""
        scaled = self._scaled(X)
        logits = self.network_.logits(scaled)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def explain(self, X: ArrayLike) -> LayerExplanation:
        """What each layer adds to each class's logit, in the shape that SHAP's plots take."""
        scaled = self._scaled(X)
        return self.network_.explain(scaled)
