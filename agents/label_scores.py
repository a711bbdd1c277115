"""One score in [0, 1] per input and label, as precision-recall curves need it, for chains too."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelchain.agents.decoding import ChainPredictor, StepModel, draw
from labelchain.agents.rollouts import label_set_part
from labelchain.envs.evaluation import Predictor

SAMPLED_CHAINS = 8


@runtime_checkable
class ScoresLabels(Protocol):
    """A predictor that has scores of its own."""

    def label_scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores in [0, 1], ``(n, num_labels)``, of ``(n, num_features)``; above 1/2 a label is predicted."""


def label_scores(
    predictor: Predictor, features: NDArray[np.float32], num_labels: int, seed: int = 0
) -> NDArray[np.float32]:
    """How sure a predictor is that each label belongs to each input.

    Independent classifiers have scores of their own. A chain's is the probability that its label set holds
    the label, see :func:`inclusion_probabilities`. Of anything else it is 1 for the labels it predicts.

    Args:
        predictor: What is asked.
        features: ``(n, num_features)``.
        num_labels: L.
        seed: Seeds the sampling of chains.

    Returns:
        ``(n, num_labels)`` float32 in [0, 1]: ask for few rows at a time.
    """
    chooser = label_set_part(predictor)
    if isinstance(chooser, ScoresLabels):
        return chooser.label_scores(features)
    if isinstance(chooser, ChainPredictor):
        generator = torch.Generator(chooser.device).manual_seed(seed)
        inputs = torch.from_numpy(features).to(chooser.device)
        included = inclusion_probabilities(chooser.model, inputs, chooser.max_labels, generator)
        scores: NDArray[np.float32] = included.clamp(max=1.0).cpu().numpy()
        return scores
    chains = chooser.predict(features).chains
    held = np.zeros((len(features), num_labels + 1), dtype=np.float32)
    held[np.arange(len(features))[:, None], chains] = 1.0  # -1, the padding, falls on the last column
    return held[:, :num_labels]


@torch.no_grad()
def inclusion_probabilities(
    model: StepModel,
    features: Tensor,
    max_labels: int,
    generator: torch.Generator,
    num_chains: int = SAMPLED_CHAINS,
) -> Tensor:
    """Estimate the probability that a sampled chain holds each label.

    A label is emitted at most once, so that probability is the expected sum, over the steps of a chain, of
    the label's probability at each step. The mean of that sum over a few sampled chains estimates it without
    bias, and unlike a count of the labels in those chains it tells rare labels from impossible ones.

    Args:
        model: Gives the step distributions; put networks in eval mode.
        features: ``(n, num_features)`` float32.
        max_labels: Chain limit.
        generator: On the features' device.
        num_chains: Chains sampled per input.

    Returns:
        ``(n, num_labels)`` float32; an estimate may lie a little above 1.
    """
    num_rows, num_labels = len(features), model.num_labels
    total = torch.zeros(num_rows, num_labels, device=features.device)
    for _ in range(num_chains):
        rows = torch.arange(num_rows, device=features.device)
        emitted = torch.zeros(num_rows, num_labels, dtype=torch.bool, device=features.device)
        state = model.start(features)
        for _ in range(min(max_labels, num_labels)):
            log_probs = model.log_probs(state, emitted)
            total.index_add_(0, rows, log_probs[:, :num_labels].exp())
            action = draw(log_probs, generator)
            going = action < num_labels
            rows, action, emitted = rows[going], action[going], emitted[going]
            if len(rows) == 0:
                break
            emitted = emitted.scatter(1, action[:, None], True)
            state = model.advance(tuple(tensor[going] for tensor in state), action)
    return total / num_chains
