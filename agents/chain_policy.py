"""The chain network as a Stable-Baselines3 policy: recurrent, and masked."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor

from labelchain.agents.chain_network import ChainNetwork, NetworkConfig, State
from labelchain.agents.decoding import StepModel, draw
from labelchain.agents.networks import build_network
from labelchain.agents.scaling import Scaling

Observation = dict[str, NDArray[Any]]
Arrays = tuple[NDArray[Any], ...]


class ChainPolicy(BasePolicy):
    """A :class:`labelchain.agents.chain_network.ChainNetwork` with the interface of SB3's policies.

    :meth:`predict` works as that of sb3-contrib's recurrent policies: give it the state that it returned the
    step before. It also takes masks, as sb3-contrib's maskable policies do; without any it already masks the
    labels that the observation shows as emitted.

    The state follows the labels that the *environment* emitted, so another action than the predicted one may
    be taken. With the ``sum`` cell, which does not depend on the order of the labels, the state can be left
    out: it is then computed from ``emitted``. With the ``gru`` cell it must be passed on. (sb3-contrib's
    maskable ``evaluate_policy`` passes none: evaluate ``gru`` with that of SB3, it masks all the same.)

    Args:
        observation_space: A ``Dict`` of ``features`` ``(num_features,)`` and ``emitted`` ``(L,)``.
        action_space: ``Discrete(L + 1)``.
        lr_schedule: The learning rate, given the share of the training that remains.
        scaling: How the network scales its input, see :class:`labelchain.agents.scaling.InputScaler`.
        optimizer_class: Makes the optimiser.
        optimizer_kwargs: Further arguments of the optimiser.
        **network: The fields of :class:`NetworkConfig`: ``cell``, ``width``, ...

    Attributes:
        network: The chain network; in eval mode it can be decoded as any other.
        optimizer: Its optimiser.

    Raises:
        ValueError: If the spaces are others, or a value of the network is out of range.
    """

    def __init__(
        self,
        observation_space: gym.spaces.Space[Any],
        action_space: gym.spaces.Space[Any],
        lr_schedule: Schedule,
        *,
        scaling: Scaling = "none",
        optimizer_class: type[torch.optim.Optimizer] = torch.optim.Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
        **network: Any,
    ) -> None:
        num_features, num_labels = checked_sizes(observation_space, action_space)
        super().__init__(
            observation_space,
            action_space,
            optimizer_class=optimizer_class,
            optimizer_kwargs=optimizer_kwargs,
        )
        self.network_kwargs = network
        self.network = build_network(num_features, num_labels, NetworkConfig(**network), scaling)
        self.optimizer = optimizer_class(
            self.network.parameters(),
            lr=lr_schedule(1.0),  # type: ignore[call-arg]
            **self.optimizer_kwargs,
        )

    def predict(  # type: ignore[override]
        self,
        observation: Observation,
        state: Arrays | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], Arrays]:
        """The next action, and the state to pass with the next observation.

        Args:
            observation: Of one environment, or stacked.
            state: What the step before returned; ``None`` at first.
            episode_start: Taken for the sake of SB3's interface; that nothing is emitted says the same, also
                where SB3's ``evaluate_policy`` leaves it set in environments that have played enough.
            deterministic: Whether to take the most probable action instead of a sample.
            action_masks: ``(L + 1,)`` or ``(n, L + 1)`` bool, further actions to rule out where false.

        Returns:
            Actions, ``(n,)`` or ``()`` int64, and the state, arrays with ``n`` rows each.

        Raises:
            ValueError: If the observation is no such dictionary, the state is of other environments or of an
                earlier step (``gru``), or missing (``gru``), or the masks leave no action.
        """
        del episode_start
        self.set_training_mode(False)
        if not isinstance(observation, dict) or not {"features", "emitted"} <= observation.keys():
            raise ValueError(
                "observation must be a dict of 'features' and 'emitted', got "
                f"{type(observation).__name__}; gymnasium's reset() and step() return more than it"
            )
        batched = np.ndim(observation["emitted"]) == 2
        features = self._rows(observation["features"], self.network.num_features).float()
        emitted = self._rows(observation["emitted"], self.network.num_labels).bool()
        with torch.no_grad():
            memory = self._memory(features, emitted, state)
            log_probs = self.network.log_probs(memory, emitted)
            if action_masks is not None:
                log_probs = self._masked(log_probs, action_masks)
            actions = _choose(log_probs, deterministic).cpu().numpy()
        return actions if batched else actions[0], (*(part.cpu().numpy() for part in (*memory, emitted)),)

    def step_model(self) -> StepModel:
        """The network, for decoding: see :func:`labelchain.agents.sb3_policies.policy_predictor`."""
        return self.network

    def forward(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        """Actions ``(n,)`` for observations whose labels came in any order (``sum`` cell)."""
        return self._predict(observation, deterministic)

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        assert isinstance(observation, dict)
        emitted = observation["emitted"].bool()
        memory = _resumed(self.network, observation["features"], emitted)
        return _choose(self.network.log_probs(memory, emitted), deterministic)

    def _memory(self, features: Tensor, emitted: Tensor, state: Arrays | None) -> State:
        """The network's state for what is emitted now: that of the step before and one more label, or new."""
        if state is None:
            return _resumed(self.network, features, emitted)
        *before, out_before = (torch.as_tensor(part, device=self.device) for part in state)
        if len(before) != self.network.state_parts or out_before.shape != emitted.shape:
            raise ValueError(
                f"state must be what predict() returned for these {len(emitted)} environments a step "
                f"before, got {len(state)} arrays of {len(out_before)} rows; pass None to begin"
            )
        new = emitted & ~out_before
        advanced = self.network.advance(tuple(before), new.int().argmax(dim=1))
        memory = _where(new.any(dim=1), advanced, tuple(before))  # a repeated label changes nothing
        # The state of what goes on is of no use where nothing is out yet, or the step before is missing.
        anew = ~emitted.any(dim=1) | (out_before & ~emitted).any(dim=1) | (new.sum(dim=1) > 1)
        which = torch.nonzero(anew)[:, 0]
        begun = _resumed(self.network, features[which], emitted[which])
        return tuple(part.index_copy(0, which, first) for part, first in zip(memory, begun, strict=True))

    def _rows(self, values: NDArray[Any], width: int) -> Tensor:
        """Observations, stacked, on the policy's device: ``(n, width)``."""
        array = np.asarray(values)
        if array.ndim not in (1, 2) or array.shape[-1] != width:
            raise ValueError(f"observation has an array of shape {array.shape}, expected (n, {width})")
        return torch.as_tensor(array.reshape(-1, width), device=self.device)

    def _masked(self, log_probs: Tensor, action_masks: NDArray[np.bool_]) -> Tensor:
        allowed = torch.as_tensor(np.asarray(action_masks), dtype=torch.bool, device=self.device)
        masked = log_probs.masked_fill(~allowed.reshape(-1, log_probs.shape[1]), -torch.inf)
        if masked.isneginf().all(dim=1).any():
            raise ValueError("action_masks leave an environment no action: STOP or a label not yet emitted")
        return masked

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "lr_schedule": self._dummy_schedule,
            "scaling": self.network.scaler.scaling,
            "optimizer_class": self.optimizer_class,
            "optimizer_kwargs": self.optimizer_kwargs,
            **self.network_kwargs,
        }


