"""Stable-Baselines3 and sb3-contrib agents, unchanged, on ``ChainVecEnv``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sb3_contrib import QRDQN, MaskablePPO, RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.save_util import load_from_zip_file

from labelchain.agents.callbacks import BestCheckpoint, ExactEvaluation, OrderStatistics
from labelchain.agents.chain_vec_env import ChainVecEnv
from labelchain.agents.checkpoints import check_fits
from labelchain.agents.extractors import RowExtractor
from labelchain.agents.run_logger import RunLogger
from labelchain.agents.runs import Progress, Run, RunError
from labelchain.agents.sb3_policies import policy_predictor
from labelchain.agents.zoo_hyperparameters import ZooEntry, zoo_entry
from labelchain.envs import MultilabelDataset
from labelchain.envs.evaluation import Predictor, SelectedPredictor

ALGORITHMS: dict[str, type[BaseAlgorithm]] = {
    "ppo": PPO,
    "a2c": A2C,
    "dqn": DQN,
    "qr-dqn": QRDQN,
    "maskable-ppo": MaskablePPO,
    "recurrent-ppo": RecurrentPPO,
}

NUM_EVALUATIONS = 10
EPISODES_BETWEEN_LOGS = 100
"""How often off-policy agents write ``rollout/``, ``train/`` and ``time/``; others do after each rollout."""


class ReportProgress(BaseCallback):
    """Tells how far the training is, a hundred times.

    Args:
        progress: Told the share of the steps done.
        steps: All steps.
    """

    def __init__(self, progress: Progress, steps: int) -> None:
        super().__init__()
        self.progress = progress
        self.steps = steps
        self._told = -1

    def _on_step(self) -> bool:
        hundredths = min(100, 100 * self.num_timesteps // self.steps)
        if hundredths > self._told:
            self._told = hundredths
            self.progress(hundredths / 100, "environment steps")
        return True


def make_agent(
    name: str,
    dataset: MultilabelDataset,
    entry: ZooEntry,
    seed: int,
    max_labels: int | None = None,
    reward: str | None = None,
) -> BaseAlgorithm:
    """An agent on its environments, not trained yet.

    With sparse features the environments give row numbers, and the policy holds the feature matrix.

    Args:
        name: One of :data:`ALGORITHMS`.
        dataset: The data.
        entry: The hyperparameters.
        seed: Seeds the agent and its environments.
        max_labels: Chain limit, or ``None`` for the default.
        reward: The name of a reward, or ``None`` for that of the hyperparameters.
    """
    chosen = {"reward": reward} if reward is not None else {}
    env = ChainVecEnv(
        dataset,
        entry.n_envs,
        max_labels=max_labels,
        observation="index" if dataset.is_sparse else "features",
        **(entry.env_kwargs | chosen),
    )
    arguments = dict(entry.arguments)
    if dataset.is_sparse:
        arguments["policy_kwargs"] = {
            **arguments.get("policy_kwargs", {}),
            "features_extractor_class": RowExtractor,
            "features_extractor_kwargs": {"dataset": dataset},
        }
    algorithm: Any = ALGORITHMS[name]
    agent: BaseAlgorithm = algorithm(entry.policy, env, seed=seed, device="cpu", **arguments)
    return agent


def train_sb3(run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """Train an agent; write ``ranking.zip`` and ``label_set.zip``.

    The two files hold the agents that the validation rows select for ranking and for label sets, in
    Stable-Baselines3's own format. A run that was stopped starts again.

    Returns:
        The number of inputs seen.
    """
    settings = run.settings
    limit = settings.chain_limit(dataset)
    run.forget_events()
    entry = zoo_entry(run.learner, dataset.name)
    steps = entry.n_timesteps if settings.sb3_steps is None else settings.sb3_steps
    agent: Any = make_agent(run.learner, dataset, entry, run.seed, limit, settings.sb3_reward)
    # The data stay out of the saved files.
    agent.policy_kwargs = _with_data(agent.policy_kwargs, run.dataset)
    agent.set_logger(configure(str(run.directory), ["tensorboard"]))
    best = [BestCheckpoint(_file(run, family), metric) for family, metric in settings.selection().items()]
    with RunLogger(run) as logger:
        evaluation = ExactEvaluation(
            dataset,
            max(1, steps // NUM_EVALUATIONS),
            max_labels=limit,
            after=[*best, OrderStatistics()],
            log=logger.scalars,
        )
        log_interval = EPISODES_BETWEEN_LOGS if isinstance(agent, OffPolicyAlgorithm) else 1
        agent.learn(steps, callback=[evaluation, ReportProgress(progress, steps)], log_interval=log_interval)
    return evaluation.inputs_seen


def load_sb3(run: Run, dataset: MultilabelDataset) -> Predictor:
    """The agent of a run as a predictor.

    SB3's format holds pickled objects: load only files that you trust.

    Raises:
        RunError: If a file is missing or damaged.
    """
    limit = run.settings.chain_limit(dataset)
    ranking, label_set = (
        policy_predictor(_load(run, family, dataset), limit) for family in run.settings.selection()
    )
    return SelectedPredictor(ranking, label_set)


def _file(run: Run, family: str) -> Path:
    return run.directory / f"{family}.zip"


def _with_data(policy_kwargs: dict[str, Any], dataset: str | MultilabelDataset) -> dict[str, Any]:
    """The arguments of a policy, with another data set if its extractor looks rows up."""
    if policy_kwargs.get("features_extractor_class") is not RowExtractor:
        return policy_kwargs
    extractor = policy_kwargs["features_extractor_kwargs"] | {"dataset": dataset}
    return policy_kwargs | {"features_extractor_kwargs": extractor}


def _load(run: Run, family: str, dataset: MultilabelDataset) -> BaseAlgorithm:
    path = _file(run, family)
    if not path.exists():
        raise RunError(f"{path} does not exist: the run was not trained, or its folder was moved in part")
    algorithm = ALGORITHMS[run.learner]
    try:
        data, parameters, _ = load_from_zip_file(path, device="cpu")
        assert data is not None and parameters is not None
        policy: Any = parameters["policy"]
        shape = _num_features(data, policy), int(data["action_space"].n) - 1
        policy_kwargs = _with_data(data["policy_kwargs"], dataset)
    except Exception as error:  # a damaged pickle raises anything
        raise RunError(
            f"{path} is not a Stable-Baselines3 model, or is damaged ({error}); train again"
        ) from error
    check_fits(path, *shape, dataset)
    return algorithm.load(path, device="cpu", custom_objects={"policy_kwargs": policy_kwargs})


def _num_features(data: dict[str, Any], parameters: dict[str, Any]) -> int:
    """Columns of the inputs of a saved agent; one that observes row numbers has them in its extractor."""
    seen = data["observation_space"].spaces
    if "features" in seen:
        return int(seen["features"].shape[0])
    name = next(name for name in parameters if name.endswith("features_extractor.project.weight"))
    return int(parameters[name].shape[0])
