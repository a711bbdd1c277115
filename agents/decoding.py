"""Greedy decoding and sampling of chains, for anything that gives step distributions."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelchain.agents.chain_network import State
from labelchain.agents.runs import RunError
from labelchain.agents.whole_batch import counts, uniform_for_some
from labelchain.envs.metrics import RANKED, Predictions


class StepModel(Protocol):
    """A distribution over the next label given the input and the labels so far."""

    @property
    def num_labels(self) -> int:
        """L."""

    @property
    def state_parts(self) -> int:
        """How many tensors a state has."""

    def start(self, features: Tensor) -> State:
        """The state before the first label, from ``(n, num_features)``."""

    def advance(self, state: State, labels: Tensor) -> State:
        """The state after one more label ``(n,)``."""

    def log_probs(self, state: State, emitted: Tensor) -> Tensor:
        """``(n, num_labels + 1)``; minus infinity where ``emitted`` ``(n, num_labels)`` is true."""


def numbers(log_probs: Tensor) -> Tensor:
    """The log-probabilities that they are, ``(n, num_labels + 1)``, to predict by.

    Raises:
        RunError: If some are NaN: every comparison would be false, and label 0 ranked five times.
    """
    lost = log_probs[:, -1].isnan()  # one logit that is no number makes them all such
    if lost.any():
        raise RunError(
            f"the network gives no numbers (NaN) for {int(lost.sum())} of {len(lost)} inputs: features or "
            "weights are too large for float32; scale the features, or train with a lower learning rate"
        )
    return log_probs


def trimmed(chains: Tensor) -> Tensor:
    """Chains ``(n, length)``, padded with -1, without the columns that no row needs; one stays at least."""
    longest = max(1, int((chains >= 0).sum(dim=1).max())) if len(chains) else 1
    return chains[:, :longest]


class RunningChains:
    """The chains of a batch that still run, while a model is decoded one step after the other.

    Attributes:
        rows: ``(n,)`` int64, the inputs of these chains.
        emitted: ``(n, num_labels)`` bool.
    """

    def __init__(self, model: StepModel, features: Tensor, state: State | None = None) -> None:
        """Begin a chain for each of ``features``, from their state before the first label if it is known."""
        self.rows = torch.arange(len(features), device=features.device)
        self.emitted = torch.zeros(len(features), model.num_labels, dtype=torch.bool, device=features.device)
        self._model = model
        self._state = model.start(features) if state is None else state

    def log_probs(self) -> Tensor:
        """Of the next step, ``(n, num_labels + 1)``."""
        return self._model.log_probs(self._state, self.emitted)

    def keep(self, going: Tensor) -> None:
        """End the chains where ``going`` ``(n,)`` is false."""
        if not going.all():
            kept = going.nonzero().squeeze(1)
            self.rows, self.emitted = self.rows[kept], self.emitted[kept]
            self._state = tuple(tensor.index_select(0, kept) for tensor in self._state)

    def emit(self, labels: Tensor) -> None:
        """Emit one more label ``(n,)`` in each."""
        self.emitted = self.emitted.scatter(1, labels[:, None], True)
        self._state = self._model.advance(self._state, labels)


@torch.no_grad()
def decode_greedily(model: StepModel, features: Tensor, max_labels: int) -> Predictions:
    """Both decodings of Nam et al. (2019) in one pass.

    The *label set* is the greedy chain up to STOP or ``max_labels`` labels. The *ranking* is the greedy chain
    with STOP forbidden until five labels are out; rank is position. Up to STOP the two are the same chain.

    Args:
        model: Gives the step distributions.
        features: ``(n, num_features)`` float32.
        max_labels: Chain limit of the label set.

    Returns:
        Predictions for the ``n`` rows, ranking ``(n, min(5, L))``.

    Raises:
        RunError: If the model gives NaN.
    """
    num_rows, num_labels = len(features), model.num_labels
    length = min(max(RANKED, max_labels), num_labels)
    out = torch.full((num_rows, length), -1, dtype=torch.int64, device=features.device)
    stopped_at = torch.full((num_rows,), max_labels, dtype=torch.int64, device=features.device)
    running = RunningChains(model, features)
    for step in range(length):
        log_probs, rows = numbers(running.log_probs()), running.rows
        best, label = log_probs[:, :num_labels].max(dim=1)
        stops = log_probs[:, num_labels] > best
        stopped_at[rows] = torch.where(stops, stopped_at[rows].clamp(max=step), stopped_at[rows])
        going = (stopped_at[rows] > step) | (step < RANKED)
        running.keep(going)
        if len(running.rows) == 0:
            break
        out[running.rows, step] = label[going]
        if step + 1 < length:
            running.emit(label[going])
    in_set = torch.arange(length, device=features.device) < stopped_at[:, None]
    chains = torch.where(in_set, out, -1)
    return Predictions(out[:, :RANKED].cpu().numpy(), trimmed(chains).cpu().numpy())


@torch.no_grad()
def sample_chains(
    model: StepModel,
    features: Tensor,
    max_labels: int,
    generator: torch.Generator | None,
    min_labels: int = 0,
) -> Tensor:
    """Draw one chain per row, no label twice.

    Args:
        model: Gives the step distributions; put networks in eval mode.
        features: ``(n, num_features)`` float32.
        max_labels: Chain limit.
        generator: On the features' device; ``None`` takes the most probable action of every step instead.
        min_labels: STOP is forbidden until so many labels are out.

    Returns:
        ``(n, length)`` int64 actions: labels, then STOP (``num_labels``) unless the limit came
        first, then -1.
    """
    num_rows, num_labels = len(features), model.num_labels
    length = min(max_labels, num_labels)
    actions = torch.full((num_rows, length), -1, dtype=torch.int64, device=features.device)
    running = RunningChains(model, features)
    still_running = counts(num_rows)  # here, and in processes that share the batch
    for step in range(length):
        log_probs = running.log_probs()
        if step < min_labels:
            log_probs[:, num_labels] = -torch.inf
        if generator is None:
            action = numbers(log_probs).argmax(dim=1)
        else:
            places = uniform_for_some(still_running, generator, log_probs.device)
            action = draw(log_probs, places)
        actions[running.rows, step] = action
        going = action < num_labels
        running.keep(going)
        still_running = counts(len(running.rows))
        if not any(still_running):
            return actions[:, : step + 1]
        if step + 1 < length:
            running.emit(action[going])
    return actions


def draw(log_probs: Tensor, places: Tensor) -> Tensor:
    """One action per row, from one random number each.

    Several times as fast as :func:`torch.multinomial`, which draws one for each action.

    Args:
        log_probs: ``(n, num_actions)``, up to a constant.
        places: Random numbers in [0, 1), ``(n, 1)``.

    Returns:
        ``(n,)`` int64; never an action of log-probability minus infinity.
    """
    actions = action_at(log_probs.exp(), places)
    nowhere = actions == log_probs.shape[1]
    if nowhere.any():  # what is allowed is so improbable that each is 0 in these digits
        rest = log_probs[nowhere]
        actions[nowhere] = action_at((rest - rest.amax(dim=1, keepdim=True)).exp(), places[nowhere])
    return actions


def action_at(weights: Tensor, places: Tensor) -> Tensor:
    """The action at a place in each row's distribution function.

    Args:
        weights: ``(n, num_actions)``, proportional to the probabilities.
        places: In [0, 1), ``(n, 1)`` or one for all.

    Returns:
        ``(n,)`` int64; never an action of probability 0, but ``num_actions`` where all are.
    """
    cumulated = weights.cumsum(dim=1)
    total = cumulated[:, -1:]
    place = (total * places).minimum(
        total.nextafter(torch.zeros_like(total))
    )  # rounding must not pass the last action
    return torch.searchsorted(cumulated, place, right=True).squeeze(1)


class ChainPredictor:
    """A step model as a :class:`labelchain.envs.Predictor`: decodes batches of numpy features.

    Args:
        model: Decides.
        max_labels: Chain limit of label sets.
        device: Where the model computes.
        learned: The model before something was added to its logit of STOP, to sample from and for
            probabilities of labels; by default ``model``.
    """

    def __init__(
        self,
        model: StepModel,
        max_labels: int,
        device: torch.device | str = "cpu",
        learned: StepModel | None = None,
    ) -> None:
        self.model = model
        self.learned = model if learned is None else learned
        self.max_labels = max_labels
        self.device = torch.device(device)

    def predict(self, features: NDArray[np.float32]) -> Predictions:
        """Decode ``(n, num_features)`` greedily."""
        return decode_greedily(self.model, torch.from_numpy(features).to(self.device), self.max_labels)

    def label_sets(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """The label sets alone, the same as ``predict`` gives: a chain ends at STOP, not after five labels.

        Args:
            features: ``(n, num_features)``.

        Returns:
            ``(n, length)``, each in the order it was decided, padded with -1.
        """
        inputs = torch.from_numpy(features).to(self.device)
        actions = sample_chains(self.model, inputs, self.max_labels, generator=None)
        return torch.where(actions < self.model.num_labels, actions, -1).cpu().numpy()
