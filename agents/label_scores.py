"""One score in [0, 1] per input and label, as precision-recall curves need it, for chains too."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from labelchain.agents.decoding import ChainPredictor
from labelchain.agents.rollouts import label_set_part
from labelchain.agents.sampled_chains import inclusion_probabilities
from labelchain.envs.evaluation import Predictor


@runtime_checkable
class ScoresLabels(Protocol):
    """A predictor that has scores of its own."""

    def label_scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores in [0, 1], ``(n, num_labels)``, of ``(n, num_features)``; above 1/2 a label is predicted."""


def label_scores(predictor: Predictor, features: NDArray[np.float32], num_labels: int) -> NDArray[np.float32]:
    """How sure a predictor is that each label belongs to each input.

    Independent classifiers have scores of their own. A chain's is the probability that its label set holds
    the label, see :func:`labelchain.agents.sampled_chains.inclusion_probabilities`, by the model as it was
    learned: what is added to the logit of STOP is for decisions, as a threshold is. Of anything else it is 1
    for the labels it predicts. But for rounding, a row's scores do not depend on the rows beside it.

    Args:
        predictor: What is asked.
        features: ``(n, num_features)``.
        num_labels: L.

    Returns:
        ``(n, num_labels)`` float32 in [0, 1]: ask for few rows at a time.
    """
    chooser = label_set_part(predictor)
    if isinstance(chooser, ScoresLabels):
        return chooser.label_scores(features)
    if isinstance(chooser, ChainPredictor):
        inputs = torch.from_numpy(features).to(chooser.device)
        included = inclusion_probabilities(chooser.learned, inputs, chooser.max_labels)
        scores: NDArray[np.float32] = included.clamp(max=1.0).cpu().numpy()
        return scores
    chains = chooser.predict(features).chains
    held = np.zeros((len(features), num_labels + 1), dtype=np.float32)
    held[np.arange(len(features))[:, None], chains] = 1.0  # -1, the padding, falls on the last column
    return held[:, :num_labels]
