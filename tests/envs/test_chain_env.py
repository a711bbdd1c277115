"""The environment's contract, with Gymnasium's and Stable-Baselines3's own checkers."""

import json
import pickle
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import labelchain.envs
from labelchain.envs import ENV_IDS, LabelChainEnv, MultilabelDataset, load_dataset
from labelchain.envs.datasets import CATALOGUE

STOP = 10


def digits(**kwargs):
    return gym.make("labelchain/DigitScenes-v0", **kwargs)


BUILT_IN = ["labelchain/Chain-v0", "labelchain/DigitScenes-v0"]
BUILT_IN += [env_id for env_id, name in ENV_IDS.items() if name and name.startswith("diagnostic-")]
MULAN = [env_id for env_id, name in ENV_IDS.items() if name in CATALOGUE and CATALOGUE[name].kind == "mulan"]


@pytest.mark.parametrize("env_id", BUILT_IN)
@pytest.mark.parametrize("render_mode", [None, "ansi", "rgb_array"])
def test_checkers_of_gymnasium_and_sb3_pass_without_a_warning(env_id, render_mode):
    env = gym.make(env_id, render_mode=render_mode)
    check_env(env.unwrapped)
    sb3_check_env(env.unwrapped)


@pytest.mark.data
@pytest.mark.parametrize("env_id", MULAN)
def test_checkers_pass_on_real_data_without_a_warning(env_id, data_folder):
    for observation in ("features", "index"):
        env = gym.make(env_id, observation=observation).unwrapped
        check_env(env)
        sb3_check_env(env)


def test_ids_are_registered_and_found_without_an_import():
    assert all(env_id in gym.registry for env_id in ENV_IDS)
    code = "import gymnasium; print(gymnasium.make('labelchain.envs:labelchain/DigitScenes-v0').spec.id)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "labelchain/DigitScenes-v0"


def test_the_environments_import_neither_torch_nor_sb3():
    code = (
        "import sys, gymnasium, labelchain.envs\n"
        "gymnasium.make('labelchain/DigitScenes-v0').reset()\n"
        "print([m for m in ('torch', 'stable_baselines3', 'sb3_contrib', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@settings(max_examples=25)
@given(st.integers(0, 1000), st.sampled_from(["accuracy", "f1", "ndcg@5", "subset"]))
def test_same_seed_same_trajectory(seed, reward):
    def trajectory():
        env = digits(reward=reward)
        env.action_space.seed(seed)
        observation, info = env.reset(seed=seed)
        seen = [observation["features"].tobytes(), info["index"]]
        for _ in range(20):
            observation, value, terminated, truncated, info = env.step(env.action_space.sample())
            seen.append((observation["emitted"].tobytes(), value, terminated, truncated, info["index"]))
            if terminated or truncated:
                observation, info = env.reset()
                seen.append(info["index"])
        return seen

    assert trajectory() == trajectory()


@given(st.integers(0, 3599), st.lists(st.integers(0, 10), min_size=7, max_size=7))
@settings(max_examples=50)
def test_return_is_the_metric_of_the_episode(index, actions):
    for reward, metric in (("accuracy", "accuracy"), ("f1", "f1_example"), ("ndcg@5", "nDCG@5")):
        env = LabelChainEnv(reward=reward)
        env.reset(options={"index": index})
        total = 0.0
        for action in actions:
            promised = env.action_rewards()[action]
            _, value, terminated, truncated, info = env.step(action)
            assert value == pytest.approx(promised)
            total += value
            if terminated or truncated:
                break
        assert total == pytest.approx(info["metrics"][metric])


def test_masks_forbid_labels_that_are_out_and_never_stop():
    env = digits()
    _, info = env.reset(seed=1)
    assert info["action_mask"].dtype == np.int8
    assert info["action_mask"].all()
    _, _, _, _, info = env.step(4)
    assert info["action_mask"].tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    assert env.unwrapped.action_masks().dtype == bool
    np.testing.assert_array_equal(env.unwrapped.action_masks(), info["action_mask"])


def test_a_perfect_chain_is_a_success_and_the_last_info_tells_all():
    env = digits(reward="f1")
    _, info = env.reset(options={"index": 0})
    true = env.unwrapped.dataset.labels[env.unwrapped.dataset.rows("train")[:1]].indices
    for label in true:
        _, _, terminated, truncated, info = env.step(label)
        assert "metrics" not in info
        assert not terminated
        assert not truncated
    _, reward, terminated, truncated, info = env.step(STOP)
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert info["is_success"] is True
    assert info["index"] == 0
    assert info["chain"] == info["true_labels"] == true.tolist()
    assert info["metrics"]["accuracy"] == info["metrics"]["nDCG@5"] == 1.0
    assert info["metrics"]["first_error"] == len(true) + 1


def test_repeats_use_up_steps_until_the_limit_ends_the_episode():
    env = digits(max_labels=3, repeat_penalty=0.5)
    env.reset(seed=0)
    env.step(1)
    _, reward, terminated, truncated, info = env.step(1)
    assert reward == -0.5
    _, _, terminated, truncated, info = env.step(1)
    assert (terminated, truncated) == (True, False)  # what the end pays is paid: nothing to bootstrap
    assert info["chain"] == [1]
    assert info["metrics"]["repeats"] == 2.0


def test_emitting_every_label_terminates(dataset):
    env = LabelChainEnv(dataset, max_labels=20)
    env.reset(seed=0)
    outcomes = [env.step(label)[2:4] for label in range(dataset.num_labels)]
    assert outcomes == [(False, False)] * 4 + [(True, False)]


def test_default_limit_is_half_again_the_largest_training_label_set_and_one():
    assert LabelChainEnv().max_labels == int(1.5 * 4) + 1


def test_observations_do_not_change_later():
    env = digits()
    first, _ = env.reset(seed=3)
    kept = first["emitted"].copy(), first["features"].copy()
    later, *_ = env.step(2)
    assert not np.shares_memory(first["features"], later["features"])
    np.testing.assert_array_equal(first["emitted"], kept[0])
    later["features"][:] = 7
    np.testing.assert_array_equal(env.step(3)[0]["features"], kept[1])


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="max_labels must be a whole number of at least 1, got '3'"):
        LabelChainEnv(max_labels="3")
    with pytest.raises(TypeError, match="expected the name or the path of a data set, got 3"):
        LabelChainEnv(3)
    with pytest.raises(ValueError, match="max_labels must be a whole number of at least 1, got 0"):
        LabelChainEnv(max_labels=0)
    with pytest.raises(ValueError, match="repeat_penalty must be finite and at least 0"):
        LabelChainEnv(repeat_penalty=-1)
    with pytest.raises(ValueError, match="render_mode must be None or one of"):
        LabelChainEnv(render_mode="human")
    with pytest.raises(ValueError, match="unknown split 'tst': expected one of train, validation, test"):
        LabelChainEnv(split="tst")
    with pytest.raises(ValueError, match="unknown reward 'f2'"):
        LabelChainEnv(reward="f2")


