"""The chain network: p(next label | input, labels so far), over L labels and STOP.

Two cells share one interface. ``sum`` (ours) keeps the sum of the embeddings of the labels so far, so it
does not depend on their order and, given a chain, computes all its steps in parallel. ``gru`` is the
recurrent cell of Nam et al. (ICML 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from labelchain.agents.scaling import InputScaler, Scaling, scaling_for
from labelchain.envs.datasets import MultilabelDataset

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
        for name in ("dropout", "input_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must be in [0, 1), got {getattr(self, name)}")


LARGEST_SKIP = 2**22
"""So many weights, at most, has the linear skip of the ``sum`` cell. Where it would have more, there is none:
for 100,000 features and 30,000 labels, it would take 12 GB."""


def _chain_dropout(values: Tensor, rows: Tensor, num_rows: int, rate: float, training: bool) -> Tensor:
    """Variational dropout: one rescaled mask per chain, the same at all its steps.

    Args:
        values: ``(num_kept, width)``.
        rows: ``(num_kept,)`` int64, the chain of each.
        num_rows: How many chains there are.
        rate: Dropout rate.
        training: Without effect unless true.
    """
    if not training or rate == 0.0:
        return values
    keep = torch.full((num_rows, values.shape[1]), 1.0 - rate, device=values.device)
    return values * (torch.bernoulli(keep) / (1.0 - rate)).index_select(0, rows)


def _precise(logits: Tensor) -> Tensor:
    """Losses and probabilities are too fine for bfloat16, which ``Settings.precision`` may ask for."""
    return logits.float() if logits.dtype == torch.bfloat16 else logits


class ChainNetwork(nn.Module):
    """The network of every learner here; make one with :func:`make_network`.

    Attributes:
        num_features: Columns of the input.
        num_labels: L; output ``L`` is STOP.
        config: Its shape.
        state_parts: How many tensors its state has.
        embed: ``num_labels + 1`` embeddings; that of no label is the last.
    """

    state_parts: ClassVar[int]
    embed: nn.Embedding

    def __init__(
        self, num_features: int, num_labels: int, config: NetworkConfig, scaling: Scaling = "none"
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.num_labels = num_labels
        self.config = config
        self.scaler = InputScaler(num_features, scaling)
        self.input_dropout = nn.Dropout(config.input_dropout)
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
            chains: ``(n, length)`` int64 labels, padded with -1.
            kept: ``(n, length + 1)`` bool, the steps to compute.

        Returns:
            Logits ``(num_kept, num_labels + 1)`` and hidden states ``(num_kept, width)``, row by row.
        """
        raise NotImplementedError

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
        logits = _precise(self.logits(state))
        logits[:, : self.num_labels].masked_fill_(emitted, -torch.inf)
        return logits.log_softmax(dim=-1)

    def values(self, hidden: Tensor) -> Tensor:
        """The expected return from each hidden state, ``(n, steps)``; sends no gradient into the states."""
        result: Tensor = self.value_head(hidden.detach()).squeeze(-1)
        return result

    def _scaled(self, features: Tensor) -> Tensor:
        scaled: Tensor = self.input_dropout(self.scaler(features))
        return scaled


