"""The ``gru`` cell: the recurrent network of Nam et al. (ICML 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labelchain.agents.chain_network import ChainNetwork, NetworkConfig, State, chain_dropout, precise
from labelchain.agents.scaling import Scaling
from labelchain.agents.steps import inputs_of


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
        num_rows, num_steps = len(features), kept.shape[1]
        previous = nn.functional.pad(
            torch.where(chains < 0, self.num_labels, chains), (1, 0), value=self.num_labels
        )
        # Longest first, and all rows of a step together: the cell sees only the chains that still run.
        last = (kept * torch.arange(1, num_steps + 1, device=kept.device)).amax(dim=1)
        order = last.argsort(descending=True, stable=True)
        running = torch.arange(num_steps, device=kept.device)[:, None] < last[order]  # (step, n)
        steps, places = running.nonzero(as_tuple=True)
        of_chain = order[places]
        inputs_rows = inputs_of(chains, num_rows)
        rows = inputs_rows[of_chain]
        masks = num_rows, len(chains) // num_rows, self.config.dropout, self.training
        embedded = chain_dropout(self.embed(previous[of_chain, steps]), of_chain, *masks)
        # All that does not wait for the state is computed for every step at once.
        context = self.from_context(torch.relu(self.context(inputs)))
        gates = self.input_norm(self.from_label(embedded) + context.index_select(0, rows))
        state = torch.relu(self.initial(inputs)).index_select(0, inputs_rows[order])
        states = []
        for gate in gates.split(running.sum(dim=1).tolist()):
            state = self._cell(gate, state[: len(gate)])
            states.append(state)
        hidden = torch.cat(states)
        found = torch.empty(kept.shape, dtype=torch.int64, device=kept.device)
        found[of_chain, steps] = torch.arange(len(rows), device=kept.device)
        wanted = found[kept]
        hidden, embedded, of_chain = (part.index_select(0, wanted) for part in (hidden, embedded, of_chain))
        dropped = chain_dropout(hidden, of_chain, *masks)
        logits = self.output(torch.relu(self.mix(torch.cat([embedded, dropped], dim=-1))))
        return precise(logits), hidden

    def start(self, features: Tensor) -> State:  # noqa: D102
        state, context = self._first(features, [self.initial, self.context])
        first = torch.full((len(features),), self.num_labels, dtype=torch.int64, device=features.device)
        context = self.from_context(torch.relu(context))
        return self.advance((torch.relu(state), self.embed(first), context), first)

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
