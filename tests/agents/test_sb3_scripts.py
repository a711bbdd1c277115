"""SB3's own ways, as a script of somebody else would go them; every agent learns; many labels; one seed."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.callbacks import MaskableEvalCallback
from sb3_contrib.common.maskable.evaluation import evaluate_policy
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

import labelchain.envs  # noqa: F401
from labelchain.agents import train as train_script
from labelchain.agents.chain_vec_env import ChainVecEnv
from labelchain.agents.sb3 import ALGORITHMS
from labelchain.agents.sb3_policies import policy_predictor
from labelchain.envs import MultilabelDataset, evaluate

NUM_LABELS = 4
IDENTITY = MultilabelDataset.from_arrays(
    "identity",
    np.tile(np.eye(NUM_LABELS, dtype=np.float32), (10, 1)),
    np.tile(np.eye(NUM_LABELS, dtype=int), (10, 1)),
    train_rows=np.arange(20),
    validation_rows=np.arange(20, 30),
    test_rows=np.arange(30, 40),
)
"""The label is the number of the feature that is 1."""
ON_POLICY = {"n_steps": 8, "learning_rate": 3e-3, "gamma": 0.9, "ent_coef": 0.05}
OFF_POLICY = {
    "learning_starts": 100,
    "target_update_interval": 200,
    "learning_rate": 5e-3,
    "train_freq": 1,
    "gamma": 0.5,
    "exploration_fraction": 0.5,
}
SMALL_LSTM = {"lstm_hidden_size": 32, "enable_critic_lstm": False, "net_arch": [32]}
AGENTS = {
    "ppo": (6000, ON_POLICY | {"batch_size": 256}),
    "maskable-ppo": (6000, ON_POLICY | {"batch_size": 256}),
    "recurrent-ppo": (
        8000,
        ON_POLICY | {"batch_size": 256, "learning_rate": 5e-3, "n_epochs": 8, "policy_kwargs": SMALL_LSTM},
    ),
    "a2c": (16_000, ON_POLICY | {"n_steps": 2}),
    "dqn": (4000, OFF_POLICY),
    "qr-dqn": (4000, OFF_POLICY | {"policy_kwargs": {"n_quantiles": 10}}),
}
"""Environment steps and arguments with which each learns the identity."""


def learned(name, steps=None):
    enough, arguments = AGENTS[name]
    # Agents without masks may repeat a label instead of stopping, unless that costs something.
    env = ChainVecEnv(IDENTITY, 32, reward="f1", repeat_penalty=0.5)
    policy = "MultiInputLstmPolicy" if name == "recurrent-ppo" else "MultiInputPolicy"
    return ALGORITHMS[name](policy, env, seed=0, device="cpu", **arguments).learn(steps or enough)


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_every_agent_learns_the_identity(name):
    model = learned(name)
    metrics = evaluate(policy_predictor(model, 2), IDENTITY, "test").metrics
    assert metrics["subset_accuracy"] == 100.0


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_one_seed_gives_bit_equal_parameters(name):
    first, second = (
        torch.nn.utils.parameters_to_vector(learned(name, 512).policy.parameters()) for _ in range(2)
    )
    assert torch.equal(first, second)


def test_ppo_on_gym_make(tmp_path):
    model = PPO("MultiInputPolicy", gym.make("labelchain/DigitScenes-v0"), n_steps=64, device="cpu", seed=0)
    model.learn(64)
    model.save(tmp_path / "model")
    loaded = PPO.load(tmp_path / "model", device="cpu")
    env = make_vec_env("labelchain/DigitScenes-v0", n_envs=5, seed=3)
    observation = env.reset()
    expected, _ = model.predict(observation, deterministic=True)
    np.testing.assert_array_equal(loaded.predict(observation, deterministic=True)[0], expected)


def test_maskable_ppo_with_its_own_evaluation_callback(tmp_path):
    env = ChainVecEnv("digit-scenes", 8, reward="f1")
    callback = MaskableEvalCallback(
        ChainVecEnv("digit-scenes", 4, split="validation", reward="f1", seed=1),
        n_eval_episodes=20,
        eval_freq=32,
        best_model_save_path=str(tmp_path),
        verbose=0,
    )
    model = MaskablePPO("MultiInputPolicy", env, n_steps=32, batch_size=64, seed=0, device="cpu")
    model.learn(512, callback=callback)
    best = MaskablePPO.load(tmp_path / "best_model.zip", device="cpu")
    mean, _ = evaluate_policy(best, ChainVecEnv("digit-scenes", 4, split="test", reward="f1", seed=2))
    assert 0.2 < mean <= 1.0


@pytest.mark.parametrize("num_labels", [983, 4000])
@pytest.mark.parametrize("name", ["ppo", "maskable-ppo"])
def test_thousands_of_labels_train_with_every_check_of_torch_on(name, num_labels):
    rng = np.random.default_rng(0)
    labels = [rng.choice(num_labels, 4, replace=False).tolist() for _ in range(100)]
    features = rng.normal(size=(100, 16)).astype(np.float32)
    data = MultilabelDataset.from_arrays(
        "many",
        features,
        labels,
        num_labels=num_labels,
        train_rows=np.arange(80),
        test_rows=np.arange(80, 100),
    )
    assert torch.distributions.Distribution._validate_args
    env = ChainVecEnv(data, 8, reward="f1")
    model = ALGORITHMS[name](
        "MultiInputPolicy",
        env,
        n_steps=32,
        batch_size=64,
        n_epochs=3,
        learning_rate=1e-2,
        seed=0,
        device="cpu",
    )
    model.learn(512)
    assert torch.nn.utils.parameters_to_vector(model.policy.parameters()).isfinite().all()
    observation = env.reset()
    actions, _ = model.predict(observation, deterministic=True)  # reads the probabilities
    assert actions.shape == (8,)
    if name == "maskable-ppo":  # masks change from step to step on one distribution
        distribution = model.policy.get_distribution(model.policy.obs_to_tensor(observation)[0])
        for _ in range(3):
            masks = rng.random((8, num_labels + 1)) < 0.5
            distribution.apply_masking(masks)
            assert masks[np.arange(8), distribution.mode().numpy()].all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["always-random", "digit-scenes", "--metric", "P@1"], "no --steps, --reward or --metric"),
        (["maskable-ppo", "digit-scenes", "--metric", "foo"], "argument --metric: invalid choice: 'foo'"),
        (["maskable-ppo", "digit-scenes", "--seed", "-1"], "argument --seed: expected a whole number"),
        (
            ["always-random", "digit-scenes", "--seed", str(2**32)],
            "expected a whole number from 0 to 4294967295",
        ),
        (["maskable-ppo", "digit-scenes", "--steps", "0"], "--steps must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused_at_once(arguments, message, capsys):
    with pytest.raises(SystemExit):
        train_script.parse(arguments)
    assert message in capsys.readouterr().err