@pytest.mark.parametrize("index", [-1, 3600, 1.5, "0", True, None])
def test_a_wrong_index_is_refused(index):
    with pytest.raises(ValueError, match=r"options\['index'\] must be an integer in 0\.\.3599"):
        LabelChainEnv().reset(options={"index": index})


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match=r"may hold 'index' only, got \['row'\]"):
        LabelChainEnv().reset(options={"row": 1})


def test_stepping_without_an_episode_or_outside_the_action_space_is_refused():
    env = LabelChainEnv()
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)
    env.reset(seed=0)
    for action in (-1, 11, 0.5, None):
        with pytest.raises(ValueError, match=r"action must be an integer in 0\.\.10"):
            env.step(action)
    env.step(STOP)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)


def test_sparse_data_sets_give_dense_observations(make_dataset):
    data = make_dataset(sparse=True)
    env = gym.make("labelchain/Chain-v0", dataset=data, split="test").unwrapped
    check_env(env)
    observation, info = env.reset(seed=0)
    row = data.features[data.rows("test")[info["index"]]].toarray().ravel()
    np.testing.assert_array_equal(observation["features"], row)


def test_environment_pickles_and_its_spec_is_json():
    env = digits(reward="f1", split="test")
    json.loads(env.spec.to_json())
    copy = pickle.loads(pickle.dumps(env.unwrapped))
    assert copy.reset(seed=5)[1]["index"] == env.reset(seed=5)[1]["index"]


def test_gym_make_shares_the_data_set():
    assert digits().unwrapped.dataset is digits().unwrapped.dataset is load_dataset("digit-scenes")
    data = load_dataset("digit-scenes")
    assert isinstance(data, MultilabelDataset)
    assert gym.make("labelchain/Chain-v0", dataset=data).unwrapped.dataset is data


def test_ansi_shows_the_chain_and_what_was_missed(dataset):
    env = LabelChainEnv(dataset, render_mode="ansi")
    env.reset(options={"index": 0})
    true = np.flatnonzero(env.dataset.dense_labels(env.dataset.rows("train")[:1])[0])
    wrong = next(i for i in range(dataset.num_labels) if i not in true)
    env.step(true[0])
    env.step(wrong)
    env.step(wrong)
    text = env.render()
    assert f"chain   +label {true[0]} -label {wrong} =label {wrong}" in text
    assert "feature" in text
    assert "(accuracy)" in text


def test_rgb_array_shows_the_scene():
    env = digits(render_mode="rgb_array")
    env.reset(seed=2)
    before = env.render()
    assert before.shape == (320, 640, 3)
    assert before.dtype == np.uint8
    env.step(0)
    assert (env.render() != before).any()


@pytest.mark.parametrize("mode", list(gym.vector.AutoresetMode)[:2])
def test_vectorised_by_gymnasium_it_behaves_as_singles(mode):
    makers = [digits] * 3
    vector = gym.vector.SyncVectorEnv(makers, autoreset_mode=mode)
    observations, _ = vector.reset(seed=11)
    for i in range(3):
        single, _ = digits().reset(seed=11 + i)
        np.testing.assert_array_equal(observations["features"][i], single["features"])
    vector.action_space.seed(0)
    for _ in range(100):  # chains of different lengths end at the same step
        vector.step(vector.action_space.sample())
    vector.close()


def test_all_documented_names_exist():
    assert set(labelchain.envs.__all__) <= set(dir(labelchain.envs))
