"""Figures of what a learner does on training inputs: as the environment pays them, without a trace."""

import numpy as np
import pytest
import torch

from labelchain.agents import rollouts
from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.decoding import ChainPredictor
from labelchain.agents.networks import make_network
from labelchain.agents.rollouts import actions_of, evenly_spaced, training_figures
from labelchain.agents.settings import Settings
from labelchain.envs import LabelChainEnv
from labelchain.envs.evaluation import SelectedPredictor
from labelchain.envs.metrics import Predictions


class Chains:
    """Answers every input with a random chain of its own."""

    def predict(self, features):
        rng = np.random.default_rng(0)
        chains = np.stack([rng.permutation(5) for _ in features])
        lengths = rng.integers(0, 6, size=len(features))
        chains = np.where(np.arange(5) < lengths[:, None], chains, -1)
        return Predictions(chains, chains)


def returns_in_the_environment(dataset, reward, limit, chains):
    """The mean return and length of episodes that take given chains, then STOP."""
    env = LabelChainEnv(dataset, split="train", reward=reward, max_labels=limit)
    returns, lengths = [], []
    for index, chain in enumerate(chains):
        env.reset(options={"index": index})
        total, steps = 0.0, 0
        for action in [*chain[chain >= 0].tolist(), dataset.num_labels]:
            _, paid, terminated, truncated, _ = env.step(action)
            total, steps = total + paid, steps + 1
            if terminated or truncated:
                break
        returns.append(total)
        lengths.append(steps)
    return np.mean(returns), np.mean(lengths)


@pytest.mark.parametrize("reward", ["ndcg@5", "f1", "accuracy", "precision@3", "hamming"])
@pytest.mark.parametrize("limit", [1, 3, 5, 9])
def test_greedy_chains_earn_what_the_environment_pays(dataset, reward, limit):
    rollout, answers = training_figures(Chains(), dataset, Settings(reward=reward, max_labels=limit), seed=0)
    features = dataset.dense_features(dataset.rows("train"))
    returns, length = returns_in_the_environment(dataset, reward, limit, Chains().predict(features).chains)
    assert rollout["ep_rew_mean"] == pytest.approx(returns, abs=1e-6)
    assert rollout["ep_len_mean"] == pytest.approx(length)
    assert set(answers) == {"P@1", "nDCG@5", "f1_example"}


def test_a_step_model_is_rolled_out_by_sampling_and_leaves_no_trace(dataset):
    torch.manual_seed(1)
    network = make_network(dataset, NetworkConfig(width=8)).eval()
    predictor = ChainPredictor(network, 5)
    before = torch.get_rng_state()
    one, same, other, composed = (
        training_figures(each, dataset, Settings(reward="f1"), seed)[0]
        for each, seed in (
            (predictor, 0),
            (predictor, 0),
            (predictor, 1),
            (SelectedPredictor(Chains(), predictor), 0),
        )
    )
    assert torch.equal(before, torch.get_rng_state())
    assert one == same == composed
    assert one != other
    assert 0 < one["ep_rew_mean"] < 1
    assert 1 <= one["ep_len_mean"] <= 5


def test_large_data_sets_are_sampled_at_equal_distances(make_dataset, monkeypatch):
    asked = []

    class Watching(Chains):
        def predict(self, features):
            asked.append(features)
            return super().predict(features)

    monkeypatch.setattr(rollouts, "SAMPLE", 7)
    data = make_dataset()
    training_figures(Watching(), data, Settings(), seed=0)
    rows = evenly_spaced(data.rows("train"), 7)
    np.testing.assert_array_equal(asked[0], data.dense_features(rows))
    assert np.diff(np.searchsorted(data.rows("train"), rows)).tolist() in ([5, 6, 6, 6, 6, 6], [5, 6] * 3)


@pytest.mark.parametrize(("count", "most"), [(1, 1), (1, 9), (5, 5), (5, 4), (1000, 7)])
def test_evenly_spaced_rows_are_distinct_and_reach_both_ends(count, most):
    rows = np.arange(count) * 3
    chosen = evenly_spaced(rows, most)
    assert len(chosen) == min(count, most) == len(set(chosen.tolist()))
    assert set(chosen.tolist()) <= set(rows.tolist())
    assert chosen[0] == rows[0]
    if most > 1:
        assert chosen[-1] == rows[-1]


def test_chains_become_actions_that_stop_unless_the_limit_came_first():
    chains = np.array([[2, 0, 1], [1, -1, -1], [-1, -1, -1], [0, 2, -1]])
    assert actions_of(chains, num_labels=3, max_labels=9).tolist() == [
        [2, 0, 1],
        [1, 3, -1],
        [3, -1, -1],
        [0, 2, 3],
    ]
    assert actions_of(chains, num_labels=4, max_labels=2).tolist() == [[2, 0], [1, 4], [4, -1], [0, 2]]
    assert actions_of(chains[1:3], num_labels=4, max_labels=9).tolist() == [[1, 4, -1, -1], [4, -1, -1, -1]]
