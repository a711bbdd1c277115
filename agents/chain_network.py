"""The chain network: p(next label | input, labels so far), over L labels and STOP.

Two cells share one interface. ``sum`` (ours) keeps the sum of the embeddings of the labels so far, so it
does not depend on their order and, given a chain, computes all its steps in parallel. ``gru`` is the
recurrent cell of Nam et al. (ICML 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from labelchain.agents.first_layers import FEWEST_ROWS, of_sparse
from labelchain.agents.scaling import InputScaler, Scaling
from labelchain.agents.steps import Steps
from labelchain.agents.whole_batch import dropout, uniform

LARGEST = 65_536
"""The largest layer; more is a slip of the finger."""

State = tuple[Tensor, ...]
"""What a network remembers of each chain; every tensor has the rows as its first axis."""


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a chain network."""

    cell: Literal["sum", "gru"] = "sum"
    """How the labels so far are remembered."""
    width: int = 256
    """Size of the state."""
    embedding: int = 256
    """Size of a label's embedding (``gru``; the ``sum`` cell embeds labels in its state)."""
    hidden: int = 256
    """Size of the output layer's hidden units (``gru``)."""
    slope: float = 0.0
    """Slope of the hidden units below zero, in [0, 1] (``sum``): 0, which is ReLU, suits pixels and
    measurements, 0.3 suits words."""
    dropout: float = 0.3
    """Dropout rate inside, one mask per chain."""
    input_dropout: float = 0.1
    """Dropout rate of the input features."""

    def __post_init__(self) -> None:
        """Raise ValueError on a setting out of range."""
        if self.cell not in ("sum", "gru"):
            raise ValueError(f"cell must be 'sum' or 'gru', got {self.cell!r}")
        for name in ("width", "embedding", "hidden"):
            if not 1 <= getattr(self, name) <= LARGEST:
                raise ValueError(f"{name} must be from 1 to {LARGEST}, got {getattr(self, name)}")
        if not 0.0 <= self.slope <= 1.0:
            raise ValueError(f"slope must be in [0, 1], got {self.slope}")
        for name in ("dropout", "input_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must be in [0, 1), got {getattr(self, name)}")


def chain_dropout(
    values: Tensor, of_chain: Tensor, num_inputs: int, copies: int, rate: float, training: bool
) -> Tensor:
    """Variational dropout: one rescaled mask per chain, the same at all its steps.

    Args:
        values: ``(num_kept, width)``.
        of_chain: ``(num_kept,)`` int64, the chain of each.
        num_inputs: How many inputs there are: their chains come as for :meth:`ChainNetwork.at_steps`.
        copies: How many chains each input has.
        rate: Dropout rate.
        training: Without effect unless true.
    """
    if not training or rate == 0.0:
        return values
    # Four times as fast as drawing from Bernoulli distributions.
    width = values.shape[1]
    places = uniform((num_inputs, copies * width), device=values.device)
    kept = places.view(num_inputs, copies, width).transpose(0, 1).reshape(-1, width) >= rate
    return values * (kept / (1.0 - rate)).index_select(0, of_chain)


def precise(logits: Tensor) -> Tensor:
    """Losses and probabilities are too fine for bfloat16, which ``Settings.precision`` may ask for."""
    return logits.float() if logits.dtype == torch.bfloat16 else logits


