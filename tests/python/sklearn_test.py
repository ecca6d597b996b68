"""IdentityClassifier keeps the promises of scikit-learn's estimators."""

import pickle
import sys
import unittest
import warnings

import numpy as np
from support import main, python

try:
    import sklearn
except ImportError:
    sys.exit(77)  # skipped: it is optional
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from idelta import IdentityClassifier, _kinds, _nn_abi


def classifier(**options):
    return IdentityClassifier(**{"layers": 3, "epochs": 20, "random_state": 1, **options})


class EstimatorTest(unittest.TestCase):
    def test_check_estimator(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for estimator, check in check_estimator(classifier(), generate_only=True):
                with self.subTest(check.func.__name__ if hasattr(check, "func") else str(check)):
                    try:
                        check(estimator)
                    except unittest.SkipTest:
                        pass

    def test_classes_may_be_of_any_type_and_are_given_back(self):
        X, y = load_iris(return_X_y=True)
        for names in (np.array(["setosa", "versicolor", "virginica"]), np.array([10.0, -1, 3]), np.array([2, 0, 9])):
            fitted = classifier().fit(X, names[y])
            np.testing.assert_array_equal(fitted.classes_, np.unique(names))
            self.assertEqual(fitted.predict(X).dtype, names.dtype)
            self.assertGreater(fitted.score(X, names[y]), 0.8)

    def test_likelihoods_belong_to_the_predictions(self):
        X, y = load_iris(return_X_y=True)
        fitted = classifier().fit(X, y)
        likelihoods = fitted.predict_proba(X)
        np.testing.assert_allclose(likelihoods.sum(axis=1), 1, atol=1e-12)
        np.testing.assert_array_equal(fitted.classes_[likelihoods.argmax(axis=1)], fitted.predict(X))
        np.testing.assert_array_equal(fitted.decision_function(X).argmax(axis=1), likelihoods.argmax(axis=1))

    def test_a_seed_gives_the_same_bits_and_none_another_run(self):
        X, y = load_iris(return_X_y=True)
        a, b = (classifier().fit(X, y).network_.to_bytes() for _ in range(2))
        self.assertEqual(a, b)
        state = np.random.RandomState(0)
        hashes = {classifier(random_state=state).fit(X, y).network_.hash for _ in range(2)}
        self.assertEqual(len(hashes), 2)

    def test_every_parameter_reaches_the_network_or_its_training(self):
        X, y = load_iris(return_X_y=True)
        parameters = {"layers": 2, "activation": "relu", "slope": 0.2, "identity_scale": 0.5, "class_padding": 0.5,
                      "epochs": 3, "batch": 16, "learning_rate": 0.02, "decay_epochs": 2, "optimizer": "nesterov",
                      "momentum": 0.5, "weight_decay": 0.1, "compute": "bf16", "layer_loss": 0.5, "random_state": 2,
                      "scale": "minus_one_to_one"}  # fmt: skip
        self.assertEqual(set(parameters), set(IdentityClassifier().get_params()))
        usual = classifier(epochs=4).fit(X, y).network_.hash
        hashes = {
            name: classifier(**{"epochs": 4, name: value}).fit(X, y).network_.hash for name, value in parameters.items()
        }
        self.assertEqual(len({usual, *hashes.values()}), 1 + len(parameters), hashes)

    def test_clone_and_pickle_keep_everything(self):
        X, y = load_digits(return_X_y=True)
        fitted = classifier(epochs=2, activation="hard_tanh").fit(X, y)
        again = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
        self.assertEqual(again.get_params(), fitted.get_params())
        cloned = clone(fitted)
        self.assertEqual(cloned.get_params(), fitted.get_params())
        self.assertFalse(hasattr(cloned, "network_"))
        self.assertEqual(cloned.set_params(layers=2).layers, 2)

    def test_it_works_in_pipelines_and_searches(self):
        X, y = load_iris(return_X_y=True)
        search = GridSearchCV(make_pipeline(StandardScaler(), classifier(epochs=5)), {"identityclassifier__layers": [1, 2]},
                              cv=2)  # fmt: skip
        self.assertGreater(search.fit(X, y).best_score_, 0.5)

    def test_explain_adds_up_to_the_decision_function(self):
        X, y = load_iris(return_X_y=True)
        fitted = classifier().fit(X, y)
        found = fitted.explain(X)
        np.testing.assert_allclose(found.base_values + found.values.sum(axis=1), fitted.decision_function(X), atol=1e-4)
        self.assertEqual(found.output_names, ["0", "1", "2"])

    def test_names_of_columns_are_kept_where_pandas_gives_them(self):
        class Frame:  # what scikit-learn asks a frame for, without pandas
            def __init__(self, values, columns):
                self.values, self.columns, self.shape = values, columns, values.shape

            def __array__(self, dtype=None):
                return np.asarray(self.values, dtype)

        X, y = load_iris(return_X_y=True)
        columns = np.array(["a", "b", "c", "d"], dtype=object)
        fitted = classifier().fit(Frame(X, columns), y)
        self.assertEqual(fitted.feature_names_in_.tolist(), columns.tolist())
        self.assertEqual(fitted.network_.feature_names, columns.tolist())

    def test_scikit_learn_from_1_7_on_has_a_function_in_place_of_the_method(self):
        ran = python("-c", "import sklearn.utils.validation as validation; from sklearn.base import BaseEstimator\n"
                     "if hasattr(BaseEstimator, '_validate_data'):\n"
                     "    validation.validate_data = BaseEstimator._validate_data\n"
                     "    del BaseEstimator._validate_data\n"
                     "import idelta; from sklearn.datasets import load_iris\n"
                     "print(idelta.IdentityClassifier(epochs=1).fit(*load_iris(return_X_y=True)).n_features_in_)")  # fmt: skip
        self.assertEqual(ran.stdout, "4\n", ran.stderr)

    def test_the_defaults_are_the_programs_but_for_the_length_of_training(self):
        own = IdentityClassifier().get_params()
        training, network = _nn_abi.initial("train_options"), _nn_abi.initial("network_options")
        for name in ("learning_rate", "decay_epochs", "weight_decay", "layer_loss"):
            self.assertEqual(own[name], getattr(training, name), name)
        for name in ("layers", "identity_scale", "class_padding"):
            self.assertEqual(own[name], getattr(network, name), name)
        self.assertAlmostEqual(own["momentum"], training.momentum, places=6)
        self.assertAlmostEqual(own["slope"], network.activation.slope, places=6)
        self.assertEqual(own["optimizer"], _kinds.name_of("optimizer", training.optimizer))
        self.assertEqual(own["compute"], _kinds.name_of("format", training.compute))
        self.assertEqual(own["activation"], _kinds.name_of("activation", network.activation.kind))

    def test_what_it_cannot_learn_is_refused(self):
        X, y = load_iris(return_X_y=True)
        with self.assertRaisesRegex(ValueError, "1 class"):
            classifier().fit(X[:50], y[:50])
        with self.assertRaisesRegex(ValueError, "adamw"):
            classifier(optimizer="lion").fit(X, y)
        with self.assertRaisesRegex(ValueError, "256"):
            classifier().fit(np.arange(600.0).reshape(300, 2), np.arange(300))


if __name__ == "__main__":
    print("scikit-learn", sklearn.__version__)
    main()
