"""Feature extractors: the same rows give the same values, whichever way they come; many columns work."""

import numpy as np
import pytest
import torch
from sb3_contrib import QRDQN, MaskablePPO
from scipy.sparse import random_array
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.save_util import load_from_zip_file

from labelchain.agents.chain_vec_env import ChainVecEnv
from labelchain.agents.extractors import DenseExtractor, RowExtractor, SparseExtractor
from labelchain.agents.sb3_policies import policy_predictor
from labelchain.envs import LabelChainEnv, MultilabelDataset

WIDTH = 7


def both_observations(data, rows, emitted):
    features = torch.from_numpy(data.dense_features(rows))
    return {"features": features, "emitted": emitted}, {
        "row": torch.from_numpy(rows)[:, None].float(),  # as SB3 gives it
        "emitted": emitted,
    }


@pytest.mark.parametrize("sparse", [False, True])
def test_rows_by_number_are_the_rows_themselves(make_dataset, sparse):
    data = make_dataset(sparse=sparse)
    rows = np.array([3, 0, 50, 3])
    emitted = torch.randint(2, (4, data.num_labels)).float()
    observed, numbered = both_observations(data, rows, emitted)
    kind = SparseExtractor if sparse else DenseExtractor
    by_value = kind(LabelChainEnv(data).observation_space, WIDTH)
    by_number = RowExtractor(LabelChainEnv(data, observation="index").observation_space, data, WIDTH)
    by_number.load_state_dict(by_value.state_dict())  # the matrix is not among the parameters
    torch.testing.assert_close(by_number(numbered), by_value(observed))
    with by_number.given(observed["features"]):
        here = {"row": torch.arange(4)[:, None], "emitted": emitted}
        torch.testing.assert_close(by_number(here), by_value(observed))


def test_sparse_and_dense_projections_are_one_function(make_dataset):
    data = make_dataset(sparse=True)
    space = LabelChainEnv(data).observation_space
    sparse, dense = SparseExtractor(space, WIDTH), DenseExtractor(space, WIDTH)
    state = sparse.state_dict()
    state["project.weight"] = state["project.weight"].t()
    state["project.bias"] = torch.zeros(WIDTH)
    dense.load_state_dict(state)
    rows = np.arange(20)
    observed, _ = both_observations(data, rows, torch.zeros(20, data.num_labels))
    observed["features"][4] = 0.0  # a row without any entry
    torch.testing.assert_close(sparse(observed), dense(observed))


@pytest.mark.parametrize("algorithm", [PPO, DQN, QRDQN])
@pytest.mark.parametrize("sparse", [False, True])
def test_agents_of_every_kind_learn_and_are_evaluated_by_row_number(make_dataset, algorithm, sparse):
    data = make_dataset(sparse=sparse)
    env = ChainVecEnv(data, 4, observation="index", seed=0)
    kwargs = {
        "features_extractor_class": RowExtractor,
        "features_extractor_kwargs": {"dataset": data, "features_dim": 16},
    }
    more = {"n_steps": 16} if algorithm is PPO else {"learning_starts": 50, "buffer_size": 500}
    # The seed: without one, two actions are now and then so close that rounding tells which is better.
    model = algorithm(
        "MultiInputPolicy", env, policy_kwargs=kwargs, batch_size=16, seed=0, device="cpu", **more
    )
    model.learn(200)
    rows = data.rows("test")
    predictions = policy_predictor(model, 3).predict(data.dense_features(rows))
    observation = {"row": rows[:, None], "emitted": np.zeros((len(rows), data.num_labels), dtype=np.int8)}
    first, _ = model.predict(observation, deterministic=True)
    stops = first == data.num_labels
    np.testing.assert_array_equal(predictions.ranking[~stops, 0], first[~stops])
    assert (predictions.chains[stops] == -1).all()


def test_a_saved_agent_holds_the_name_of_its_data_only(tmp_path):
    env = ChainVecEnv("digit-scenes", 2, observation="index", seed=0)
    kwargs = {
        "features_extractor_class": RowExtractor,
        "features_extractor_kwargs": {"dataset": "digit-scenes", "features_dim": 8},
        "net_arch": [],
    }
    model = MaskablePPO("MultiInputPolicy", env, n_steps=8, batch_size=8, policy_kwargs=kwargs, device="cpu")
    model.save(tmp_path / "model.zip")
    assert (tmp_path / "model.zip").stat().st_size < 200_000  # the matrix alone has 6 MB
    _, parameters, _ = load_from_zip_file(tmp_path / "model.zip")
    assert not any(name.endswith("extractor.rows") for name in parameters["policy"])
    loaded, observation = MaskablePPO.load(tmp_path / "model.zip"), env.reset()
    for deterministic in (True, False):
        torch.manual_seed(0)
        expected, _ = model.predict(observation, deterministic=deterministic)
        torch.manual_seed(0)
        np.testing.assert_array_equal(loaded.predict(observation, deterministic=deterministic)[0], expected)


def test_thirty_thousand_sparse_columns_are_learned_from_by_row_number():
    rng = np.random.default_rng(0)
    features = random_array((300, 30_000), density=0.002, format="csr", rng=rng, dtype=np.float32)
    labels = rng.random((300, 40)) < 0.05
    data = MultilabelDataset.from_arrays(
        "wide", features, labels.astype(int), train_rows=np.arange(200), test_rows=np.arange(200, 300)
    )
    env = ChainVecEnv(data, 16, observation="index", seed=0)
    kwargs = {
        "features_extractor_class": RowExtractor,
        "features_extractor_kwargs": {"dataset": data, "features_dim": 32},
    }
    model = MaskablePPO(
        "MultiInputPolicy", env, n_steps=16, batch_size=64, policy_kwargs=kwargs, device="cpu"
    )
    model.learn(256)
    assert model.rollout_buffer.observations["row"].nbytes < 10_000
    parameters = torch.nn.utils.parameters_to_vector(model.policy.parameters())
    assert parameters.isfinite().all()


def test_wrong_observations_are_refused(dataset):
    numbered = LabelChainEnv(dataset, observation="index").observation_space
    with pytest.raises(ValueError, match=r"needs the observation 'features'.*gives emitted, row"):
        DenseExtractor(numbered)
    with pytest.raises(ValueError, match=r"needs the observation 'row'"):
        RowExtractor(LabelChainEnv(dataset).observation_space, dataset)
    model = PPO("MultiInputPolicy", ChainVecEnv(dataset, observation="index"), device="cpu")
    with pytest.raises(ValueError, match="if RowExtractor is its features extractor"):
        policy_predictor(model, 3)
