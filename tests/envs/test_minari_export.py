"""Chains come back from a Minari data set as they were played."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from labelchain.envs.datasets import write_npz
from labelchain.envs.minari_export import export_chains

minari = pytest.importorskip("minari", reason="needs pip install 'labelchain[minari]'")
pytest.importorskip("h5py", reason="needs pip install 'labelchain[minari]'")

ABOUT = {"author": "A", "author_email": "a@b.c", "algorithm_name": "by hand", "code_permalink": "file:here"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))


@pytest.fixture
def scenes():
    return gym.make("labelchain/DigitScenes-v0", split="test", reward="f1")


def test_chains_come_back(scenes):
    chains = np.array([[7, 8, -1, -1], [-1, -1, -1, -1], [1, 2, 3, 4]])
    export_chains("labelchain/scenes-v0", scenes, chains, rows=[32, 0, 5], **ABOUT)
    data = minari.load_dataset("labelchain/scenes-v0")
    assert data.total_episodes == 3
    assert data.total_steps == 3 + 1 + 5
    first = data[0]
    assert first.actions.tolist() == [7, 8, 10]
    assert first.rewards == pytest.approx([0.4, 1 / 3 - 0.4, 0.0])
    assert first.terminations.tolist() == [False, False, True]
    assert not first.truncations.any()
    observation, _ = scenes.reset(options={"index": 32})
    assert first.observations["features"].shape == (4, 256)
    assert np.array_equal(first.observations["features"][0], observation["features"])
    assert first.observations["emitted"][-1].nonzero()[0].tolist() == [7, 8]
    assert first.infos["index"].tolist() == [32] * 4
    assert first.infos["action_mask"][2].tolist() == [1] * 7 + [0, 0, 1, 1]
    assert data[1].actions.tolist() == [10]


def test_the_environment_is_recovered_and_gives_the_same(scenes):
    data = export_chains("labelchain/scenes-v0", scenes, np.array([[3, 1], [0, -1]]), **ABOUT)
    again = minari.load_dataset(data.id).recover_environment()
    for episode in data:
        again.reset(options={"index": int(episode.infos["index"][0])})
        for action, reward in zip(episode.actions, episode.rewards, strict=True):
            assert again.step(action)[1] == reward


@pytest.mark.parametrize("path", [Path("own.npz"), "own.npz"])
def test_an_environment_made_of_a_path_is_recovered(dataset, path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    write_npz(dataset, Path(path))
    env = gym.make("labelchain/Chain-v0", dataset=path)
    data = export_chains("labelchain/path-v0", env, np.array([[1]]), **ABOUT)
    monkeypatch.chdir("/")
    assert (
        minari.load_dataset(data.id).recover_environment().unwrapped.dataset.fingerprint
        == dataset.fingerprint
    )


def test_an_argument_that_is_a_numpy_number_is_written():
    env = gym.make("labelchain/DigitScenes-v0", max_labels=np.int64(3), repeat_penalty=np.float32(0.5))
    data = export_chains("labelchain/numbers-v0", env, np.array([[1]]), **ABOUT)
    recovered = minari.load_dataset(data.id).recover_environment()
    assert recovered.spec.kwargs == {**env.spec.kwargs, "max_labels": 3, "repeat_penalty": 0.5}


class Silent(gym.Wrapper):
    """Does not tell its arguments."""


@pytest.mark.parametrize("wrap", [lambda env: gym.wrappers.TransformReward(env, lambda r: 2 * r), Silent])
def test_chains_of_a_wrapper_that_cannot_be_written_come_back(scenes, wrap):
    with pytest.warns(UserWarning, match="env"):
        export_chains("labelchain/wrapped-v0", wrap(scenes), np.array([[7]]), rows=[32], **ABOUT)
    data = minari.load_dataset("labelchain/wrapped-v0")
    assert data.spec.env_spec is None
    wrapped = wrap(scenes)
    wrapped.reset(options={"index": 32})
    assert data[0].rewards[0] == wrapped.step(7)[1]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_what_fails_leaves_nothing_and_can_be_tried_again(scenes, monkeypatch, tmp_path, error):
    def fail(*_):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("minari.dataset.minari_storage.MinariStorage.update_metadata", fail)
        with pytest.raises(type(error)):
            export_chains("labelchain/again-v0", scenes, np.array([[7]]), **ABOUT)
    assert not (tmp_path / "labelchain" / "again-v0").exists()
    export_chains("labelchain/again-v0", scenes, np.array([[7]]), **ABOUT)
    with pytest.raises(ValueError, match="already exists"):
        export_chains("labelchain/again-v0", scenes, np.array([[8]]), **ABOUT)
    assert minari.load_dataset("labelchain/again-v0")[0].actions.tolist() == [7, 10]


def test_a_chain_that_ends_early_is_cut(dataset):
    env = gym.make("labelchain/Chain-v0", dataset=dataset, max_labels=2)
    with pytest.warns(UserWarning, match="env"):
        data = export_chains("labelchain/short-v0", env, np.array([[0, 1, 2]]), rows=[4], **ABOUT)
    assert data[0].actions.tolist() == [0, 1]
    assert data[0].terminations.tolist() == [False, True]
    assert data.action_space == env.action_space


def test_plain_observations_of_a_wrapper_are_recorded(scenes):
    flat = gym.wrappers.FlattenObservation(scenes)
    data = export_chains("labelchain/flat-v0", flat, np.array([[7, 8]]), rows=[32], **ABOUT)
    observation, _ = flat.reset(options={"index": 32})
    assert data[0].observations.shape == (4, *observation.shape)
    np.testing.assert_array_equal(data[0].observations[0], observation)
    assert minari.load_dataset(data.id).recover_environment().observation_space == flat.observation_space


@pytest.mark.parametrize(
    ("chains", "rows", "message"),
    [
        ([1, 2], None, r"integers \(n, length\), got shape \(2,\)"),
        ([[0.5]], None, "integers"),
        ([[10]], None, r"labels 0..9 and -1, got 10..10"),
        ([[7, -1, 8]], None, "-1 before a label"),
        ([[1], [2]], [0], r"a row for each of 2 chains, got shape \(1,\)"),
    ],
)
def test_wrong_chains_are_refused(scenes, chains, rows, message):
    with pytest.raises(ValueError, match=message):
        export_chains("labelchain/wrong-v0", scenes, chains, rows, **ABOUT)


def test_another_environment_is_refused():
    with pytest.raises(ValueError, match="expected an environment of labelchain"):
        export_chains("cartpole-v0", gym.make("CartPole-v1"), [[0]], **ABOUT)
