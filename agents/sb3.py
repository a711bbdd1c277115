"""Stable-Baselines3 and sb3-contrib agents, unchanged, on the environment."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor
from torch import Tensor

from labelchain.agents.checkpoints import check_fits
from labelchain.agents.decoding import ChainPredictor
from labelchain.agents.networks import State
from labelchain.agents.runs import Progress, Run, RunError, RunLogger
from labelchain.envs import LabelChainEnv, MultilabelDataset, evaluate
from labelchain.envs.evaluation import Predictor, SelectedPredictor
from labelchain.envs.files import written_beside

ALGORITHMS: dict[str, type[PPO] | type[MaskablePPO]] = {"ppo": PPO, "maskable-ppo": MaskablePPO}

NUM_ENVS = 32
HYPERPARAMETERS: dict[str, Any] = {
    "n_steps": 64,
    "batch_size": 512,
    "n_epochs": 6,
    "learning_rate": 1e-3,
    "gamma": 0.9,
    "ent_coef": 0.01,
    "policy_kwargs": {"net_arch": [256, 256]},
}
"""Values that suit DigitScenes."""
NUM_EVALUATIONS = 10


class PolicyStepModel:
    """An actor-critic policy as a step model, so that agents are decoded and evaluated as networks are.

    Labels already out are masked, also for agents that were trained without masks.
    """

    state_parts = 2

    def __init__(self, policy: Any, num_labels: int) -> None:
        self.policy = policy
        self.num_labels = num_labels

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
        distribution = self.policy.get_distribution({"features": features, "emitted": out})
        logits: Tensor = distribution.distribution.logits.clone()
        logits[:, : self.num_labels].masked_fill_(emitted, -torch.inf)
        return logits.log_softmax(dim=-1)


class ExactEvaluation(BaseCallback):
    """Evaluates on the validation split now and then, keeps the best policy per family of metrics.

    Args:
        run: Where ``eval/`` scalars go; their step is the number of inputs seen (episodes finished).
        dataset: The data.
        every: Environment steps between evaluations.
        progress: Told the share of the steps done.
    """

    def __init__(self, run: Run, dataset: MultilabelDataset, every: int, progress: Progress) -> None:
        super().__init__()
        self.run = run
        self.dataset = dataset
        self.every = every
        self.progress = progress
        self.inputs_seen = 0
        self.best: dict[str, tuple[float, dict[str, Any]]] = {}
        self._due = every

    def _on_training_start(self) -> None:
        self._logger = RunLogger(self.run)

    def _on_step(self) -> bool:
        self.inputs_seen += int(np.sum(self.locals["dones"]))
        # What the last rollout ends with is evaluated after the policy has learned from it.
        if self._due <= self.num_timesteps < self.run.settings.sb3_steps:
            self._due += self.every
            self._evaluate()
        return True

    def _on_rollout_start(self) -> None:
        self.progress(min(1.0, self.num_timesteps / self.run.settings.sb3_steps), "environment steps")

    def _on_training_end(self) -> None:
        self._evaluate()
        self._logger.__exit__()

    def _evaluate(self) -> None:
        predictor = policy_predictor(
            self.model, self.dataset.num_labels, self.run.settings.chain_limit(self.dataset)
        )
        metrics = evaluate(predictor, self.dataset, "validation").metrics
        self._logger.scalars("eval", metrics, self.inputs_seen)
        for family, metric in self.run.settings.selection().items():
            if family not in self.best or metrics[metric] > self.best[family][0]:
                self.best[family] = metrics[metric], copy.deepcopy(self.model.policy.state_dict())


def policy_predictor(model: BaseAlgorithm, num_labels: int, max_labels: int) -> ChainPredictor:
    """A trained agent as a predictor."""
    model.policy.set_training_mode(False)
    return ChainPredictor(PolicyStepModel(model.policy, num_labels), max_labels, model.device)


def train_sb3(run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """Train an agent on SB3's own vector environment; write ``ranking.zip`` and ``label_set.zip``.

    The two files hold the policies that the validation rows select for ranking and for label sets, in
    Stable-Baselines3's own format. A run that was stopped starts again.

    Returns:
        The number of inputs seen.
    """
    settings = run.settings
    limit = settings.chain_limit(dataset)
    run.forget_events()

    def make() -> LabelChainEnv:
        return LabelChainEnv(dataset, reward=settings.sb3_reward, max_labels=limit)

    env = VecMonitor(DummyVecEnv([make] * NUM_ENVS), info_keywords=("is_success",))
    model = ALGORITHMS[run.learner]("MultiInputPolicy", env, seed=run.seed, device="cpu", **HYPERPARAMETERS)
    model.set_logger(configure(str(run.directory), ["tensorboard"]))
    callback = ExactEvaluation(run, dataset, max(1, settings.sb3_steps // NUM_EVALUATIONS), progress)
    model.learn(settings.sb3_steps, callback=callback)
    for family, (_, state) in callback.best.items():
        model.policy.load_state_dict(state)
        with written_beside(run.directory / f"{family}.zip") as temporary:
            model.save(temporary)
    env.close()
    return callback.inputs_seen


def load_sb3(run: Run, dataset: MultilabelDataset) -> Predictor:
    """The agent of a run as a predictor.

    SB3's format holds pickled objects: load only files that you trust.

    Raises:
        RunError: If a file is missing or damaged.
    """
    limit = run.settings.chain_limit(dataset)
    ranking, label_set = (
        policy_predictor(_load(run, family, dataset), dataset.num_labels, limit)
        for family in run.settings.selection()
    )
    return SelectedPredictor(ranking, label_set)


def _load(run: Run, family: str, dataset: MultilabelDataset) -> BaseAlgorithm:
    path = run.directory / f"{family}.zip"
    if not path.exists():
        raise RunError(f"{path} does not exist: the run was not trained, or its folder was moved in part")
    try:
        model = ALGORITHMS[run.learner].load(path, device="cpu")
        spaces: Any = model.observation_space
        shape = spaces["features"].shape[0], spaces["emitted"].n
    except Exception as error:  # a damaged pickle raises anything
        raise RunError(
            f"{path} is not a Stable-Baselines3 model, or is damaged ({error}); train again"
        ) from error
    check_fits(path, *shape, dataset)
    return model