def checked_sizes(
    observation_space: gym.spaces.Space[Any], action_space: gym.spaces.Space[Any]
) -> tuple[int, int]:
    """The numbers of features and of labels that the spaces of a labelchain environment tell.

    Raises:
        ValueError: If the spaces are others.
    """
    if isinstance(observation_space, gym.spaces.Dict) and isinstance(action_space, gym.spaces.Discrete):
        features, emitted = observation_space.get("features"), observation_space.get("emitted")
        num_labels = int(action_space.n) - 1
        if (
            isinstance(features, gym.spaces.Box)
            and len(features.shape) == 1
            and isinstance(emitted, gym.spaces.MultiBinary)
            and emitted.shape == (num_labels,)
        ):
            return features.shape[0], num_labels
    raise ValueError(
        "expected the spaces of a labelchain environment, Dict(features: Box (num_features,), emitted: "
        f"MultiBinary(L)) and Discrete(L + 1); got {observation_space} and {action_space} "
        "(observation='index' has no features: make the environment with observation='features')"
    )


def _choose(log_probs: Tensor, deterministic: bool) -> Tensor:
    """One action ``(n,)`` for each row of ``(n, L + 1)``."""
    if deterministic:
        return log_probs.argmax(dim=1)
    return draw(log_probs, torch.rand(len(log_probs), 1, device=log_probs.device))


def _where(condition: Tensor, this: State, that: State) -> State:
    """Row by row, ``this`` where ``condition`` ``(n,)`` is true."""
    return tuple(torch.where(condition[:, None], a, b) for a, b in zip(this, that, strict=True))


def _resumed(network: ChainNetwork, features: Tensor, emitted: Tensor) -> State:
    """The network's state after labels that came in an unknown order, ``emitted`` ``(n, L)`` bool.

    Raises:
        ValueError: If there are any, and the cell depends on their order.
    """
    counts = emitted.sum(dim=1)
    most = int(counts.max()) if len(counts) else 0
    if most and network.config.cell != "sum":
        raise ValueError(
            f"the state of the {network.config.cell!r} cell depends on the order of the labels, which the "
            "observation does not tell: pass the state that the step before returned"
        )
    state = network.start(features)
    labels = emitted.int().argsort(dim=1, descending=True)[:, :most]
    for step in range(most):
        state = _where(counts > step, network.advance(state, labels[:, step]), state)
    return state
