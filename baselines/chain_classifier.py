"""Every learner that is a network or a classical model, as a scikit-learn classifier."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from labelchain.agents.decoders import DECIDES, Decoding, under_decoding
from labelchain.agents.label_scores import label_scores
from labelchain.agents.plain_values import LARGEST_SEED
from labelchain.agents.rollouts import ranking_part
from labelchain.agents.runs import Progress, Run
from labelchain.agents.sb3 import ALGORITHMS
from labelchain.agents.settings import settings_for
from labelchain.baselines.in_memory import in_memory
from labelchain.baselines.label_encoding import LabelEncoding
from labelchain.baselines.learners import LEARNERS, fit, learner_named
from labelchain.baselines.prediction import decided, dense_batches
from labelchain.envs.metrics import LABEL_SET_METRICS, stacked

DECODINGS = tuple(decoding for decoding, metrics in DECIDES.items() if metrics[-1] in LABEL_SET_METRICS)
"""What ``decoding`` may be: how to read label sets."""


class ChainClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A multi-label classifier that decides the labels of an input one by one.

    Training is that of ``labelchain train``: the same learners, the same settings (but for smaller batches of
    few rows, see :func:`labelchain.agents.settings.settings_for`), a tenth of the rows held out to choose the
    model. It leaves the global random state alone, unless ``random_state`` is ``None``.

    >>> from labelchain.baselines import ChainClassifier
    >>> X = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]] * 25
    >>> Y = [["sky"], ["sea"], ["sea", "sky"], []] * 25
    >>> classifier = ChainClassifier("always-random", random_state=0).fit(X, Y)
    >>> classifier.classes_.tolist(), classifier.predict([[1.0, 0.0]]).tolist()
    (['sea', 'sky'], [[1, 0]])

    Args:
        learner: A learner by name, see the table in the README; not one of Stable-Baselines3.
        settings: What to change in the settings, by name (``{"epochs": 20, "width": 512}``); the others are
            those that suit the data, see :class:`labelchain.agents.settings.Settings`.
        random_state: Seeds everything random. A number, from 0 to 2**32 - 1, gives the same model again;
            ``None`` draws one from NumPy's global random state, so that each time it is another model.
        image_shape: ``(height, width)`` if each row of ``X`` is a picture: its pixels stay as they are, where
            other dense columns are standardised.
        run_dir: A folder that keeps the run: its model, for ``labelchain predict`` and ``explain``, and its
            curves, for ``labelchain board``. A run that was stopped goes on from there, and a finished one is
            not trained again, so it needs a number as ``random_state``, and a folder of its own. There are no
            test rows here: what its result calls ``test`` is of the rows held out.
        decoding: How ``predict`` reads label sets from a network: ``chain``, the greedy chain; ``beam``, the
            most probable set that a beam search finds; ``expected-f1``, that of the greatest expected F1. It
            has no part in training, and may be set later.
        progress: Called now and then with the share of the work done, in [0, 1], and a few words: ``print``
            will do.

    Attributes:
        classes_: ``(L,)`` the label of each column of what ``predict`` gives: the labels in the lists,
            sorted; the columns of a data frame, as they are; or the numbers of the columns.
        n_features_in_: Columns of ``X``.
        settings_: All settings of the training.
        predictor_: What it learned, a :class:`labelchain.envs.Predictor`.
        validation_metrics_: Metrics of the rows held out, in per cent. They chose the model, so they are a
            little too good.
    """

    def __init__(
        self,
        learner: str = "composite",
        *,
        settings: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        image_shape: tuple[int, int] | None = None,
        run_dir: str | Path | None = None,
        decoding: str = "chain",
        progress: Progress | None = None,
    ) -> None:
        self.learner = learner
        self.settings = settings
        self.random_state = random_state
        self.image_shape = image_shape
        self.run_dir = run_dir
        self.decoding = decoding
        self.progress = progress

    def fit(self, X: Any, y: Any) -> Self:
        """Train.

        Args:
            X: ``(n, num_features)`` numbers: an array, a sparse array or a data frame.
            y: The labels: ``(n, L)`` of 0 and 1, an array, a sparse array or a data frame; or one list of
                labels a row, of any kind that can be hashed and sorted.

        Raises:
            ValueError: If the data, the learner or a setting are not what they should be.
            RunError: If ``run_dir`` holds another run.
        """
        if self.learner in ALGORITHMS:
            usable = ", ".join(name for name in LEARNERS if name not in ALGORITHMS)
            raise ValueError(
                f"{self.learner!r} learns in an environment: train it by 'labelchain train'. Here: {usable}"
            )
        learner = learner_named(self.learner)
        self._decoding()
        if not isinstance(self.settings, Mapping | None):
            raise ValueError(f"settings must be a mapping of names to values, got {self.settings!r}")
        state = self.random_state
        seed = _given_seed(state)
        if self.run_dir is not None and seed is None:
            raise ValueError(f"run_dir needs a number as random_state, to find its run again; got {state!r}")
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float32)
        self._encoding, labels = LabelEncoding.fit(y)
        self.classes_ = self._encoding.classes
        dataset = in_memory(X, labels, [str(label) for label in self.classes_], self.image_shape)
        self.settings_ = settings_for(dataset, small_batches=True).with_changes(dict(self.settings or {}))
        if seed is None:
            seed = int(check_random_state(state).randint(2**31))
        with tempfile.TemporaryDirectory() as temporary, torch.random.fork_rng(devices=[]):
            folder = Path(temporary if self.run_dir is None else self.run_dir)
            run = Run(folder, self.learner, dataset.name, seed, self.settings_)
            self.validation_metrics_ = fit(run, dataset, self.progress or _silent)
            self.predictor_ = learner.load(run, dataset)
        return self

    def predict(self, X: Any) -> NDArray[Any] | sparse.csr_array:
        """The label sets, ``(n, L)`` of 0 and 1, columns as in ``classes_``; sparse if ``y`` was sparse."""
        batches = dense_batches(self._features(X))
        reader = under_decoding(self.predictor_, self._decoding(), self.settings_.beam_width)
        if reader is None:  # it has no chains, and one way to be read
            reader = self.predictor_
        return self._encoding.indicators(stacked([reader.predict(batch).chains for batch in batches]))

    def predict_chain(self, X: Any) -> list[list[tuple[Any, float]]]:
        """The greedy chains: for each row, pairs of a label and its probability, in the order decided.

        The probability is that of the step, given the input and the labels before it; of a learner without
        chains it is its score of the label. ``decoding`` has no part in it.
        """
        num_labels = len(self.classes_)
        found = []
        for batch in dense_batches(self._features(X)):
            for chain, shares in zip(*decided(self.predictor_, batch, num_labels), strict=True):
                chosen = chain >= 0
                labels = self.classes_[chain[chosen]].tolist()
                found.append(list(zip(labels, shares[chosen].tolist(), strict=True)))
        return found

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """How sure it is of each label, ``(n, L)`` in [0, 1].

        Of a chain it is an estimate, from sampled chains, of the probability that a chain holds the label; of
        ``binary-relevance`` the probability of the label. ``predict`` reads label sets as ``decoding`` says:
        they need not be just the labels above 1/2.
        """
        return self._scores(X, self._fitted())

    def rank(self, X: Any, k: int = 5) -> NDArray[Any]:
        """The ``k`` best labels of each row, best first, ``(n, k)`` of ``classes_``.

        They are ranked as ``predict_proba`` scores them, by the model that is chosen for rankings (the
        decoding ``sampled-chains``).
        """
        predictor = ranking_part(self._fitted())
        if not isinstance(k, int | np.integer) or not 1 <= k <= len(self.classes_):
            most = f"{len(self.classes_)}, the number of labels"
            raise ValueError(f"k must be a whole number from 1 to {most}, got {k!r}")
        order = np.argsort(-self._scores(X, predictor), axis=1, kind="stable")
        best: NDArray[Any] = self.classes_[order[:, :k]]
        return best

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Subset accuracy, in [0, 1]: the share of rows whose label set is right as a whole.

        As scikit-learn's classifiers score. A label in lists that training did not have is never right; a
        data frame must have the columns of that in ``fit``, in any order. Other metrics: ``sklearn.metrics``,
        or ``scoring=`` in a search.
        """
        self._fitted()
        truth = self._encoding.encode(y)
        predicted = sparse.csr_array(self.predict(X))
        if truth.shape[0] != predicted.shape[0]:
            raise ValueError(f"X has {predicted.shape[0]} rows, but y has {truth.shape[0]}")
        check_consistent_length(truth, sample_weight)
        predicted.resize(truth.shape)
        wrong = (truth != predicted).sum(axis=1) > 0
        return float(np.average(~wrong, weights=sample_weight))

    def _decoding(self) -> Decoding:
        for decoding in DECODINGS:
            if decoding == self.decoding:
                return decoding
        raise ValueError(f"decoding must be one of {', '.join(DECODINGS)}, got {self.decoding!r}")

    def _fitted(self) -> Any:
        check_is_fitted(self)
        return self.predictor_

    def _features(self, X: Any) -> Any:
        check_is_fitted(self)
        return validate_data(self, X, accept_sparse="csr", dtype=np.float32, reset=False)

    def _scores(self, X: Any, predictor: Any) -> NDArray[np.float32]:
        num_labels = len(self.classes_)
        parts = [label_scores(predictor, batch, num_labels) for batch in dense_batches(self._features(X))]
        return np.concatenate(parts).astype(np.float32)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        tags.classifier_tags.multi_label = True
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True
        return tags


def _given_seed(random_state: Any) -> int | None:
    """The number that seeds everything; ``None`` if it is to be drawn.

    Raises:
        ValueError: If it is out of range.
    """
    if not isinstance(random_state, int | np.integer):
        return None
    if not 0 <= random_state <= LARGEST_SEED:
        raise ValueError(
            "random_state must be a whole number from 0 to 2**32 - 1, a RandomState or None, "
            f"got {random_state}"
        )
    return int(random_state)


def _silent(_share: float, _note: str) -> None:
    """Progress that nobody wants to see."""
