"""The fast ``VecEnv``: what it gives is what ``DummyVecEnv`` of single environments gives."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from labelchain.agents.chain_vec_env import ChainVecEnv, make_vec_env
from labelchain.agents.conformance import check_vec_env_conformance
from labelchain.envs import LabelChainEnv


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**31),
    num_envs=st.integers(1, 6),
    reward=st.sampled_from(["accuracy", "f1", "ndcg@5", "precision@3", "subset", "hamming"]),
    split=st.sampled_from(["train", "validation", "test"]),
    max_labels=st.sampled_from([None, 1, 4]),
    repeat_penalty=st.sampled_from([0.0, 0.1]),
    observation=st.sampled_from(["features", "index"]),
)
def test_it_equals_single_environments(seed, num_envs, **kwargs):
    ours = ChainVecEnv(num_envs=num_envs, **kwargs)
    theirs = DummyVecEnv([lambda: Monitor(LabelChainEnv(**kwargs))] * num_envs)
    check_vec_env_conformance(ours, theirs, num_steps=60, seed=seed)


def test_the_check_finds_what_differs(dataset):
    class Wrong(ChainVecEnv):
        def step_wait(self):
            observations, rewards, dones, infos = super().step_wait()
            return observations, rewards + (rewards > 0) * np.float32(1e-3), dones, infos

    singles = DummyVecEnv([lambda: LabelChainEnv(dataset)])
    with pytest.raises(AssertionError, match=r"step \d+: reward: expected"):
        check_vec_env_conformance(Wrong(dataset), singles)
    with pytest.raises(AssertionError, match="num_envs: expected 1, got 2"):
        check_vec_env_conformance(ChainVecEnv(dataset, 2), singles)
    with pytest.raises(AssertionError, match="observation_space: expected"):
        check_vec_env_conformance(ChainVecEnv(dataset, observation="index"), singles)


def test_rewards_of_all_actions_are_what_step_pays(dataset):
    env = ChainVecEnv(dataset, 5, reward="ndcg@3", repeat_penalty=0.2, seed=1)
    env.reset()
    rng = np.random.default_rng(1)
    for _ in range(50):
        actions = rng.integers(dataset.num_labels + 1, size=5)
        promised = env.action_rewards()[np.arange(5), actions]
        np.testing.assert_allclose(env.step(actions)[1], promised, rtol=1e-6)


def test_it_speaks_sb3s_language(dataset):
    env = ChainVecEnv(dataset, 4, split="validation", reward="f1")
    env.reset()
    assert is_masking_supported(env)
    np.testing.assert_array_equal(get_action_masks(env), env.action_masks())
    assert env.get_attr("dataset") == [dataset] * 4
    assert env.get_attr("split", indices=1) == ["validation"]
    assert env.get_attr("reward", indices=[0, 3]) == ["f1", "f1"]
    assert env.get_attr("max_labels")[0] == LabelChainEnv(dataset).max_labels
    assert len(env.env_method("action_masks", indices=[2])) == 1
    assert env.env_is_wrapped(Monitor) == [True] * 4
    assert env.env_is_wrapped(gym.wrappers.TimeLimit, indices=0) == [False]
    env.set_attr("note", "seen")
    assert env.get_attr("note") == ["seen"] * 4
    assert env.has_attr("note")
    assert not env.has_attr("compute_reward")  # SB3 would take it for a goal environment
    with pytest.raises(ValueError, match="share 'note': set it without indices"):
        env.set_attr("note", "other", indices=[0])
    with pytest.raises(AttributeError, match="action_masks and action_rewards, got 'render'"):
        env.env_method("render")
    with pytest.raises(AttributeError, match="nothing"):
        env.get_attr("nothing")


def test_sb3_agents_evaluate_on_it_without_a_warning(dataset):
    model = PPO("MultiInputPolicy", ChainVecEnv(dataset, 2), n_steps=8, batch_size=8, seed=0, device="cpu")
    model.learn(32)
    assert len(model.ep_info_buffer) > 0
    mean, _ = evaluate_policy(model, ChainVecEnv(dataset, 2, split="test", seed=0), n_eval_episodes=5)
    assert 0.0 <= mean <= 1.0


def test_options_pin_inputs(dataset):
    env = ChainVecEnv(dataset, 3, split="test", observation="index", seed=3)
    free = env.reset()["row"][:, 0]
    env.seed(3)
    env.set_options([{"index": 4}, {}, {"index": 0}])
    rows = env.reset()["row"][:, 0]
    assert rows.tolist() == [env.rows[4], free[1], env.rows[0]]
    env.set_options({"row": 1})
    with pytest.raises(ValueError, match=r"may hold 'index' only, got \['row'\]"):
        env.reset()


def test_wrong_use_is_refused(dataset):
    with pytest.raises(ValueError, match="num_envs must be at least 1, got 0"):
        ChainVecEnv(dataset, 0)
    env = ChainVecEnv(dataset, 2)
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        env.step(np.array([0, 0]))
    env.reset()
    with pytest.raises(ValueError, match=r"actions must be integers of shape \(2,\)"):
        env.step(np.array([0]))
    with pytest.raises(ValueError, match=r"actions must be in 0\.\.5"):
        env.step(np.array([0, 6]))
    with pytest.raises(RuntimeError, match="step_async"):
        env.step_wait()


@pytest.mark.parametrize(
    ("name", "value"),
    [("reward", "hamming"), ("max_labels", 1), ("split", "test"), ("rows", []), ("dataset", 0)],
)
def test_what_episodes_are_made_of_cannot_be_set(dataset, name, value):
    env = ChainVecEnv(dataset, 2, reward="f1")
    before = env.get_attr(name)[0]
    with pytest.raises(AttributeError, match=f"{name!r} of a ChainVecEnv is fixed: make another one"):
        env.set_attr(name, value)
    with pytest.raises(AttributeError, match="is fixed"):
        setattr(env, name, value)
    assert env.get_attr(name)[0] is before


def test_it_pickles_and_goes_on_alike(dataset):
    env = ChainVecEnv(dataset, 3, seed=0)
    env.reset()
    twin = pickle.loads(pickle.dumps(env))
    for _ in range(20):
        actions = np.array([0, 1, dataset.num_labels])
        np.testing.assert_array_equal(env.step(actions)[0]["features"], twin.step(actions)[0]["features"])


def test_make_vec_env_takes_ids():
    env = make_vec_env("labelchain/DigitScenes-v0", n_envs=3, seed=1, env_kwargs={"reward": "f1"})
    assert (env.num_envs, env.reward, env.dataset.name) == (3, "f1", "digit-scenes")
    np.testing.assert_array_equal(
        env.reset()["features"], ChainVecEnv("digit-scenes", 3, reward="f1", seed=1).reset()["features"]
    )
    with pytest.raises(ValueError, match="'CartPole-v1' is not an environment of labelchain"):
        make_vec_env("CartPole-v1")
    with pytest.raises(TypeError, match="render_mode"):
        make_vec_env("labelchain/DigitScenes-v0", env_kwargs={"render_mode": "ansi"})
