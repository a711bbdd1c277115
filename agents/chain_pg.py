"""``chain-pg``: a warm-up on given chains, then reinforcement learning on chains the network samples.

Two estimators of the gradient: ``sampled``, the actor-critic of Nam et al. (ICML 2019), and ``all-actions``,
ours, which uses that the reward of *every* action is known while training.
"""

from __future__ import annotations

from labelchain.agents.expected_reward import ExpectedRewardObjective
from labelchain.agents.likelihood import LikelihoodObjective, Objective, RandomOrder
from labelchain.agents.policy_gradient import PolicyGradientObjective, RLObjective
from labelchain.agents.runs import Progress, Run
from labelchain.agents.settings import Settings
from labelchain.agents.training import Phase, train
from labelchain.envs import MultilabelDataset
from labelchain.envs.rewards import make_reward


def rl_objective(settings: Settings, dataset: MultilabelDataset) -> RLObjective:
    """The objective that the settings name."""
    reward = make_reward(settings.reward, dataset.num_labels)
    limit = settings.chain_limit(dataset)
    if settings.estimator == "all-actions":
        return ExpectedRewardObjective(reward, limit, settings.power)
    return PolicyGradientObjective(reward, limit, settings.discount, settings.entropy, settings.baseline)


def rl_phases(settings: Settings, name: str, objective: Objective) -> list[Phase]:
    """A supervised warm-up in random orders, then RL, within the same number of epochs."""
    warmup = round(settings.warmup * settings.epochs)
    return [
        Phase("warm-up", LikelihoodObjective(RandomOrder()), warmup, settings.learning_rate),
        Phase(name, objective, settings.epochs - warmup, settings.rl_learning_rate),
    ]


def train_chain_pg(run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """Train ``chain-pg`` into a run's directory; return the number of inputs seen."""
    objective = rl_objective(run.settings, dataset)
    return train(run, dataset, rl_phases(run.settings, "policy gradient", objective), progress)
