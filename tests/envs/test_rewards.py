"""Rewards: increments add up to the score, for single steps, batches and every action."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from labelchain.envs import rewards
from labelchain.envs.chains import ChainBatch, first_occurrences
from labelchain.envs.metrics import Predictions, row_scores
from labelchain.envs.rewards import Reward, discounts, make_reward, register_reward, reward_names

NAMES = [
    "accuracy",
    "f1",
    "ndcg@3",
    "ndcg@5",
    "precision@1",
    "precision@3",
    "precision@5",
    "subset",
    "hamming",
]
METRIC_OF = {
    "accuracy": "accuracy",
    "f1": "f1_example",
    "ndcg@3": "nDCG@3",
    "ndcg@5": "nDCG@5",
    "precision@1": "P@1",
    "precision@3": "P@3",
    "precision@5": "P@5",
    "subset": "subset_accuracy",
}


@st.composite
def episodes(draw):
    """A batch of episodes: true labels (n, L), and actions (n, limit) with repeats and STOP."""
    num_labels = draw(st.integers(1, 8))
    num_envs = draw(st.integers(1, 5))
    limit = draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    true = rng.random((num_envs, num_labels)) < draw(st.floats(0, 1))
    actions = rng.integers(0, num_labels + 1, (num_envs, limit))
    return true, actions


def entries(true):
    """How many labels each input has, and which, of label indicators ``(n, L)``."""
    return np.sum(true, axis=1), np.nonzero(true)[1]


def play(true, name, actions):
    """Step a batch until every episode has ended; returns and the actions that counted."""
    num_envs, num_labels = true.shape
    batch = ChainBatch(num_envs, num_labels, make_reward(name, num_labels), actions.shape[1])
    batch.reset(np.arange(num_envs), *entries(true))
    returns, running = np.zeros(num_envs), np.ones(num_envs, dtype=bool)
    counted = np.full(actions.shape, -1)
    for step in range(actions.shape[1]):
        rewards, ended = batch.step(actions[:, step])
        returns += rewards * running
        counted[running, step] = actions[running, step]
        running &= ~ended
    assert not running.any()
    return returns, counted


@given(episodes(), episodes(), st.sampled_from(NAMES))
def test_nothing_of_an_episode_is_left_in_the_next(first, second, name):
    (true, actions), (next_true, _) = first, second
    num_labels = true.shape[1]
    next_true = np.resize(next_true, true.shape)
    used, fresh = (
        ChainBatch(len(true), num_labels, make_reward(name, num_labels), actions.shape[1]) for _ in range(2)
    )
    used.reset(np.arange(len(true)), *entries(true))
    for step in range(actions.shape[1]):
        used.step(actions[:, step])
    for batch in (used, fresh):
        batch.reset(np.arange(len(true)), *entries(next_true))
    for step in range(actions.shape[1]):
        np.testing.assert_array_equal(used.action_rewards(), fresh.action_rewards())
        paid, expected = (batch.step(actions[:, step])[0] for batch in (used, fresh))
        np.testing.assert_array_equal(paid, expected)
    np.testing.assert_array_equal(used.true, next_true)
    np.testing.assert_array_equal(used.actions, fresh.actions)


@pytest.mark.parametrize("name", NAMES)
@given(episode=episodes())
@settings(max_examples=40)
def test_return_of_an_episode_is_the_score_of_its_chain(name, episode):
    true, actions = episode
    returns, counted = play(true, name, actions)
    chain = first_occurrences(counted, true.shape[1])
    labels = sparse.csr_array(true.astype(np.int8))
    scores = row_scores(labels, Predictions(chain, chain))
    expected = 1.0 - scores["hamming_loss"] if name == "hamming" else scores[METRIC_OF[name]]
    np.testing.assert_allclose(returns, expected, atol=1e-12)


@given(episodes(), st.sampled_from(NAMES), st.floats(0, 2))
@settings(max_examples=50)
def test_action_rewards_are_what_step_would_pay(episode, name, penalty):
    true, actions = episode
    num_envs, num_labels = true.shape

    def batch_after(steps):
        reward = make_reward(name, num_labels)
        batch = ChainBatch(num_envs, num_labels, reward, actions.shape[1], repeat_penalty=penalty)
        batch.reset(np.arange(num_envs), *entries(true))
        for step in range(steps):
            batch.step(actions[:, step])
        return batch

    steps = actions.shape[1] // 2
    promised = batch_after(steps).action_rewards()
    for action in range(num_labels + 1):
        paid = batch_after(steps).step(np.full(num_envs, action))[0]
        np.testing.assert_allclose(promised[:, action], paid, atol=1e-12)


def test_a_repeated_label_earns_nothing_and_costs_the_penalty():
    batch = ChainBatch(1, 3, make_reward("accuracy", 3), max_steps=5, repeat_penalty=0.25)
    batch.reset(np.array([0]), *entries([[True, True, False]]))
    assert batch.step(np.array([0]))[0] == pytest.approx(0.5)
    assert batch.step(np.array([0]))[0] == pytest.approx(-0.25)
    assert batch.hits.tolist() == [1]


def test_accuracy_pays_for_right_labels_and_takes_for_wrong_ones():
    batch = ChainBatch(1, 4, make_reward("accuracy", 4), max_steps=5)
    batch.reset(np.array([0]), *entries([[True, True, False, False]]))
    assert batch.step(np.array([0]))[0] == pytest.approx(1 / 2)
    assert batch.step(np.array([2]))[0] == pytest.approx(1 / 3 - 1 / 2)
    assert batch.step(np.array([1]))[0] == pytest.approx(2 / 3 - 1 / 3)


@pytest.mark.parametrize(
    ("name", "paid"),
    [
        ("f1", [2 / 4, 4 / 5 - 2 / 4, 6 / 6 - 4 / 5, 0]),
        ("hamming", [1 / 5, 1 / 5, 1 / 5, 2 / 5]),
        ("subset", [0, 0, 0, 1]),
        ("precision@3", [1 / 3, 1 / 3, 1 / 3, 0]),
    ],
)
def test_what_a_right_chain_is_paid(name, paid):
    batch = ChainBatch(1, 5, make_reward(name, 5), max_steps=5)
    batch.reset(np.array([0]), *entries([[True, True, True, False, False]]))
    assert [batch.step(np.array([action]))[0].item() for action in (0, 1, 2, 5)] == pytest.approx(paid)


def test_discounts_are_those_of_dcg():
    assert discounts(3).tolist() == pytest.approx([1, 1 / np.log2(3), 1 / 2])


def test_a_reward_cannot_be_changed():
    """Environments of one kind share theirs."""
    with pytest.raises(FrozenInstanceError):
        make_reward("f1", 3).at_end = True


def test_stopping_at_once_on_an_input_without_labels_is_right():
    for name in ("accuracy", "f1", "subset"):
        batch = ChainBatch(1, 4, make_reward(name, 4), max_steps=5)
        batch.reset(np.array([0]), *entries(np.zeros((1, 4), dtype=bool)))
        assert batch.step(np.array([4]))[0] == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["", "jaccard", "ndcg", "ndcg@0", "ndcg@-1", "precision@x", None])
def test_unknown_reward_names_the_known_ones(name):
    with pytest.raises(
        ValueError, match=r"unknown reward .* expected one of accuracy, .*ndcg@k.* as in ndcg@5"
    ):
        make_reward(name, 5)


def test_a_reward_of_ones_own_plugs_in_by_name():
    def count_right(hits, emitted, true):
        return hits.astype(float)

    register_reward("right", lambda _: rewards.Reward("right", score=count_right))
    try:
        assert "right" in reward_names()
        returns, _ = play(np.array([[True, False]]), "right", np.array([[0, 1, 2]]))
        assert returns.tolist() == [1.0]
        with pytest.raises(ValueError, match="taken"):
            register_reward("right", lambda _: rewards.Reward("right", score=count_right))
    finally:
        del rewards._FACTORIES["right"]


@pytest.mark.parametrize(
    ("score", "paid"),
    [
        (lambda hits, *_: hits, [1, 1, -0.25, 0, 0]),
        (lambda hits, emitted, _: 2 * hits - emitted, [1, 1, -0.25, -1, 0]),
        (lambda hits, *_: (1 + hits).astype(np.float32), [1, 1, -0.25, 0, 1]),
    ],
)
def test_a_score_may_be_a_count(score, paid):
    """Whole numbers, or the very array that counts."""
    batch = ChainBatch(2, 4, Reward("own", score=score), max_steps=9, repeat_penalty=0.25)
    for _ in range(2):
        batch.reset(np.arange(2), *entries([[True, True, False, False]] * 2))
        steps = [batch.step(np.full(2, action))[0] for action in (0, 1, 0, 2, 4)]
        assert np.transpose(steps).tolist() == [paid, paid]


@given(episodes())
@pytest.mark.parametrize("at_end", [False, True])
def test_a_score_is_asked_of_counts_that_a_chain_can_have_alone(at_end, episode):
    true, actions = episode
    num_envs, num_labels = true.shape

    def score(hits, emitted, true):
        wrong = emitted - hits
        assert np.all((hits >= 0) & (hits <= true) & (wrong >= 0) & (wrong <= num_labels - true))
        return np.sqrt(true - hits) + np.sqrt(num_labels - true - wrong)

    batch = ChainBatch(num_envs, num_labels, Reward("own", score=score, at_end=at_end), actions.shape[1])
    batch.reset(np.arange(num_envs), *entries(true))
    for step in range(actions.shape[1]):
        promised = batch.action_rewards()
        paid, _ = batch.step(actions[:, step])
        np.testing.assert_allclose(promised[np.arange(num_envs), actions[:, step]], paid, atol=1e-12)


def test_a_factory_must_return_a_reward():
    register_reward("odd", lambda _: 7)
    try:
        with pytest.raises(TypeError, match="the factory of 'odd' must return a Reward, got 7"):
            make_reward("odd", 4)
    finally:
        del rewards._FACTORIES["odd"]


def test_a_reward_is_of_one_kind():
    gain = make_reward("ndcg@3", 4).rank_gain
    for wrong in ({}, {"score": make_reward("f1", 4).score, "rank_gain": gain}):
        with pytest.raises(ValueError, match="reward 'own' must have either a score or a rank_gain"):
            Reward("own", **wrong)
    with pytest.raises(
        ValueError, match="reward 'own' has a rank_gain, paid at once: at_end goes with a score"
    ):
        Reward("own", rank_gain=gain, at_end=True)


def test_first_occurrences_keeps_order_and_stops_at_stop():
    chains = np.array([[2, 2, 0, 3, 1], [1, 0, 1, 2, -1], [3, 1, 1, 1, 1], [-1, -1, -1, -1, -1]])
    expected = [[2, 0, -1, -1, -1], [1, 0, 2, -1, -1], [-1] * 5, [-1] * 5]
    assert first_occurrences(chains, 3).tolist() == expected
