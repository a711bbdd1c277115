"""The problem: multi-label data sets as Gymnasium environments. Importing this registers them.

This floor needs gymnasium, numpy, scipy and scikit-learn, never torch or Stable-Baselines3.
"""

import gymnasium as gym

from labelchain.envs.chain_env import LabelChainEnv, LabelChainVectorEnv
from labelchain.envs.datasets import DatasetError, MultilabelDataset, load_dataset
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

_DATASETS = {"labelchain/Chain-v0": None, "labelchain/DigitScenes-v0": "digit-scenes"}

ENV_IDS = tuple(_DATASETS)
"""The registered ids. ``labelchain/Chain-v0`` takes any data set: ``gym.make(..., dataset=name_or_path)``."""

for _id, _dataset in _DATASETS.items():
    if _id not in gym.registry:  # worker processes import this again
        gym.register(
            _id,
            entry_point="labelchain.envs.chain_env:LabelChainEnv",
            vector_entry_point="labelchain.envs.chain_env:LabelChainVectorEnv",
            kwargs={} if _dataset is None else {"dataset": _dataset},
        )