class ChainNetwork(nn.Module):
    """The network of every learner here; made by :func:`labelchain.agents.networks.make_network`.

    Attributes:
        num_features: Columns of the input.
        num_labels: L; output ``L`` is STOP.
        config: Its shape.
        state_parts: How many tensors its state has.
        embed: ``num_labels + 1`` embeddings; that of no label is the last.
        output: The layer that gives the logits.
    """

    state_parts: ClassVar[int]
    embed: nn.Embedding
    output: nn.Linear

    def __init__(
        self, num_features: int, num_labels: int, config: NetworkConfig, scaling: Scaling = "none"
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.num_labels = num_labels
        self.config = config
        self.scaler = InputScaler(num_features, scaling)
        self.value_head = nn.Linear(config.width, 1)

    def forward(self, features: Tensor, chains: Tensor) -> tuple[Tensor, Tensor]:
        """All steps of given chains at once (teacher forcing).

        Args:
            features: ``(n, num_features)`` float32.
            chains: ``(n, length)`` int64 labels, padded with -1.

        Returns:
            Logits ``(n, length + 1, num_labels + 1)`` of the step after each prefix, the empty one first, and
            the hidden states ``(n, length + 1, width)`` for :meth:`values`.
        """
        num_rows, length = chains.shape
        kept = torch.ones(num_rows, length + 1, dtype=torch.bool, device=chains.device)
        logits, hidden = self.at_steps(features, chains, kept)
        return logits.view(*kept.shape, -1), hidden.view(*kept.shape, -1)

    def at_steps(self, features: Tensor, chains: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`forward`, for some of the steps alone: padding costs nothing.

        Args:
            features: ``(n, num_features)`` float32.
            chains: ``(k * n, length)`` int64 labels, padded with -1: a chain of each input, then another of
                each. They share what dropout leaves of the input.
            kept: ``(k * n, length + 1)`` bool, the steps to compute.

        Returns:
            Logits ``(num_kept, num_labels + 1)`` and hidden states ``(num_kept, width)``, row by row.
        """
        raise NotImplementedError

    def at_steps_of(self, features: Tensor, wanted: Sequence[Steps]) -> Tensor:
        """The logits at some steps of several chains for each input, in one pass.

        Args:
            features: ``(n, num_features)`` float32.
            wanted: Chains of the inputs, and steps of them.

        Returns:
            Logits ``(num_kept, num_labels + 1)`` at those of the first chains, row by row, then of the next.
        """
        length = max(steps.chains.shape[1] for steps in wanted)
        chains = [nn.functional.pad(s.chains, (0, length - s.chains.shape[1]), value=-1) for s in wanted]
        kept = [nn.functional.pad(s.kept, (0, length + 1 - s.kept.shape[1]), value=False) for s in wanted]
        logits, _ = self.at_steps(features, torch.cat(chains), torch.cat(kept))
        return logits

    def start(self, features: Tensor) -> State:
        """The state before the first label, from ``(n, num_features)``."""
        raise NotImplementedError

    def advance(self, state: State, labels: Tensor) -> State:
        """The state after one more label ``(n,)`` int64."""
        raise NotImplementedError

    def logits(self, state: State) -> Tensor:
        """Logits of the next step, ``(n, num_labels + 1)``."""
        raise NotImplementedError

    def log_probs(self, state: State, emitted: Tensor) -> Tensor:
        """Log-probabilities of the next step given that no label is emitted twice.

        Args:
            state: From :meth:`start` or :meth:`advance`.
            emitted: ``(n, num_labels)`` bool.

        Returns:
            ``(n, num_labels + 1)``; minus infinity for emitted labels.
        """
        logits = precise(self.logits(state))
        logits[:, : self.num_labels].masked_fill_(emitted, -torch.inf)
        return logits.log_softmax(dim=-1)

    def values(self, hidden: Tensor) -> Tensor:
        """The expected return from each hidden state, ``(n, steps)``; sends no gradient into the states."""
        result: Tensor = self.value_head(hidden.detach()).squeeze(-1)
        return result

    def _scaled(self, features: Tensor) -> Tensor:
        return dropout(self.scaler(features), self.config.input_dropout, self.training)

    def _first(self, features: Tensor, layers: Sequence[nn.Linear]) -> tuple[Tensor, ...]:
        """What layers give for the input, to decode it."""
        inputs = self._scaled(features)
        if self.scaler.scaling == "unit-rows" and len(inputs) >= FEWEST_ROWS:
            return of_sparse(inputs, layers)
        return tuple(layer(inputs) for layer in layers)
