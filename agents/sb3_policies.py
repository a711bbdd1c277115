"""Stable-Baselines3's policies as step models, so that agents are decoded and evaluated as networks are."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.qrdqn.policies import QRDQNPolicy
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.dqn.policies import DQNPolicy
from torch import Tensor

from labelchain.agents.chain_network import State
from labelchain.agents.decoding import ChainPredictor, StepModel
from labelchain.agents.extractors import RowExtractor


def policy_predictor(model: BaseAlgorithm, max_labels: int) -> ChainPredictor:
    """An agent as a predictor that decodes greedily, labels already out being masked.

    Any agent of Stable-Baselines3 or sb3-contrib for discrete actions will do: actor-critic policies rank by
    their distribution, DQN and QR-DQN by their Q-values, recurrent ones carry their LSTM's state. A policy of
    another kind may have a method ``step_model()`` that gives a
    :class:`labelchain.agents.decoding.StepModel`.

    Args:
        model: The agent.
        max_labels: Chain limit of the label set.

    Raises:
        ValueError: If ``VecNormalize`` normalises what it observes.
    """
    check_observations(model)
    policy: Any = model.policy
    policy.set_training_mode(False)
    if hasattr(policy, "step_model"):
        step_model: StepModel = policy.step_model()
    elif isinstance(policy, RecurrentActorCriticPolicy):
        step_model = RecurrentPolicyStepModel(policy)
    else:
        step_model = PolicyStepModel(policy)
    return ChainPredictor(step_model, max_labels, model.device)


def check_observations(model: BaseAlgorithm) -> None:
    """Refuse an agent that sees something else than the data hold: its predictions for them mean nothing.

    Raises:
        ValueError: If ``VecNormalize`` normalises what it observes.
    """
    normaliser = model.get_vec_normalize_env()
    if normaliser is not None and normaliser.norm_obs:
        raise ValueError(
            "the agent sees observations normalised by VecNormalize, but is evaluated on the data as they "
            "are: use VecNormalize(norm_obs=False), and normalise the features of the data set"
        )


class PolicyStepModel:
    """A policy without memory as a step model.

    Labels already out are masked, also for agents that were trained without masks. Q-values count as logits.

    Args:
        policy: Of an environment of labelchain.
    """

    state_parts = 2

    def __init__(self, policy: BasePolicy) -> None:
        self.policy: Any = policy
        spaces: Any = policy.observation_space
        self.num_labels = int(spaces["emitted"].n)
        self._observes_rows = "row" in spaces.spaces
        self._extractors = [part for part in policy.modules() if isinstance(part, RowExtractor)]
        if self._observes_rows and not self._extractors:
            raise ValueError(
                "a policy that observes 'row' can be evaluated if RowExtractor is its features extractor"
            )

    def start(self, features: Tensor) -> State:
        """Nothing emitted; features ``(n, num_features)``."""
        return features, torch.zeros(len(features), self.num_labels, device=features.device)

    def advance(self, state: State, labels: Tensor) -> State:
        """One more label ``(n,)``."""
        features, emitted = state
        return features, emitted.scatter(1, labels[:, None], 1.0)

    def log_probs(self, state: State, emitted: Tensor) -> Tensor:
        """The policy's distribution without the labels already out, ``(n, num_labels + 1)``."""
        features, out = state
        return self._without(self._logits(self._observation(features, out), features), emitted)

    def _observation(self, features: Tensor, out: Tensor) -> dict[str, Tensor]:
        if not self._observes_rows:
            return {"features": features, "emitted": out}
        return {"row": torch.arange(len(features), device=features.device)[:, None], "emitted": out}

    def _logits(self, observation: dict[str, Tensor], features: Tensor) -> Tensor:
        with ExitStack() as stack:
            for extractor in self._extractors:
                stack.enter_context(extractor.given(features))
            if isinstance(self.policy, DQNPolicy):
                logits: Tensor = self.policy.q_net(observation)
            elif isinstance(self.policy, QRDQNPolicy):
                logits = self.policy.quantile_net(observation).mean(dim=1)
            else:
                logits = self.policy.get_distribution(observation).distribution.logits
        return logits

    def _without(self, logits: Tensor, emitted: Tensor) -> Tensor:
        logits = logits.clone()
        logits[:, : self.num_labels].masked_fill_(emitted, -torch.inf)
        return logits.log_softmax(dim=-1)


class RecurrentPolicyStepModel(PolicyStepModel):
    """A policy with an LSTM: the state holds its memory, and the logits of the next step."""

    state_parts = 5

    def start(self, features: Tensor) -> State:
        """The memory after the empty chain has been seen."""
        layers, _, width = self.policy.lstm_hidden_state_shape
        memory = torch.zeros(len(features), layers, width, device=features.device)
        _, out = super().start(features)
        return self._see(features, out, memory, memory)

    def advance(self, state: State, labels: Tensor) -> State:
        """One more label ``(n,)`` is seen."""
        features, out, _, hidden, cell = state
        return self._see(features, out.scatter(1, labels[:, None], 1.0), hidden, cell)

    def log_probs(self, state: State, emitted: Tensor) -> Tensor:
        """The policy's distribution without the labels already out, ``(n, num_labels + 1)``."""
        return self._without(state[2], emitted)

    def _see(self, features: Tensor, out: Tensor, hidden: Tensor, cell: Tensor) -> State:
        """Show the policy an observation; it keeps its memory layer first, states have the rows first."""
        memory = hidden.transpose(0, 1).contiguous(), cell.transpose(0, 1).contiguous()
        with ExitStack() as stack:
            for extractor in self._extractors:
                stack.enter_context(extractor.given(features))
            distribution, memory = self.policy.get_distribution(
                self._observation(features, out), memory, torch.zeros(len(features), device=features.device)
            )
        logits = distribution.distribution.logits
        return features, out, logits, memory[0].transpose(0, 1), memory[1].transpose(0, 1)
