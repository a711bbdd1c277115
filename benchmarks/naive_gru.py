"""The ``gru`` cell and its loss written down step by step and term by term: a peer to measure with.

It holds the parameters of a :class:`labelchain.agents.gru_network.GRUNetwork` and gives the same logits and
the same loss. What differs is when things are computed: inputs and outputs are projected inside the loop over
steps, and each term of the loss has a pass of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.gru_network import GRUNetwork
from labelchain.agents.likelihood import Batch, Logs
from labelchain.agents.policy_gradient import (
    VALUE_WEIGHT,
    PolicyGradientObjective,
    Rollout,
    chain_rewards,
    discounted_returns,
)


class NaiveGRU(GRUNetwork):
    """As :class:`GRUNetwork`; inputs and outputs are projected one step after the other."""

    def forward(self, features: Tensor, chains: Tensor) -> tuple[Tensor, Tensor]:
        """All steps of given chains, see :meth:`ChainNetwork.forward`."""
        inputs = self._scaled(features)
        state, context = torch.relu(self.initial(inputs)), torch.relu(self.context(inputs))
        rate = self.config.dropout if self.training else 0.0
        label_mask = _mask(len(features), self.config.embedding, rate)
        state_mask = _mask(len(features), self.config.width, rate)
        previous = torch.full((len(features),), self.num_labels)
        logits, hidden = [], []
        for step in range(chains.shape[1] + 1):
            embedded = self.embed(previous) * label_mask
            gates = self.input_norm(self.from_label(embedded) + self.from_context(context))
            state = self._cell(gates, state)
            mixed = torch.relu(self.mix(torch.cat([embedded, state * state_mask], dim=-1)))
            logits.append(self.output(mixed))
            hidden.append(state)
            if step < chains.shape[1]:
                previous = torch.where(chains[:, step] < 0, self.num_labels, chains[:, step])
        return torch.stack(logits, dim=1), torch.stack(hidden, dim=1)

    def at_steps(self, features: Tensor, chains: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Some of the steps; all are computed."""
        logits, hidden = self.forward(features, chains)
        return logits[kept], hidden[kept]


def _mask(num_rows: int, width: int, rate: float) -> Tensor:
    return nn.functional.dropout(torch.ones(num_rows, width), rate, training=rate > 0.0)


class PassPerTerm(PolicyGradientObjective):
    """The loss of :class:`PolicyGradientObjective` with a learned value; a pass for each of its terms."""

    def loss_on(
        self, network: ChainNetwork, batch: Batch, rollout: Rollout, generator: torch.Generator
    ) -> tuple[Tensor, Logs]:
        """The loss of chains drawn before."""
        del generator
        network.train()
        actions, num_rows = rollout.actions, len(rollout.actions)
        rewards = chain_rewards(self.reward, actions, batch.labels, network.num_labels)
        returns = discounted_returns(rewards, self.discount)
        taken = actions >= 0

        log_policy, hidden = self._pass(network, batch, actions)
        advantage = returns - network.values(hidden).detach()
        chosen = log_policy.gather(2, actions.clamp(min=0)[..., None]).squeeze(-1)
        policy_loss = -(chosen * advantage)[taken].sum() / num_rows

        log_policy, _ = self._pass(network, batch, actions)
        surprise = torch.where(log_policy.isinf(), 0.0, log_policy)
        entropy = -(log_policy.exp() * surprise).sum(dim=-1)[taken].sum() / num_rows

        _, hidden = self._pass(network, batch, actions)
        value_loss = ((returns - network.values(hidden)) ** 2)[taken].sum() / num_rows
        loss = policy_loss - self.entropy * entropy + VALUE_WEIGHT * value_loss
        return loss, {"env_steps": rollout.env_steps}

    def _pass(self, network: ChainNetwork, batch: Batch, actions: Tensor) -> tuple[Tensor, Tensor]:
        chains = torch.where(actions < network.num_labels, actions, -1)[:, :-1]
        logits, hidden = network(batch.features, chains)
        out = torch.zeros_like(logits, dtype=torch.bool)
        every = torch.arange(len(chains))
        for step, labels in enumerate(chains.unbind(dim=1)):
            out[every, step + 1 :, labels] = True
        out[..., -1] = False  # padding
        logits = logits.masked_fill(out, -torch.inf)
        return logits.log_softmax(dim=-1), hidden
