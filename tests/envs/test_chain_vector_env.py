"""The vector environment: n of it are n single ones, in every autoreset mode."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from labelchain.envs import LabelChainEnv, LabelChainVectorEnv

NEXT_STEP, SAME_STEP, DISABLED = AutoresetMode


def assert_same(ours, theirs, where="infos"):
    """Compare infos of any depth; what is masked out does not count."""
    assert set(ours) - {"episode", "_episode"} == set(theirs), where
    for key, expected in theirs.items():
        value = ours[key]
        if isinstance(expected, dict):
            assert_same(value, expected, f"{where}.{key}")
        elif key.startswith("_"):
            np.testing.assert_array_equal(value, expected, err_msg=f"{where}.{key}")
        else:
            for env in np.flatnonzero(theirs[f"_{key}"]):
                if isinstance(expected[env], dict):
                    for name in expected[env]:
                        np.testing.assert_array_equal(value[env][name], expected[env][name])
                else:
                    np.testing.assert_array_equal(value[env], expected[env], err_msg=f"{where}.{key}")


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**31),
    mode=st.sampled_from(list(AutoresetMode)),
    reward=st.sampled_from(["accuracy", "f1", "ndcg@5", "precision@3", "subset", "hamming"]),
    num_envs=st.integers(1, 6),
    observation=st.sampled_from(["features", "index"]),
)
def test_vector_equals_singles(seed, mode, reward, num_envs, observation):
    kwargs = {"reward": reward, "max_labels": 4, "repeat_penalty": 0.1, "observation": observation}
    ours = LabelChainVectorEnv(num_envs, autoreset_mode=mode, **kwargs)
    theirs = SyncVectorEnv([lambda: LabelChainEnv(**kwargs)] * num_envs, autoreset_mode=mode)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    ours.action_space.seed(seed)

    def compare(mine, other):
        for name in mine[0]:
            np.testing.assert_array_equal(mine[0][name], other[0][name])
            assert mine[0][name].dtype == other[0][name].dtype
        for value, expected in zip(mine[1:-1], other[1:-1], strict=True):
            np.testing.assert_array_equal(value, expected)
        assert_same(mine[-1], other[-1])

    compare(ours.reset(seed=seed), theirs.reset(seed=seed))
    for _ in range(200):
        actions = ours.action_space.sample()
        mine, other = ours.step(actions), theirs.step(actions)
        compare(mine, other)
        ended = mine[2] | mine[3]
        if mode is DISABLED and ended.any():
            compare(ours.reset(options={"reset_mask": ended}), theirs.reset(options={"reset_mask": ended}))
    theirs.close()


@pytest.mark.parametrize("env_id", ["labelchain/Chain-v0", "labelchain/DigitScenes-v0"])
def test_make_vec_and_gymnasium_wrappers(env_id):
    envs = gym.make_vec(env_id, num_envs=8, vectorization_mode="vector_entry_point", reward="f1")
    assert isinstance(envs.unwrapped, LabelChainVectorEnv)
    assert envs.metadata["autoreset_mode"] is NEXT_STEP
    wrapped = gym.wrappers.vector.RecordEpisodeStatistics(envs, stats_key="recorded")
    wrapped.reset(seed=0)
    wrapped.action_space.seed(0)
    seen = 0
    for _ in range(30):
        *_, infos = wrapped.step(wrapped.action_space.sample())
        if "episode" in infos:
            seen += infos["_episode"].sum()
            np.testing.assert_allclose(infos["episode"]["r"], infos["recorded"]["r"])
            np.testing.assert_array_equal(infos["episode"]["l"], infos["recorded"]["l"])
    assert seen > 0


def test_action_rewards_are_what_step_pays():
    envs = LabelChainVectorEnv(5, reward="ndcg@3", autoreset_mode="SameStep")
    envs.reset(seed=1)
    envs.action_space.seed(1)
    for _ in range(50):
        actions = envs.action_space.sample()
        promised = envs.action_rewards()[np.arange(5), actions]
        np.testing.assert_allclose(envs.step(actions)[1], promised)


def test_rows_are_observed_instead_of_features(make_dataset):
    data = make_dataset(sparse=True)
    envs = LabelChainVectorEnv(3, data, split="test", observation="index")
    observations, infos = envs.reset(seed=0)
    np.testing.assert_array_equal(observations["row"][:, 0], data.rows("test")[infos["index"]])
    check_env(gym.make("labelchain/Chain-v0", dataset=data, observation="index").unwrapped)
    with pytest.raises(ValueError, match="observation must be 'features' or 'index', got 'rows'"):
        LabelChainEnv(data, observation="rows")


def test_rows_can_be_named_at_reset():
    envs = LabelChainVectorEnv(3)
    _, infos = envs.reset(options={"index": np.array([5, 6, 7])})
    assert infos["index"].tolist() == [5, 6, 7]


def test_seeds_may_be_a_list_and_streams_go_on_without_one():
    envs = LabelChainVectorEnv(2)
    _, first = envs.reset(seed=[3, 3])
    assert first["index"][0] == first["index"][1]
    _, second = envs.reset()
    assert second["index"][0] == second["index"][1] != first["index"][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"row": 1}, r"may hold 'reset_mask' and 'index' only, got \['row'\]"),
        ({"reset_mask": [True, True]}, r"must be a bool array of shape \(2,\)"),
        ({"reset_mask": np.array([1, 1])}, r"must be a bool array of shape \(2,\)"),
        ({"reset_mask": np.array([False, False])}, "must name an environment"),
        ({"reset_mask": np.array([True, False])}, "all of them at first"),
        ({"index": np.array([0, 3600])}, r"integers of shape \(2,\) in 0\.\.3599"),
        ({"index": 3}, r"integers of shape \(2,\)"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LabelChainVectorEnv(2).reset(options=options)


def test_wrong_arguments_and_actions_are_refused():
    with pytest.raises(ValueError, match="num_envs must be at least 1, got 0"):
        LabelChainVectorEnv(0)
    with pytest.raises(ValueError, match="Never"):
        LabelChainVectorEnv(1, autoreset_mode="Never")
    envs = LabelChainVectorEnv(2, autoreset_mode="Disabled")
    with pytest.raises(gym.error.ResetNeeded):
        envs.step(np.array([0, 0]))
    with pytest.raises(ValueError, match="expected one seed for each of 2 environments, got 1"):
        envs.reset(seed=[1])
    envs.reset(seed=0)
    for actions in (np.array([0]), np.array([0.0, 1.0]), np.array([True, False]), None):
        with pytest.raises(ValueError, match=r"actions must be integers of shape \(2,\)"):
            envs.step(actions)
    for actions in (np.array([0, 11]), np.array([-1, 0]), np.array([0, 2**64 - 1], dtype=np.uint64)):
        with pytest.raises(ValueError, match=r"actions must be in 0\.\.10"):
            envs.step(actions)
    envs.step(np.array([10, 0], dtype=np.uint8))
    with pytest.raises(gym.error.ResetNeeded):
        envs.step(np.array([0, 0]))


def test_observations_do_not_change_later():
    envs = LabelChainVectorEnv(4, autoreset_mode="SameStep")
    first, _ = envs.reset(seed=0)
    kept = {name: values.copy() for name, values in first.items()}
    for _ in range(20):
        envs.step(np.full(4, 10))
    for name, values in kept.items():
        np.testing.assert_array_equal(first[name], values)


@pytest.mark.parametrize("mode", [NEXT_STEP, SAME_STEP])
@pytest.mark.parametrize("observation", ["features", "index"])
def test_without_copies_the_same_is_seen_and_cannot_be_written_to(mode, observation):
    kwargs = {"max_labels": 4, "observation": observation, "autoreset_mode": mode}
    copying, lending = LabelChainVectorEnv(3, **kwargs), LabelChainVectorEnv(3, copy=False, **kwargs)
    first, _ = lending.reset(seed=0)
    copying.reset(seed=0)
    copying.action_space.seed(0)
    finals = []
    for _ in range(30):
        actions = copying.action_space.sample()
        expected, *_, infos = copying.step(actions)
        seen, *_, lent_infos = lending.step(actions)
        for name, values in expected.items():
            np.testing.assert_array_equal(seen[name], values)
        for each, lent in zip(infos.get("final_obs", ()), lent_infos.get("final_obs", ()), strict=True):
            if each is not None:
                finals.append((each, lent))
    for each, lent in finals:  # those of ended episodes are copies
        for name, values in each.items():
            np.testing.assert_array_equal(lent[name], values)
    assert bool(finals) == (mode is SAME_STEP)
    assert np.shares_memory(first["emitted"], seen["emitted"])
    with pytest.raises(ValueError, match="read-only"):
        seen["emitted"][0] = 1


@pytest.mark.parametrize("mode", [NEXT_STEP, SAME_STEP, DISABLED])
def test_what_is_returned_can_be_changed_without_harm(mode):
    envs, untouched = (LabelChainVectorEnv(3, autoreset_mode=mode, max_labels=2) for _ in range(2))
    for each in (envs, untouched):
        each.reset(seed=0)
    for actions in ([10, 1, 2], [0, 4, 10], [10, 10, 3]):
        returned = envs.step(np.array(actions))
        expected = untouched.step(np.array(actions))
        np.testing.assert_array_equal(returned[2], expected[2])
        ended = expected[2].copy()
        for array in (*returned[1:4], *(v for v in returned[4].values() if isinstance(v, np.ndarray))):
            array[:] = np.zeros_like(array)
        if mode is DISABLED and ended.any():
            for each in (envs, untouched):
                each.reset(options={"reset_mask": ended})


def test_actions_of_environments_that_ended_are_ignored():
    envs = LabelChainVectorEnv(2)
    envs.reset(seed=0)
    envs.step(np.array([10, 1]))
    _, rewards, ended, _, _ = envs.step(np.array([-1, 2]))
    assert rewards[0] == 0.0
    assert not ended[0]
    with pytest.raises(ValueError, match=r"actions must be in 0\.\.10"):
        envs.step(np.array([-1, 2]))


def test_without_copies_a_partial_reset_shows_the_others_too():
    kwargs = {"num_envs": 3, "autoreset_mode": "Disabled", "max_labels": 2}
    copying, lending = (
        gym.make_vec("labelchain/DigitScenes-v0", copy=copy, **kwargs) for copy in (True, False)
    )
    for envs in (copying, lending):
        envs.reset(seed=0)
    lending = pickle.loads(pickle.dumps(lending.unwrapped))
    for actions in ([1, 10, 3], [4, 1, 5]):
        expected, _, ends, cuts, _ = copying.step(np.array(actions))
        lending.step(np.array(actions))
        ended = ends | cuts
        expected, _ = copying.reset(options={"reset_mask": ended})
        seen, _ = lending.reset(options={"reset_mask": ended})
        for name, values in expected.items():
            np.testing.assert_array_equal(seen[name], values)
            assert not seen[name].flags.writeable


def test_render_gives_a_picture_of_each_episode():
    envs = gym.make_vec("labelchain/DigitScenes-v0", num_envs=2, render_mode="ansi")
    with pytest.raises(gym.error.ResetNeeded, match="before render"):
        envs.render()
    envs.reset(seed=0)
    assert [text.count("chain   (nothing yet)") for text in envs.render()] == [1, 1]
    with pytest.raises(ValueError, match="render_mode must be None or one of"):
        LabelChainVectorEnv(1, render_mode="human")


def test_it_pickles():
    envs = LabelChainVectorEnv(3)
    envs.reset(seed=4)
    copy = pickle.loads(pickle.dumps(envs))
    actions = np.array([1, 2, 10])
    np.testing.assert_array_equal(copy.step(actions)[0]["emitted"], envs.step(actions)[0]["emitted"])
