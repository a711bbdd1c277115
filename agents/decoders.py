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

from labelchain.agents.chain_network import State
from labelchain.agents.decoding import (
    ChainPredictor,
    RunningChains,
    StepModel,
    action_at,
    decode_greedily,
    numbers,
)
from labelchain.envs.evaluation import Predictor, SelectedPredictor
from labelchain.envs.metrics import LABEL_SET_METRICS, RANKED, RANKING_METRICS, Predictions

Decoding = Literal["chain", "first-step", "sampled-chains", "beam"]
DECODINGS: tuple[Decoding, ...] = get_args(Decoding)
DECIDES: dict[Decoding, tuple[str, ...]] = {
    "chain": (*RANKING_METRICS, *LABEL_SET_METRICS),
    "first-step": RANKING_METRICS,
    "sampled-chains": RANKING_METRICS,
    "beam": LABEL_SET_METRICS,
}
"""The metrics that each decoding has a say in; for the others it falls back on ``chain``."""
SAMPLED_CHAINS = 16
"""How many chains ``sampled-chains`` averages over."""


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
    model: StepModel, features: Tensor, max_labels: int, num_chains: int = SAMPLED_CHAINS
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


@torch.no_grad()
def inclusion_probabilities(
    model: StepModel, features: Tensor, max_labels: int, num_chains: int = SAMPLED_CHAINS
) -> Tensor:
    """Estimate the probability that a sampled chain holds each label.

    A label is emitted at most once, so that probability is the expected sum of its probabilities over the
    steps of a chain. The mean of that sum over a few chains has less noise than counting, and tells rare
    labels from impossible ones. The chains are drawn by inverting the cumulative distribution at fixed
    numbers, stratified over the chains at each step and the same for every row.

    Args:
        model: Gives the step distributions; put networks in eval mode.
        features: ``(n, num_features)`` float32.
        max_labels: Chain limit.
        num_chains: How many chains are drawn for each row.

    Returns:
        ``(n, num_labels)`` float32; an estimate may lie a little above 1.
    """
    num_labels, length = model.num_labels, min(max_labels, model.num_labels)
    draws = _stratified(num_chains, length).to(features.device)
    scores = torch.zeros(len(features), num_labels, device=features.device)
    start = model.start(features)
    for chain in draws:
        running = RunningChains(model, features, start)
        for step, place in enumerate(chain):
            probabilities = numbers(running.log_probs()).exp()
            scores.index_add_(0, running.rows, probabilities[:, :num_labels].float())
            action = action_at(probabilities, place)
            going = action < num_labels
            running.keep(going)
            if step + 1 == length or len(running.rows) == 0:
                break
            running.emit(action[going])
    return scores / num_chains


def _stratified(num_chains: int, length: int) -> Tensor:
    """Numbers in (0, 1), ``(num_chains, length)``: at each step one from each of ``num_chains`` strata."""
    rng = np.random.default_rng(0)
    strata = rng.permuted(np.tile(np.arange(num_chains), (length, 1)), axis=1).T
    return torch.from_numpy((strata + rng.random((num_chains, length))) / num_chains).float()


def _best_ranks(scores: Tensor) -> Tensor:
    """The best five labels, of equal ones the first: a stable sort, as ``topk`` is not."""
    return scores.argsort(dim=1, descending=True, stable=True)[:, :RANKED]


@dataclass
class _Beams:
    """The best chains so far of the rows that are still searched, ``width`` for each row."""

    rows: Tensor
    """``(n,)`` the numbers of the rows."""
    scores: Tensor
    """``(n, width)`` log-probability of each chain; minus infinity where there is none."""
    chains: Tensor
    """``(n, width, max_labels)`` labels, padded with -1."""
    stopped: Tensor
    """``(n, width)`` whether the chain has its STOP."""
    emitted: Tensor
    """``(n, width, num_labels)``."""


@torch.no_grad()
def search_beam(model: StepModel, features: Tensor, max_labels: int, width: int) -> Tensor:
    """The label set of the most probable chain that a beam search finds.

    Args:
        model: Gives the step distributions.
        features: ``(n, num_features)`` float32.
        max_labels: Chain limit.
        width: How many chains are kept at each step; 1 is greedy.

    Returns:
        ``(n, length)`` int64 labels in the order of the chain, padded with -1.
    """
    num_rows, num_labels = len(features), model.num_labels
    length = min(max_labels, num_labels)
    best = torch.full((num_rows, length), -1, dtype=torch.int64, device=features.device)
    rows = torch.arange(num_rows, device=features.device)
    scores = torch.full((num_rows, width), -torch.inf, device=features.device)
    scores[:, 0] = 0.0  # one empty chain
    beams = _Beams(
        rows,
        scores,
        torch.full((num_rows, width, length), -1, dtype=torch.int64, device=features.device),
        torch.zeros(num_rows, width, dtype=torch.bool, device=features.device),
        torch.zeros(num_rows, width, num_labels, dtype=torch.bool, device=features.device),
    )
    state = tuple(tensor.repeat_interleave(width, dim=0) for tensor in model.start(features))
    for step in range(length):
        parent, action = _grow(model, state, beams, step)
        done = beams.stopped[:, 0]  # scores only fall: nothing can overtake a finished chain in front
        best[beams.rows[done]] = beams.chains[done, 0]
        if done.all() or step + 1 == length:
            break
        going = ~done
        flat = (torch.arange(len(parent), device=parent.device)[:, None] * width + parent)[going].flatten()
        beams = _Beams(*(part[going] for part in vars(beams).values()))
        # A chain that has stopped goes on with any label; what comes of it is not looked at.
        state = model.advance(
            tuple(t[flat] for t in state), action[going].flatten().clamp(max=num_labels - 1)
        )
    best[beams.rows] = beams.chains[:, 0]
    longest = max(1, int((best >= 0).sum(dim=1).max())) if num_rows else 1
    return best[:, :longest]


def _grow(model: StepModel, state: State, beams: _Beams, step: int) -> tuple[Tensor, Tensor]:
    """Put the best continuations in place of the beams; the parent and action of each, ``(n, width)``."""
    num_rows, width, num_labels = beams.emitted.shape
    log_probs = numbers(model.log_probs(state, beams.emitted.flatten(0, 1))).view(
        num_rows, width, num_labels + 1
    )
    at_stop = torch.arange(num_labels + 1, device=log_probs.device) == num_labels
    kept = torch.where(at_stop, 0.0, -torch.inf)  # a chain that has stopped stays as it is
    log_probs = torch.where(beams.stopped[..., None], kept, log_probs)
    candidates = (beams.scores[..., None] + log_probs).flatten(1).float()
    beams.scores, index = candidates.topk(width, dim=1)
    parent, action = index // (num_labels + 1), index % (num_labels + 1)
    is_label = action < num_labels
    beams.stopped = ~is_label
    beams.chains = beams.chains.gather(1, parent[..., None].expand_as(beams.chains))
    beams.chains[:, :, step] = torch.where(is_label, action, -1)
    beams.emitted = beams.emitted.gather(1, parent[..., None].expand_as(beams.emitted))
    taken = action.clamp(max=num_labels - 1)[..., None]
    beams.emitted.scatter_(2, taken, beams.emitted.gather(2, taken) | is_label[..., None])
    return parent, action


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
            return Predictions(
                greedy.ranking, search_beam(model, inputs, limit, self.beam_width).cpu().numpy()
            )
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
