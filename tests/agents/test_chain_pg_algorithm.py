"""ChainPG: SB3's interface, and that it learns."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.wrappers import Autoreset, TransformReward
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CheckpointCallback,
    EvalCallback,
    StopTrainingOnMaxEpisodes,
)
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    SubprocVecEnv,
    VecCheckNan,
    VecEnvWrapper,
    VecMonitor,
    VecNormalize,
)
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents.callbacks import BestCheckpoint, ExactEvaluation, OrderStatistics
from labelchain.agents.chain_pg_algorithm import ChainPG
from labelchain.agents.chain_policy import ChainPolicy
from labelchain.agents.chain_vec_env import ChainVecEnv
from labelchain.agents.sb3_policies import policy_predictor
from labelchain.envs import LabelChainEnv, MultilabelDataset, evaluate

SMALL = {"policy_kwargs": {"width": 16, "hidden": 16, "embedding": 16}, "batch_size": 16, "seed": 0}


@pytest.fixture
def env(dataset):
    return ChainVecEnv(dataset, num_envs=4, reward="f1", seed=0)


def identity_data(num_labels=5):
    """One-hot inputs, each with the label of its own column."""
    rows = np.tile(np.eye(num_labels, dtype=np.float32), (12, 1))
    split = 10 * num_labels
    return MultilabelDataset.from_arrays(
        "identity",
        rows,
        rows.astype(int),
        train_rows=np.arange(split),
        validation_rows=np.arange(split, split + num_labels),
        test_rows=np.arange(split + num_labels, len(rows)),
    )


def state_of(model):
    return {name: tensor.clone() for name, tensor in model.policy.state_dict().items()}


def same(one, other):
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize(
    "chosen",
    [
        {"estimator": "all-actions"},
        {"estimator": "sampled"},
        {"estimator": "sampled", "baseline": "self-critical"},
    ],
    ids=lambda chosen: chosen.get("baseline", chosen["estimator"]),
)
@pytest.mark.parametrize("cell", ["sum", "gru"])
def test_the_identity_is_learned(cell, chosen):
    data = identity_data()
    env = ChainVecEnv(data, num_envs=4, reward="f1")
    shape = SMALL["policy_kwargs"] | {"cell": cell, "width": 32, "dropout": 0.0, "input_dropout": 0.0}
    model = ChainPG("ChainPolicy", env, 3e-3, **(SMALL | {"policy_kwargs": shape}), **chosen)
    model.learn(12_000 if chosen["estimator"] == "sampled" else 6_000)
    metrics = evaluate(policy_predictor(model, env.max_labels), data, "test").metrics
    assert metrics["subset_accuracy"] == 100.0
    test = ChainVecEnv(data, num_envs=2, split="test", reward="f1", seed=0)
    assert evaluate_policy(model, test, 10) == (1.0, 0.0)


@pytest.mark.parametrize("estimator", ["all-actions", "sampled"])
@pytest.mark.parametrize("cell", ["sum", "gru"])
def test_the_same_seed_gives_bit_equal_parameters(env, cell, estimator):
    small = SMALL | {"policy_kwargs": SMALL["policy_kwargs"] | {"cell": cell}}
    states = []
    for seed in (0, 0, 1):
        model = ChainPG("ChainPolicy", env, estimator=estimator, **(small | {"seed": seed}), warmup=0.3)
        states.append(state_of(model.learn(1500)))
    assert same(states[0], states[1])
    assert not same(states[0], states[2])


def test_environments_of_every_form_train_the_same(dataset):
    forms = [
        LabelChainEnv(dataset, reward="f1"),
        gym.make("labelchain/Chain-v0", dataset=dataset, reward="f1"),
        DummyVecEnv([lambda: LabelChainEnv(dataset, reward="f1")]),
        ChainVecEnv(dataset, num_envs=1, reward="f1"),
        ChainVecEnv(dataset, num_envs=7, reward="f1"),
    ]
    states = [state_of(ChainPG("ChainPolicy", env, **SMALL).learn(700)) for env in forms]
    assert all(same(states[0], state) for state in states)


def test_an_id_is_an_environment_and_the_reward_can_be_another():
    model = ChainPG("ChainPolicy", "labelchain/DigitScenes-v0", reward="f1", **SMALL)
    assert model.policy.network.num_labels == 10
    assert model.learn(300).num_timesteps >= 300


@pytest.mark.parametrize("cell", ["sum", "gru"])
def test_saved_models_act_the_same_and_go_on(env, tmp_path, cell):
    small = SMALL | {"policy_kwargs": SMALL["policy_kwargs"] | {"cell": cell}}
    model = ChainPG("ChainPolicy", env, estimator="sampled", baseline="self-critical", **small).learn(800)
    model.save(tmp_path / "model")
    loaded = ChainPG.load(tmp_path / "model")
    assert same(state_of(model), state_of(loaded))
    game = ChainVecEnv(env.dataset, num_envs=5, split="test", seed=3)
    observation, state = game.reset(), None
    for _ in range(6):
        actions, next_state = model.predict(observation, state, deterministic=True)
        again, _ = loaded.predict(observation, state, deterministic=True)
        np.testing.assert_array_equal(actions, again)
        observation, _, _, _ = game.step(actions)
        state = next_state
    with pytest.raises(ValueError, match=r"call set_env\(env\), or load\(path, env=env\)"):
        loaded.learn(100)
    again = ChainPG.load(tmp_path / "model", env=ChainVecEnv(env.dataset, num_envs=9, reward="f1"))
    assert (again.baseline, again.batch_size) == ("self-critical", 16)
    assert again.num_timesteps == model.num_timesteps
    before = again.policy.optimizer.state[again.policy.network.output.bias]["step"].item()
    again.learn(200, reset_num_timesteps=False)
    assert again.policy.optimizer.state[again.policy.network.output.bias]["step"].item() > before
    assert again.num_timesteps >= model.num_timesteps + 200


def test_the_scaling_of_the_inputs_is_saved_with_the_model(tmp_path, make_dataset):
    data = make_dataset()
    model = ChainPG("ChainPolicy", LabelChainEnv(data), **SMALL)
    assert model.policy.network.scaler.scaling == "standard"
    assert not torch.equal(model.policy.network.scaler.mean, torch.zeros(6))
    model.save(tmp_path / "model")
    loaded = ChainPG.load(tmp_path / "model")
    assert torch.equal(loaded.policy.network.scaler.mean, model.policy.network.scaler.mean)
    sparse = ChainPG("ChainPolicy", LabelChainEnv(make_dataset(sparse=True)), **SMALL)
    assert sparse.policy.network.scaler.scaling == "unit-rows"


def test_set_env_trains_on_the_new_one(env):
    new = ChainVecEnv(env.dataset, num_envs=4, split="test", max_labels=2, reward="accuracy")
    moved = ChainPG("ChainPolicy", env, estimator="sampled", **SMALL)
    moved.set_env(new)
    moved_state = state_of(moved.learn(500))
    born = ChainPG("ChainPolicy", new, estimator="sampled", **SMALL)
    assert same(moved_state, state_of(born.learn(500)))
    assert max(info["l"] for info in moved.ep_info_buffer) == 2


def test_parameters_can_be_set(env):
    model, other = (ChainPG("ChainPolicy", env, **(SMALL | {"seed": seed})) for seed in (0, 1))
    other.set_parameters(model.get_parameters())
    assert same(state_of(model), state_of(other))


class Record(BaseCallback):
    """Notes the order of calls, and what they can see."""

    def __init__(self):
        super().__init__()
        self.calls, self.seen = [], []

    def _note(self, name):
        if not self.calls or self.calls[-1] != name:
            self.calls.append(name)

    def _on_training_start(self):
        self._note("training start")

    def _on_rollout_start(self):
        self._note("rollout start")

    def _on_step(self):
        self._note("step")
        told = (self.locals[name] for name in ("dones", "rewards", "infos"))
        self.seen.append((self.num_timesteps, *told))
        return True

    def _on_rollout_end(self):
        self._note("rollout end")

    def _on_training_end(self):
        self._note("training end")


@pytest.mark.parametrize("estimator", ["all-actions", "sampled"])
def test_callbacks_are_called_as_by_on_policy_algorithms(dataset, estimator):
    env = ChainVecEnv(dataset, num_envs=3, reward="f1")
    record = Record()
    model = ChainPG("ChainPolicy", env, estimator=estimator, warmup=0.5, **SMALL).learn(600, callback=record)
    rollouts = (len(record.calls) - 2) // 3
    assert record.calls == [
        "training start",
        *["rollout start", "step", "rollout end"] * rollouts,
        "training end",
    ]
    assert model._n_updates == rollouts
    counts = np.diff([0, *(count for count, *_ in record.seen)])
    assert [len(dones) for _, dones, _, _ in record.seen] == counts.tolist()
    assert counts.max() == 3
    assert record.seen[-1][0] == model.num_timesteps >= 600
    episodes = 0
    for _, dones, rewards, infos in record.seen:
        assert len(dones) == len(rewards) == len(infos)
        for done, info in zip(dones, infos, strict=True):
            assert done or not info
            episodes += bool(info)
    assert 0 < episodes < sum(int(dones.sum()) for _, dones, _, _ in record.seen)  # the warm-up has none


def test_rewards_of_the_steps_of_an_episode_add_up_to_its_return(dataset):
    env = ChainVecEnv(dataset, num_envs=1, reward="f1")
    record = Record()
    ChainPG("ChainPolicy", env, estimator="sampled", **SMALL).learn(300, callback=record)
    total, length = 0.0, 0
    for _, dones, rewards, infos in record.seen:
        total, length = total + rewards[0], length + 1
        if dones[0]:
            assert infos[0]["episode"]["r"] == pytest.approx(total, abs=1e-5)
            assert infos[0]["episode"]["l"] == length
            assert infos[0]["is_success"] == (infos[0]["episode"]["r"] == pytest.approx(1.0))
            total, length = 0.0, 0
    assert length == 0


@pytest.mark.parametrize(("estimator", "lengths"), [("all-actions", {3}), ("sampled", {1, 2})])
def test_a_reward_of_ranks_is_learned_from_chains_of_so_many_labels(dataset, estimator, lengths):
    env = ChainVecEnv(dataset, reward="ndcg@3", max_labels=2)
    model = ChainPG("ChainPolicy", env, estimator=estimator, **SMALL).learn(300)
    assert {episode["l"] for episode in model.ep_info_buffer} == lengths


def test_a_callback_can_stop_the_training(env):
    stop = StopTrainingOnMaxEpisodes(max_episodes=8)
    model = ChainPG("ChainPolicy", env, estimator="sampled", **SMALL).learn(100_000, callback=stop)
    assert model.num_timesteps < 300
    assert ChainPG("ChainPolicy", env, **SMALL).learn(100, callback=lambda *_: False)._n_updates == 0


def test_sb3s_callbacks_and_ours_work(env, tmp_path):
    test = ChainVecEnv(env.dataset, num_envs=2, split="test", reward="f1", seed=0)
    exact = ExactEvaluation(
        env.dataset, 300, after=[BestCheckpoint(tmp_path / "exact", "f1_example"), OrderStatistics()]
    )
    callbacks = [
        EvalCallback(test, best_model_save_path=str(tmp_path), eval_freq=50, verbose=0, n_eval_episodes=4),
        CheckpointCallback(100, str(tmp_path)),
        exact,
    ]
    model = ChainPG("ChainPolicy", env, **SMALL).learn(1000, callback=callbacks)
    assert callbacks[0].best_mean_reward > 0
    files = sorted(tmp_path.glob("*.zip"))
    assert len(files) >= 4  # the best of two evaluations, and checkpoints
    assert all(isinstance(ChainPG.load(file).policy, ChainPolicy) for file in files)
    predictor = policy_predictor(model, env.max_labels)
    assert exact.metrics == evaluate(predictor, env.dataset, "validation").metrics


@pytest.mark.parametrize("estimator", ["all-actions", "sampled"])
def test_logs_have_sb3s_names(env, tmp_path, estimator):
    model = ChainPG("ChainPolicy", env, lambda share: 1e-3 * share, estimator=estimator, **SMALL)
    model.set_logger(configure(str(tmp_path), ["tensorboard"]))
    model.learn(2000, log_interval=2)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    figure = "expected_reward" if estimator == "all-actions" else "policy_loss"
    assert tags >= {
        "rollout/ep_rew_mean",
        "rollout/ep_len_mean",
        "rollout/success_rate",
        "time/fps",
        "train/loss",
        "train/learning_rate",
        "train/gradient_norm",
        f"train/{figure}",
    }
    rates = [event.value for event in events.Scalars("train/learning_rate")]
    assert rates[0] <= 1e-3 and 0 <= rates[-1] < 2e-4
    assert rates == sorted(rates, reverse=True)
    steps = [event.step for event in events.Scalars("rollout/ep_rew_mean")]
    assert steps == sorted(set(steps)) and steps[-1] <= model.num_timesteps


def test_time_goes_on_or_starts_anew(env):
    model = ChainPG("ChainPolicy", env, **SMALL).learn(500)
    first = model.num_timesteps
    model.learn(500, reset_num_timesteps=False)
    assert model.num_timesteps >= first + 500
    model.learn(100)
    assert 100 <= model.num_timesteps < 500


def test_the_warm_up_is_maximum_likelihood(dataset):
    env = ChainVecEnv(dataset, num_envs=4, reward="f1")
    given, drawn = (ChainPG("ChainPolicy", env, warmup=share, **SMALL).learn(600) for share in (1.0, 0.0))
    assert len(given.ep_info_buffer) == 0
    assert len(drawn.ep_info_buffer) > 0
    # All labels of an epoch, and a STOP each, are its time steps.
    rows = dataset.rows("train")
    epoch = dataset.labels[rows].nnz + len(rows)
    one = ChainPG("ChainPolicy", env, warmup=1.0, **SMALL).learn(epoch - 1)
    assert one.num_timesteps == epoch


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"discount": 0.5}, "discount belong to estimator='sampled'.*leave them out"),
        ({"entropy": 0.0, "baseline": "value"}, "entropy, baseline belong to estimator='sampled'"),
        ({"reward": "subset"}, "paid at the end of a chain.*set estimator=sampled"),
        ({"reward": "bleu"}, "unknown reward 'bleu'"),
        ({"estimator": "best"}, "estimator must be"),
        (
            {"estimator": "sampled", "baseline": "mean"},
            "baseline must be 'value' or 'self-critical'",
        ),
        ({"estimator": "sampled", "discount": 2.0}, r"discount must be in \[0, 1\]"),
        ({"warmup": 1.5}, r"warmup must be in \[0, 1\]"),
        ({"batch_size": 0}, "batch_size must be from 1 to"),
        ({"clip": 0.0}, "clip must be positive"),
        ({"policy_kwargs": {"width": 0}}, "width must be from 1"),
    ],
)
def test_bad_arguments_are_refused(env, arguments, message):
    with pytest.raises(ValueError, match=message):
        ChainPG("ChainPolicy", env, **arguments)


def test_other_environments_are_refused(dataset, make_dataset):
    with pytest.raises(ValueError, match="expected an environment of labelchain, whose data it trains on"):
        ChainPG("ChainPolicy", "CartPole-v1")
    with pytest.raises(ValueError, match="make the environment with observation='features'"):
        ChainPG("ChainPolicy", LabelChainEnv(dataset, observation="index"))
    with pytest.raises(ValueError, match="VecNormalize has no effect"):
        ChainPG("ChainPolicy", VecNormalize(ChainVecEnv(dataset), norm_obs=False))
    mixed = DummyVecEnv([lambda: LabelChainEnv(dataset), lambda: LabelChainEnv(dataset, reward="f1")])
    with pytest.raises(ValueError, match="all alike, got 2 kinds"):
        ChainPG("ChainPolicy", mixed)
    swapped = replace(dataset, labels=dataset.labels[::-1])
    alike = DummyVecEnv([lambda: LabelChainEnv(dataset), lambda: LabelChainEnv(swapped)])
    with pytest.raises(ValueError, match="environments of the same data, got several named"):
        ChainPG("ChainPolicy", alike)
    with pytest.raises(ValueError, match=r"batch_size must be of type int, got 2\.5"):
        ChainPG("ChainPolicy", LabelChainEnv(dataset), batch_size=2.5)


def test_a_wrapper_that_has_no_effect_is_named(dataset):
    class LabelCost(gym.Wrapper):
        pass

    wrapped = LabelCost(gym.make("labelchain/Chain-v0", dataset=dataset))
    with pytest.warns(
        UserWarning, match="LabelCost has no effect on an algorithm that trains on the data"
    ) as told:
        ChainPG("ChainPolicy", wrapped, **SMALL)
    assert len(told) == 1
    ChainPG("ChainPolicy", Autoreset(gym.make("labelchain/Chain-v0", dataset=dataset)), **SMALL)


def test_a_wrapper_of_the_vec_env_that_has_no_effect_is_named(dataset):
    class Negative(VecEnvWrapper):
        def reset(self):
            return self.venv.reset()

        def step_wait(self):
            observations, rewards, *rest = self.venv.step_wait()
            return observations, -rewards, *rest

    env = DummyVecEnv([lambda: LabelChainEnv(dataset)])
    with pytest.warns(UserWarning, match=r"^Negative has no effect") as told:
        model = ChainPG("ChainPolicy", VecMonitor(Negative(env)), **SMALL)
    assert len(told) == 1
    with pytest.warns(UserWarning, match=r"^Negative has no effect"):
        model.set_env(Negative(env))
    ChainPG("ChainPolicy", VecCheckNan(VecMonitor(env)), **SMALL)


@pytest.mark.parametrize("num_envs", [1, 2])
@pytest.mark.parametrize("reward", [None, "f1"])
def test_a_wrapper_of_rewards_does_not_hide_the_environments_reward(dataset, num_envs, reward):
    env = DummyVecEnv(
        [lambda: TransformReward(LabelChainEnv(dataset, reward="hamming"), np.negative)] * num_envs
    )
    with pytest.warns(UserWarning, match="TransformReward has no effect"):
        model = ChainPG("ChainPolicy", env, reward=reward, **SMALL).learn(1)
    assert model._paid.name == (reward or "hamming")


def test_a_wrapper_that_hides_the_reward_in_another_process_is_refused(dataset):
    env = SubprocVecEnv([lambda: TransformReward(LabelChainEnv(dataset), np.negative)])
    with pytest.raises(ValueError, match=r"names of rewards, got .* in another process: it has no effect"):
        ChainPG("ChainPolicy", env, reward="f1", **SMALL)
    env.close()


def test_a_loss_that_is_not_finite_ends_the_training(env):
    model = ChainPG("ChainPolicy", env, warmup=1.0, **SMALL)
    with torch.no_grad():
        model.policy.network.output.bias.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="the loss became nan: try a lower learning_rate"):
        model.learn(100)


def test_a_step_that_is_not_finite_ends_the_training(env):
    model = ChainPG("ChainPolicy", env, **SMALL)
    model.policy.network.output.bias.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(FloatingPointError, match=r"the gradient became .*: try a lower learning rate"):
        model.learn(100)