class SumNetwork(ChainNetwork):
    """The ``sum`` cell: projected input plus scaled sum of embeddings, layer-normalised, a residual layer.

    A linear skip from the input to the logits lets it be at least a linear classifier (if it has no more than
    :data:`LARGEST_SKIP` weights).
    """

    state_parts = 4

    def __init__(
        self, num_features: int, num_labels: int, config: NetworkConfig, scaling: Scaling = "none"
    ) -> None:
        super().__init__(num_features, num_labels, config, scaling)
        self.project = nn.Linear(num_features, config.width)
        self.embed = nn.Embedding(num_labels + 1, config.width, padding_idx=num_labels)
        # Small at first: embeddings of unit variance would drown the projection of the input.
        with torch.no_grad():
            self.embed.weight.mul_(0.02)
        self.norm = nn.LayerNorm(config.width)
        self.residual = nn.Linear(config.width, config.width)
        self.output = nn.Linear(config.width, num_labels + 1)
        self.skip: nn.Linear | None = None
        if num_features * num_labels <= LARGEST_SKIP:
            self.skip = nn.Linear(num_features, num_labels + 1, bias=False)

    def at_steps(self, features: Tensor, chains: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        inputs = self._scaled(features)
        labels = torch.where(chains < 0, self.num_labels, chains)
        sums = nn.functional.pad(self.embed(labels).cumsum(dim=1), (0, 0, 1, 0))  # (n, length + 1, width)
        rows, steps = kept.nonzero(as_tuple=True)
        scaled = sums[kept] / steps.clamp(min=1).sqrt()[:, None]
        rate, training = self.config.dropout, self.training
        normed = self.norm(self.project(inputs).index_select(0, rows) + scaled)
        dropped = _chain_dropout(normed, rows, len(chains), rate, training)
        hidden = normed + torch.relu(self.residual(dropped))
        logits = self.output(_chain_dropout(hidden, rows, len(chains), rate, training))
        if self.skip is not None:
            logits = logits + self.skip(inputs).index_select(0, rows)
        return _precise(logits), hidden

    def start(self, features: Tensor) -> State:  # noqa: D102
        inputs = self._scaled(features)
        projected = self.project(inputs)
        steps = torch.zeros(len(inputs), 1, device=inputs.device)
        skip = steps if self.skip is None else self.skip(inputs)
        return projected, skip, torch.zeros_like(projected), steps

    def advance(self, state: State, labels: Tensor) -> State:  # noqa: D102
        projected, skip, sums, steps = state
        return projected, skip, sums + self.embed(labels), steps + 1

    def logits(self, state: State) -> Tensor:  # noqa: D102
        projected, skip, sums, steps = state
        normed = self.norm(projected + sums / steps.clamp(min=1).sqrt())
        result: Tensor = self.output(normed + torch.relu(self.residual(normed))) + skip
        return result


class GRUNetwork(ChainNetwork):
    """The ``gru`` cell of Nam et al. (2019).

    ``h0 = relu(W x)``; the step input is ``[embedding of the previous label; relu(C x)]``; both 3H
    pre-activations of the cell are layer-normalised; the output is an MLP over the previous embedding and the
    state. Dropout has one rescaled mask per chain.
    """

    state_parts = 3

    def __init__(
        self, num_features: int, num_labels: int, config: NetworkConfig, scaling: Scaling = "none"
    ) -> None:
        super().__init__(num_features, num_labels, config, scaling)
        width, embedding = config.width, config.embedding
        self.initial = nn.Linear(num_features, width)
        self.context = nn.Linear(num_features, embedding)
        self.embed = nn.Embedding(num_labels + 1, embedding)  # the last row starts a chain
        self.from_label = nn.Linear(embedding, 3 * width, bias=False)
        self.from_context = nn.Linear(embedding, 3 * width, bias=False)
        self.from_state = nn.Linear(width, 3 * width, bias=False)
        self.input_norm = nn.LayerNorm(3 * width)
        self.state_norm = nn.LayerNorm(3 * width)
        self.mix = nn.Linear(embedding + width, config.hidden)
        self.output = nn.Linear(config.hidden, num_labels + 1)

    def at_steps(self, features: Tensor, chains: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        inputs = self._scaled(features)
        num_rows, num_steps = kept.shape
        previous = nn.functional.pad(
            torch.where(chains < 0, self.num_labels, chains), (1, 0), value=self.num_labels
        )
        # Longest first, and all rows of a step together: the cell sees only the chains that still run.
        last = (kept * torch.arange(1, num_steps + 1, device=kept.device)).amax(dim=1)
        order = last.argsort(descending=True, stable=True)
        running = torch.arange(num_steps, device=kept.device)[:, None] < last[order]  # (step, n)
        steps, places = running.nonzero(as_tuple=True)
        rows = order[places]
        rate, training = self.config.dropout, self.training
        embedded = _chain_dropout(self.embed(previous[rows, steps]), rows, num_rows, rate, training)
        # All that does not wait for the state is computed for every step at once.
        context = self.from_context(torch.relu(self.context(inputs)))
        gates = self.input_norm(self.from_label(embedded) + context.index_select(0, rows))
        state = torch.relu(self.initial(inputs)).index_select(0, order)
        states = []
        for gate in gates.split(running.sum(dim=1).tolist()):
            state = self._cell(gate, state[: len(gate)])
            states.append(state)
        hidden = torch.cat(states)
        found = torch.empty(num_rows, num_steps, dtype=torch.int64, device=kept.device)
        found[rows, steps] = torch.arange(len(rows), device=kept.device)
        wanted = found[kept]
        hidden, embedded, rows = (tensor.index_select(0, wanted) for tensor in (hidden, embedded, rows))
        dropped = _chain_dropout(hidden, rows, num_rows, rate, training)
        logits = self.output(torch.relu(self.mix(torch.cat([embedded, dropped], dim=-1))))
        return _precise(logits), hidden

    def start(self, features: Tensor) -> State:  # noqa: D102
        inputs = self._scaled(features)
        context = self.from_context(torch.relu(self.context(inputs)))
        first = torch.full((len(inputs),), self.num_labels, dtype=torch.int64, device=inputs.device)
        state = torch.relu(self.initial(inputs))
        return self.advance((state, self.embed(first), context), first)

    def advance(self, state: State, labels: Tensor) -> State:  # noqa: D102
        hidden, _, context = state
        embedded = self.embed(labels)
        gates = self.input_norm(self.from_label(embedded) + context)
        return self._cell(gates, hidden), embedded, context

    def logits(self, state: State) -> Tensor:  # noqa: D102
        hidden, embedded, _ = state
        result: Tensor = self.output(torch.relu(self.mix(torch.cat([embedded, hidden], dim=-1))))
        return result

    def _cell(self, gates: Tensor, state: Tensor) -> Tensor:
        reset_in, update_in, new_in = gates.chunk(3, dim=-1)
        reset_h, update_h, new_h = self.state_norm(self.from_state(state)).chunk(3, dim=-1)
        update = torch.sigmoid(update_in + update_h)
        new = torch.tanh(new_in + torch.sigmoid(reset_in + reset_h) * new_h)
        return update * state + (1.0 - update) * new


def make_network(dataset: MultilabelDataset, config: NetworkConfig) -> ChainNetwork:
    """A network for a data set: input scaling from the training rows, weights from torch's global RNG."""
    network = build_network(dataset.num_features, dataset.num_labels, config, scaling_for(dataset))
    network.scaler.fit(dataset)
    return network


def build_network(
    num_features: int, num_labels: int, config: NetworkConfig, scaling: Scaling
) -> ChainNetwork:
    """A network of the given shape."""
    kind = SumNetwork if config.cell == "sum" else GRUNetwork
    return kind(num_features, num_labels, config, scaling)
