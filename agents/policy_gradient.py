"""Policy gradients on sampled chains (``estimator="sampled"``), as in Nam et al. (ICML 2019), section 4.

Sample a chain from the network, reward each step with the increment of a score, and follow the gradient
of the expected return: REINFORCE with a learned value as baseline and an entropy bonus.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labelchain.agents.decoding import sample_chains
from labelchain.agents.likelihood import Batch, Logs
from labelchain.agents.networks import ChainNetwork
from labelchain.envs.rewards import Reward

VALUE_WEIGHT = 0.5


class PolicyGradientObjective:
    """Actor-critic on whole chains that the network samples itself.

    The loss is - sum_t (G_t - V_t) log pi(a_t) - entropy * H(pi_t) + 0.5 (G_t - V_t)^2, summed over the steps
    of a chain (STOP is one), mean over inputs, with G_t the discounted return from step t on.
    """

    def __init__(self, reward: Reward, max_labels: int, discount: float, entropy: float) -> None:
        self.reward = reward
        self.max_labels = max_labels
        self.discount = discount
        self.entropy = entropy

    def loss(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Logs]:
        """Sample a chain per input, and score it."""
        network.eval()  # chains are drawn from the policy that will be used, without dropout
        actions = sample_chains(network, batch.features, self.max_labels, generator)
        network.train()
        rewards = chain_rewards(self.reward, actions, batch.labels, network.num_labels)
        returns = discounted_returns(rewards, self.discount)
        taken = actions >= 0  # (n, length)

        chains = torch.where(actions < network.num_labels, actions, -1)
        logits, hidden = network(batch.features, chains[:, :-1])
        logits = logits.masked_fill(emitted_before(chains[:, :-1], network.num_labels), -torch.inf)
        log_policy = logits.log_softmax(dim=-1)  # (n, length, L + 1)
        chosen = log_policy.gather(2, actions.clamp(min=0)[..., None]).squeeze(-1)
        surprise = torch.where(log_policy.isinf(), 0.0, log_policy)
        entropy = -(log_policy.exp() * surprise).sum(dim=-1)
        values = network.values(hidden)
        advantage = returns - values.detach()

        num_rows = len(actions)
        policy_loss = -(chosen * advantage)[taken].sum() / num_rows
        value_loss = ((returns - values) ** 2)[taken].sum() / num_rows
        entropy_bonus = entropy[taken].sum() / num_rows
        loss = policy_loss + VALUE_WEIGHT * value_loss - self.entropy * entropy_bonus
        return loss, {
            "policy_loss": policy_loss.item(),
            "value_loss": value_loss.item(),
            "entropy": entropy_bonus.item(),
            "return": rewards.sum(dim=1).mean().item(),
            "env_steps": int(taken.sum()),
        }


def chain_rewards(reward: Reward, actions: Tensor, labels: Tensor, num_labels: int) -> Tensor:
    """The reward of every step of chains without repeats, as the environment pays them.

    Args:
        reward: What is paid.
        actions: ``(n, length)`` int64, labels then STOP (``num_labels``) or the limit, then -1.
        labels: ``(n, most)`` int64, true labels, padded with -1.
        num_labels: L.

    Returns:
        ``(n, length)`` float32, 0 on padding.
    """
    truth = torch.zeros(len(actions), num_labels + 2, dtype=torch.bool)
    truth.scatter_(1, torch.where(labels < 0, num_labels + 1, labels), True)
    truth[:, num_labels + 1] = False
    hit = truth.gather(1, torch.where(actions < 0, num_labels + 1, actions)).numpy()
    is_label = ((actions >= 0) & (actions < num_labels)).numpy()
    true = (labels >= 0).sum(dim=1).numpy()
    hits, emitted = hit.cumsum(axis=1), is_label.cumsum(axis=1)
    paid = is_label * reward.increment(hit, hits - hit, emitted - is_label, true[:, None])
    last = (actions >= 0).sum(dim=1).numpy() - 1
    final = reward.final(hits[:, -1], emitted[:, -1], true)
    rewards = torch.from_numpy(paid).float()
    rewards[torch.arange(len(actions)), torch.from_numpy(last)] += torch.from_numpy(final).float()
    return rewards


def discounted_returns(rewards: Tensor, discount: float) -> Tensor:
    """G_t = sum over k >= t of discount^(k - t) r_k, ``(n, length)``."""
    steps = torch.arange(rewards.shape[1])
    ahead = steps[:, None] - steps  # (k, t)
    weights = torch.where(ahead >= 0, float(discount) ** ahead.clamp(min=0), 0.0)
    return rewards @ weights


def emitted_before(chains: Tensor, num_labels: int) -> Tensor:
    """Labels out before each step: ``(n, length)`` padded with -1 gives ``(n, length + 1, L + 1)`` bool."""
    num_rows, length = chains.shape
    out = torch.zeros(num_rows, length + 1, num_labels + 1, dtype=torch.int8)
    index = torch.where(chains < 0, num_labels, chains)
    out[:, 1:].scatter_(2, index[..., None], 1)
    out[..., num_labels] = 0  # padding
    return out.cumsum(dim=1, dtype=torch.int8) > 0
