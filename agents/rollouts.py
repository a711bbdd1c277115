"""What a learner does on training inputs while it learns: the same figures for agents, networks and scores.

They are taken on one fixed sample, so that the curves of all learners compare.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelchain.agents.decoding import ChainPredictor, sample_chains
from labelchain.agents.likelihood import label_lists
from labelchain.agents.policy_gradient import chain_rewards
from labelchain.agents.settings import Settings
from labelchain.envs import MultilabelDataset
from labelchain.envs.evaluation import Predictor, SelectedPredictor
from labelchain.envs.metrics import summarise
from labelchain.envs.rewards import make_reward

SAMPLE = 512
"""Training inputs that the figures are taken on, at most."""
ANSWERS = ("P@1", "nDCG@5", "f1_example")
"""Metrics of the sample. Far above those of the validation rows, they tell of overfitting."""


def training_figures(
    predictor: Predictor, dataset: MultilabelDataset, settings: Settings, seed: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Figures of one rollout per input of the sample, and of the greedy answers to it.

    A step model is rolled out as an agent acts in the environment: it samples every label, and STOP. Whatever
    gives no step distribution acts by its greedy chain.

    Args:
        predictor: What is looked at.
        dataset: The data.
        settings: The reward and the chain limit.
        seed: Seeds the sampling; no other random state is touched.

    Returns:
        ``ep_rew_mean`` (in the settings' reward) and ``ep_len_mean`` (actions, STOP is one), as
        Stable-Baselines3 names them; and the metrics :data:`ANSWERS` in per cent.
    """
    rows = evenly_spaced(dataset.rows("train"), SAMPLE)
    features = dataset.dense_features(rows)
    limit = settings.chain_limit(dataset)
    predictions = predictor.predict(features)
    chooser = label_set_part(predictor)
    if isinstance(chooser, ChainPredictor):
        generator = torch.Generator(chooser.device).manual_seed(seed)
        inputs = torch.from_numpy(features).to(chooser.device)
        actions = sample_chains(chooser.learned, inputs, limit, generator).cpu()
    else:
        actions = actions_of(predictions.chains, dataset.num_labels, limit)
    labels = label_lists(dataset, torch.from_numpy(rows))
    reward = make_reward(settings.reward, dataset.num_labels)
    rewards = chain_rewards(reward, actions, labels, dataset.num_labels)
    metrics = summarise(dataset.labels[rows], predictions)
    return {
        "ep_rew_mean": rewards.sum(dim=1).mean().item(),
        "ep_len_mean": (actions >= 0).sum(dim=1).float().mean().item(),
    }, {name: metrics[name] for name in ANSWERS}


def label_set_part(predictor: Predictor) -> Predictor:
    """What gives the label sets of a predictor that is composed of two."""
    while isinstance(predictor, SelectedPredictor):
        predictor = predictor.label_set
    return predictor


def ranking_part(predictor: Predictor) -> Predictor:
    """What gives the rankings of a predictor that is composed of two."""
    while isinstance(predictor, SelectedPredictor):
        predictor = predictor.ranking
    return predictor


def actions_of(chains: NDArray[np.int64], num_labels: int, max_labels: int) -> Tensor:
    """Predicted chains as the actions of episodes: STOP after the last label, unless the limit came first.

    Args:
        chains: ``(n, length)`` distinct labels, padded with -1.
        num_labels: L; action L is STOP.
        max_labels: Chain limit.

    Returns:
        ``(n, steps)`` int64, padded with -1, as :func:`labelchain.agents.decoding.sample_chains` gives them.
    """
    limit = min(max_labels, num_labels)
    actions = np.pad(chains, ((0, 0), (0, 1)), constant_values=-1)
    actions[np.arange(len(chains)), (chains >= 0).sum(axis=1)] = num_labels
    return torch.from_numpy(actions[:, :limit].astype(np.int64))


def evenly_spaced(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most ``most`` of some rows, at equal distances: the same whoever asks, without drawing."""
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)
    return rows[places]
