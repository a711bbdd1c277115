"""Callbacks on SB3's agents: exact evaluation, early stopping, best checkpoints, order statistics."""

import math

import numpy as np
import pytest
from sb3_contrib import MaskablePPO
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecNormalize
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents.callbacks import (
    BestCheckpoint,
    EarlyStopping,
    ExactEvaluation,
    OrderStatistics,
    order_statistics,
)
from labelchain.agents.chain_vec_env import ChainVecEnv
from labelchain.agents.sb3_policies import policy_predictor
from labelchain.envs import default_max_labels, evaluate


def agent(dataset, **kwargs):
    env = ChainVecEnv(dataset, 4, reward="f1")
    arguments = {"n_steps": 16, "batch_size": 32, "seed": 0, "device": "cpu"} | kwargs
    return MaskablePPO("MultiInputPolicy", env, **arguments)


def test_evaluations_are_exact_and_logged_to_the_agents_own_logger(dataset, tmp_path):
    model = agent(dataset)
    model.set_logger(configure(str(tmp_path), ["tensorboard"]))
    evaluation = ExactEvaluation(dataset, every=100, split="test", after=[OrderStatistics()])
    model.learn(300, callback=evaluation)
    predictor = policy_predictor(model, default_max_labels(dataset))
    assert evaluation.metrics == evaluate(predictor, dataset, "test").metrics
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    tags = {tag.partition("/")[0] for tag in events.Tags()["scalars"]}
    assert tags == {"rollout", "train", "time", "eval", "chain"}
    steps = [event.step for event in events.Scalars("eval/P@1")]
    assert steps == [100, 200, 320]  # 300 is in the last rollout, which has 320 steps
    assert [event.value for event in events.Scalars("time/env_steps")] == steps
    assert len(events.Scalars("chain/length")) == len(events.Scalars("chain/labels_used")) == 3


def test_figures_go_to_a_log_of_ones_own_by_inputs_seen(dataset):
    written = []
    evaluation = ExactEvaluation(
        dataset, every=64, log=lambda prefix, values, step: written.append((prefix, set(values), step))
    )
    model = agent(dataset)
    model.learn(128, callback=evaluation)
    assert {"eval", "chain", "time"} == {prefix for prefix, _, _ in written}
    assert ("time", {"env_steps"}, evaluation.inputs_seen) in written
    assert 0 < evaluation.inputs_seen < 128


def test_training_stops_when_patience_is_over(dataset):
    stopping = EarlyStopping("f1_example", patience=2)
    evaluation = ExactEvaluation(dataset, every=64, after=[stopping])
    agent(dataset, learning_rate=0.0).learn(10_000, callback=evaluation)  # nothing is ever learned
    assert evaluation.num_timesteps == 4 * 64
    assert stopping.best == evaluation.metrics["f1_example"]


def test_a_metric_that_is_better_low_is_followed_down(dataset):
    stopping = EarlyStopping("hamming_loss", patience=0)
    evaluation = ExactEvaluation(dataset)
    stopping.parent = evaluation
    results = []
    for value in (9.0, 7.0, 8.0):
        evaluation.metrics = {"hamming_loss": value}
        results.append(stopping._on_step())
    assert results == [True, True, False]
    assert stopping.best == 7.0


def test_the_best_agent_is_kept_and_no_part_of_a_file_is_left(dataset, tmp_path):
    best = BestCheckpoint(tmp_path / "best", "f1_example")
    evaluation = ExactEvaluation(dataset, every=64, after=[best])
    agent(dataset).learn(512, callback=evaluation)
    assert [path.name for path in tmp_path.iterdir()] == ["best.zip"]
    predictor = policy_predictor(MaskablePPO.load(tmp_path / "best.zip"), default_max_labels(dataset))
    assert evaluate(predictor, dataset, "validation").metrics["f1_example"] == best.best


def test_names_with_dots_are_kept(tmp_path):
    paths = [BestCheckpoint(tmp_path / name, "P@1").path.name for name in ("lr-0.001", "lr-0.003.zip")]
    assert paths == ["lr-0.001.zip", "lr-0.003.zip"]


def test_callbacks_begin_anew_with_each_training(dataset):
    stopping = EarlyStopping("P@1", patience=0)
    seen = []
    evaluation = ExactEvaluation(dataset, every=64, after=[stopping], log=lambda *entry: seen.append(entry))
    for _ in range(2):
        agent(dataset, learning_rate=1e-9).learn(192, callback=evaluation)
        assert math.isfinite(stopping.best)
    steps = [values["env_steps"] for prefix, values, _ in seen if prefix == "time"]
    assert steps == [64, 128] * 2  # nothing improves; the patience of the second is its own
    once = ExactEvaluation(dataset, every=1000, log=lambda *entry: seen.append(entry))
    seen.clear()
    for _ in range(2):
        agent(dataset).learn(64, callback=once)
    assert len([prefix for prefix, *_ in seen if prefix == "eval"]) == 2


def test_observations_that_the_data_do_not_hold_are_refused(dataset):
    env = VecNormalize(ChainVecEnv(dataset, 4), norm_obs_keys=["features"])
    model = MaskablePPO("MultiInputPolicy", env, n_steps=16, batch_size=32, device="cpu")
    for evaluating in (
        lambda: model.learn(64, callback=ExactEvaluation(dataset)),
        lambda: policy_predictor(model, 3),
    ):
        with pytest.raises(ValueError, match="normalised by VecNormalize"):
            evaluating()


def test_wrong_use_is_refused(dataset):
    with pytest.raises(ValueError, match="every must be at least 1 environment step, got 0"):
        ExactEvaluation(dataset, every=0)
    with pytest.raises(ValueError, match="patience must be at least 0, got -1"):
        EarlyStopping("P@1", patience=-1)
    with pytest.raises(ValueError, match=r"EarlyStopping looks at evaluations: pass it as ExactEvaluation"):
        agent(dataset).learn(64, callback=EarlyStopping("P@1"))
    evaluation = ExactEvaluation(dataset, every=64, after=[EarlyStopping("P@2")])
    with pytest.raises(ValueError, match=r"metric must be one of P@1, P@3, .*, got 'P@2'"):
        agent(dataset).learn(64, callback=evaluation)


def test_order_statistics_tell_orders_apart():
    frequencies = np.array([30, 20, 10, 5])
    frequent_first = np.array([[0, 1, 2], [0, 1, -1], [0, 1, 2]])
    figures = order_statistics(frequent_first, frequencies)
    assert figures == {"labels_used": 3.0, "position_deviation": 0.0, "rank_correlation": -1.0}
    rare_first = np.array([[2, 1, 0], [2, 1, 0]])
    assert order_statistics(rare_first, frequencies)["rank_correlation"] == 1.0
    either = np.array([[0, 1], [1, 0]])
    assert order_statistics(either, frequencies) == {"labels_used": 2.0, "position_deviation": 0.5}
    assert order_statistics(np.full((2, 1), -1), frequencies) == {"labels_used": 0.0}
