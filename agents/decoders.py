"""Other ways than the greedy chain to read rankings and label sets from step distributions.

Each works with every step model and treats all rows at once. A row's result does not depend on its batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelchain.agents.beam import search_beam
from labelchain.agents.decoding import ChainPredictor, StepModel, decode_greedily, numbers
from labelchain.agents.sampled_chains import (
    FOR_PROBABILITIES,
    inclusion_probabilities,
    sets_of_most_expected_f1,
)
from labelchain.envs.evaluation import Predictor, SelectedPredictor
from labelchain.envs.metrics import LABEL_SET_METRICS, RANKED, RANKING_METRICS, Predictions

Decoding = Literal["chain", "first-step", "sampled-chains", "beam", "expected-f1"]
DECODINGS: tuple[Decoding, ...] = get_args(Decoding)
DECIDES: dict[Decoding, tuple[str, ...]] = {
    "chain": (*RANKING_METRICS, *LABEL_SET_METRICS),
    "first-step": RANKING_METRICS,
    "sampled-chains": RANKING_METRICS,
    "beam": LABEL_SET_METRICS,
    "expected-f1": LABEL_SET_METRICS,
}
"""The metrics that each decoding has a say in; for the others it falls back on ``chain``."""


@torch.no_grad()
def rank_by_first_step(model: StepModel, features: Tensor) -> Tensor:
    """Rank labels by the distribution before any label is out.

    Args:
        model: Gives the step distributions.
        features: ``(n, num_features)`` float32.

    Returns:
        ``(n, min(5, L))`` int64, best first.
    """
    emitted = torch.zeros(len(features), model.num_labels, dtype=torch.bool, device=features.device)
    return _best_ranks(numbers(model.log_probs(model.start(features), emitted))[:, : model.num_labels])


def rank_by_sampled_chains(
    model: StepModel, features: Tensor, max_labels: int, num_chains: int = FOR_PROBABILITIES
) -> Tensor:
    """Rank labels by the probability that a sampled chain has them.

    Args:
        model: Gives the step distributions.
        features: ``(n, num_features)`` float32.
        max_labels: Chain limit.
        num_chains: How many chains are drawn for each row.

    Returns:
        ``(n, min(5, L))`` int64, best first.
    """
    return _best_ranks(inclusion_probabilities(model, features, max_labels, num_chains))


def _best_ranks(scores: Tensor) -> Tensor:
    """The best five labels, of equal ones the first: a stable sort, as ``topk`` is not."""
    return scores.argsort(dim=1, descending=True, stable=True)[:, :RANKED]


@dataclass(frozen=True)
class DecodedModel:
    """A step model as a :class:`labelchain.envs.Predictor` under a decoding of one's choice.

    Attributes:
        predictor: The model, its chain limit and its device.
        decoding: How its step distributions are read.
        beam_width: Width of ``beam``.
    """

    predictor: ChainPredictor
    decoding: Decoding
    beam_width: int

    def predict(self, features: NDArray[np.float32]) -> Predictions:
        """Predict for ``(n, num_features)``; what the decoding has no say in comes from the greedy chain."""
        model, limit = self.predictor.model, self.predictor.max_labels
        inputs = torch.from_numpy(features).to(self.predictor.device)
        greedy = decode_greedily(model, inputs, limit)
        if self.decoding == "first-step":
            return Predictions(rank_by_first_step(model, inputs).cpu().numpy(), greedy.chains)
        if self.decoding == "sampled-chains":
            ranking = rank_by_sampled_chains(self.predictor.learned, inputs, limit)
            return Predictions(ranking.cpu().numpy(), greedy.chains)
        if self.decoding == "beam":
            found = search_beam(model, inputs, limit, self.beam_width)
            return Predictions(greedy.ranking, found.cpu().numpy())
        if self.decoding == "expected-f1":
            found = sets_of_most_expected_f1(self.predictor.learned, inputs, limit)
            return Predictions(greedy.ranking, found.cpu().numpy())
        return greedy


class UnknownDecodingError(ValueError):
    """There is no decoding of that name."""


def decoding_named(name: str) -> Decoding:
    """The decoding of that name.

    Raises:
        UnknownDecodingError: If there is none.
    """
    for decoding in DECODINGS:
        if decoding == name:
            return decoding
    raise UnknownDecodingError(f"unknown decoding {name!r}: expected one of {', '.join(DECODINGS)}")


def under_decoding(predictor: Predictor, decoding: Decoding, beam_width: int) -> Predictor | None:
    """A predictor of chains under another decoding, or ``None`` if it does not predict by chains."""
    if isinstance(predictor, ChainPredictor):
        return DecodedModel(predictor, decoding, beam_width)
    if not isinstance(predictor, SelectedPredictor):
        return None
    ranking, label_set = (
        each
        if decoding == "chain" or metrics[0] not in DECIDES[decoding]
        else under_decoding(each, decoding, beam_width)
        for each, metrics in ((predictor.ranking, RANKING_METRICS), (predictor.label_set, LABEL_SET_METRICS))
    )
    return SelectedPredictor(ranking, label_set) if ranking and label_set else None
