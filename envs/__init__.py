"""The problem: multi-label data sets as Gymnasium environments. Importing this registers them.

This floor needs gymnasium, numpy, scipy and scikit-learn, never torch or Stable-Baselines3.
"""

import re

import gymnasium as gym

from labelchain.envs.chain_env import LabelChainEnv, LabelChainVectorEnv
from labelchain.envs.datasets import CATALOGUE, DatasetError, MultilabelDataset, load_dataset
from labelchain.envs.datasets.diagnostics import DIAGNOSTICS
from labelchain.envs.episodes import default_max_labels
from labelchain.envs.evaluation import Evaluation, Predictor, evaluate

__all__ = [
    "ENV_IDS",
    "DatasetError",
    "Evaluation",
    "LabelChainEnv",
    "LabelChainVectorEnv",
    "MultilabelDataset",
    "Predictor",
    "default_max_labels",
    "evaluate",
    "load_dataset",
]


def _env_id(dataset: str) -> str:
    """``digit-scenes`` is ``labelchain/DigitScenes-v0``, ``tmc2007-500`` is ``labelchain/Tmc2007-500-v0``."""
    return f"labelchain/{re.sub('(?:^|-)([a-z])', lambda match: match[1].upper(), dataset)}-v0"


ENV_IDS: dict[str, str | None] = {
    "labelchain/Chain-v0": None,
    **{_env_id(name): name for name in (*CATALOGUE, *DIAGNOSTICS)},
}
"""The registered ids, each with the name of its data set; ``labelchain/Chain-v0`` takes any, by name or path:
``gym.make("labelchain/Chain-v0", dataset=...)``."""

for _id, _dataset in ENV_IDS.items():
    if _id not in gym.registry:  # worker processes import this again
        gym.register(
            _id,
            entry_point="labelchain.envs.chain_env:LabelChainEnv",
            vector_entry_point="labelchain.envs.chain_env:LabelChainVectorEnv",
            kwargs={} if _dataset is None else {"dataset": _dataset},
        )
