"""The chain network as an SB3 policy: playing with it is decoding the network, whatever the batch."""

import numpy as np
import pytest
import torch
from sb3_contrib.common.maskable.evaluation import evaluate_policy as evaluate_with_masks
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

from labelchain.agents.chain_policy import ChainPolicy
from labelchain.agents.chain_vec_env import ChainVecEnv
from labelchain.agents.decoding import decode_greedily
from labelchain.agents.sb3_policies import policy_predictor
from labelchain.envs import LabelChainEnv

CELLS = ["sum", "gru"]


@pytest.fixture(params=CELLS)
def policy(request, dataset):
    """An untrained policy for the small data set, whose chains end at different times."""
    return make_policy(dataset, request.param)


def make_policy(dataset, cell, seed=4):
    torch.manual_seed(seed)
    env = LabelChainEnv(dataset)
    made = ChainPolicy(env.observation_space, env.action_space, lambda _: 1e-3, cell=cell, width=8)
    with torch.no_grad():
        for parameter in made.parameters():  # spread out what the first weights say
            parameter.mul_(3.0)
        made.network.output.bias.zero_()
    return made


def decoded_chains(policy, dataset, max_labels):
    features = torch.from_numpy(dataset.dense_features(dataset.rows("test")))
    chains = decode_greedily(policy.network.eval(), features, max_labels).chains
    return [chain[chain >= 0].tolist() for chain in chains]


def test_playing_one_environment_is_greedy_decoding(policy, dataset):
    env = LabelChainEnv(dataset, split="test", max_labels=3)
    played = []
    state, start = None, np.array([True])
    for index in range(len(dataset.rows("test"))):
        observation, _ = env.reset(options={"index": index})
        ended = False
        while not ended:
            action, state = policy.predict(observation, state, start, deterministic=True)
            assert np.shape(action) == ()
            observation, _, terminated, truncated, info = env.step(action)
            ended = terminated or truncated
            start = np.array([ended])
        played.append(info["chain"])
    assert played == decoded_chains(policy, dataset, 3)
    assert len({len(chain) for chain in played}) > 1  # else the test says little


def test_playing_a_batch_whose_episodes_end_at_different_times_is_greedy_decoding(policy, dataset):
    env = ChainVecEnv(dataset, num_envs=7, split="test", max_labels=3, seed=0)
    expected = decoded_chains(policy, dataset, 3)
    observation, state, starts, seen = env.reset(), None, np.ones(7, dtype=bool), 0
    for _ in range(40):
        actions, state = policy.predict(observation, state, starts, deterministic=True)
        assert actions.shape == (7,)
        assert all(len(part) == 7 for part in state)
        observation, _, starts, infos = env.step(actions)
        for env_number in np.flatnonzero(starts):
            assert infos[env_number]["chain"] == expected[infos[env_number]["index"]]
            seen += 1
    assert seen > 50


def test_the_state_of_the_sum_cell_can_be_left_out(dataset):
    policy = make_policy(dataset, "sum")
    env = ChainVecEnv(dataset, num_envs=7, split="test", max_labels=3, seed=0)
    observation, state, starts = env.reset(), None, np.ones(7, dtype=bool)
    for _ in range(20):
        actions, state = policy.predict(observation, state, starts, deterministic=True)
        without, _ = policy.predict(observation, deterministic=True)
        np.testing.assert_array_equal(actions, without)
        tensors = {name: torch.from_numpy(values) for name, values in observation.items()}
        np.testing.assert_array_equal(policy(tensors, deterministic=True).numpy(), without)
        observation, _, starts, _ = env.step(actions)


def test_the_gru_cell_says_that_it_needs_its_state(dataset):
    policy = make_policy(dataset, "gru")
    env = LabelChainEnv(dataset)
    env.reset(seed=0)
    observation, *_ = env.step(2)
    with pytest.raises(ValueError, match=r"'gru' cell depends on the order.*pass the state"):
        policy.predict(observation)


def test_the_state_follows_what_was_emitted_not_what_was_predicted(policy, dataset):
    """Labels 3 and 1, and a repeated 3 between them, are played against the policy's advice."""
    env = LabelChainEnv(dataset, max_labels=5)
    observation, _ = env.reset(seed=0)
    features = torch.from_numpy(observation["features"])[None]
    state = None
    for label in (3, 3, 1):
        _, state = policy.predict(observation, state)
        observation, *_ = env.step(label)
    _, state = policy.predict(observation, state)
    network = policy.network.eval()
    with torch.no_grad():
        expected = network.start(features)
        for label in (3, 1):
            expected = network.advance(expected, torch.tensor([label]))
    for ours, theirs in zip(state[:-1], expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5, atol=1e-6)


def test_a_state_of_an_earlier_step_is_repaired_or_refused(dataset):
    env = LabelChainEnv(dataset, max_labels=5)
    observation, _ = env.reset(seed=0)
    for cell in CELLS:
        policy = make_policy(dataset, cell)
        for path in ([0, 1], [2, 3, 1]):
            first, _ = env.reset(options={"index": 0})
            _, state = policy.predict(first)
            for label in path:
                observation, *_ = env.step(label)
            if cell == "gru":
                with pytest.raises(ValueError, match="pass the state that the step before returned"):
                    policy.predict(observation, state)
            else:
                late, fresh = policy.predict(observation, state)[1], policy.predict(observation)[1]
                assert all(np.array_equal(a, b) for a, b in zip(late, fresh, strict=True))


def test_a_state_of_another_batch_and_wrong_observations_are_refused(policy, dataset):
    env = LabelChainEnv(dataset, max_labels=5)
    observation, _ = env.reset(seed=0)
    _, state = policy.predict(observation)
    two = {name: np.stack([values, values]) for name, values in observation.items()}
    with pytest.raises(ValueError, match=r"for these 2 environments a step before, got .* of 1 rows"):
        policy.predict(two, state)
    with pytest.raises(ValueError, match="must be a dict of 'features' and 'emitted', got tuple"):
        policy.predict(env.reset())
    with pytest.raises(ValueError, match=r"array of shape \(3,\), expected \(n, 6\)"):
        policy.predict({"features": np.zeros(3), "emitted": np.zeros(5)})


@pytest.mark.parametrize("deterministic", [True, False])
def test_actions_obey_what_is_emitted_and_the_masks(policy, dataset, deterministic):
    torch.manual_seed(0)
    env = ChainVecEnv(dataset, num_envs=50, max_labels=5, seed=0)
    observation, state, starts = env.reset(), None, np.ones(50, dtype=bool)
    masks = np.array([True, False, True, True, False, False])
    for _ in range(10):
        allowed = env.action_masks() & masks
        allowed[:, 5] |= ~allowed.any(axis=1)
        actions, state = policy.predict(observation, state, starts, deterministic, action_masks=allowed)
        assert allowed[np.arange(50), actions].all()
        free, _ = policy.predict(observation, state, starts, deterministic)
        assert env.action_masks()[np.arange(50), free].all()
        observation, _, starts, _ = env.step(actions)
    with pytest.raises(ValueError, match="leave an environment no action"):
        policy.predict(observation, state, starts, action_masks=np.zeros(6, dtype=bool))


def test_an_action_is_drawn_of_those_allowed_however_improbable(policy, dataset):
    with torch.no_grad():
        policy.network.output.bias[dataset.num_labels] = 200.0
    env = ChainVecEnv(dataset, 64, seed=0)
    masks = np.ones((64, dataset.num_labels + 1), dtype=bool)
    masks[:32, [0, 1, -1]] = False
    actions, _ = policy.predict(env.reset(), action_masks=masks)
    assert set(actions[:32].tolist()) <= set(range(2, dataset.num_labels))
    assert (actions[32:] == dataset.num_labels).all()


def test_sampled_actions_have_the_policys_probabilities(policy, dataset):
    torch.manual_seed(0)
    observation, _ = LabelChainEnv(dataset).reset(seed=0)
    many = {name: np.repeat(values[None], 20_000, axis=0) for name, values in observation.items()}
    actions, _ = policy.predict(many)
    with torch.no_grad():
        state = policy.network.start(torch.from_numpy(observation["features"])[None])
        expected = policy.network.log_probs(state, torch.zeros(1, 5, dtype=torch.bool)).exp()[0].numpy()
    np.testing.assert_allclose(np.bincount(actions, minlength=6) / 20_000, expected, atol=0.015)


def test_saved_policies_are_the_same_and_sb3_evaluates_them(policy, dataset, tmp_path):
    policy.save(str(tmp_path / "policy.pt"))
    loaded = ChainPolicy.load(str(tmp_path / "policy.pt"))
    assert loaded.network.config == policy.network.config
    returns, lengths = [], []
    for each in (policy, loaded):
        single = DummyVecEnv([lambda: LabelChainEnv(dataset, split="test")] * 3)
        single.seed(0)
        batch = ChainVecEnv(dataset, num_envs=3, split="test", seed=0)
        for found in (
            evaluate_policy(each, single, 20, return_episode_rewards=True, warn=False),
            # sb3-contrib passes no state on, which the gru cell needs
            (evaluate_with_masks if policy.network.config.cell == "sum" else evaluate_policy)(
                each, batch, 20, return_episode_rewards=True
            ),
        ):
            returns.append(found[0])
            lengths.append(found[1])
    np.testing.assert_allclose(returns, [returns[0]] * 4, atol=1e-6)
    assert lengths == [lengths[0]] * 4


def test_exact_evaluation_decodes_the_network(policy, dataset):
    class Agent:
        device = torch.device("cpu")

        def get_vec_normalize_env(self):
            return None

    agent = Agent()
    agent.policy = policy
    features = dataset.dense_features(dataset.rows("test"))
    chains = policy_predictor(agent, 3).predict(features).chains
    assert [chain[chain >= 0].tolist() for chain in chains] == decoded_chains(policy, dataset, 3)


def test_other_spaces_are_refused(dataset):
    env = LabelChainEnv(dataset, observation="index")
    with pytest.raises(ValueError, match=r"spaces of a labelchain environment.*observation='features'\)"):
        ChainPolicy(env.observation_space, env.action_space, lambda _: 1e-3)
    with pytest.raises(ValueError, match="cell must be 'sum' or 'gru', got 'lstm'"):
        make_policy(dataset, "lstm")
