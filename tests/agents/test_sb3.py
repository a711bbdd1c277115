"""Stable-Baselines3 agents as learners: trained, saved, loaded, evaluated, logged."""

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents.runs import RunError
from labelchain.agents.sb3 import ALGORITHMS, load_sb3, train_sb3
from labelchain.envs import evaluate


def silent(share, note):
    """A progress callback that shows nothing."""


def events_of(run):
    events = EventAccumulator(str(run.directory))
    events.Reload()
    return events


@pytest.mark.parametrize("learner", sorted(ALGORITHMS))
def test_agents_train_save_load_and_repeat(make_run, dataset, learner):
    runs = [make_run(learner, sb3_steps=2560) for _ in range(2)]
    seen = [train_sb3(run, dataset, silent) for run in runs]
    assert seen[0] == seen[1] > 0
    metrics = [evaluate(load_sb3(run, dataset), dataset, "test").metrics for run in runs]
    assert metrics[0] == metrics[1]
    events = events_of(runs[0])
    tags = events.Tags()["scalars"]
    assert {tag.partition("/")[0] for tag in tags} == {"rollout", "train", "time", "eval", "chain"}
    assert {"eval/P@1", "eval/f1_example", "rollout/ep_rew_mean", "chain/length", "time/env_steps"} <= set(
        tags
    )
    steps = [event.step for event in events.Scalars("eval/P@1")]
    assert steps == sorted(set(steps))
    assert steps[-1] == seen[0]


@pytest.mark.parametrize("learner", ["maskable-ppo", "dqn"])
def test_agents_on_sparse_rows_are_loaded_with_the_data_at_hand(make_run, make_dataset, learner):
    data = make_dataset(sparse=True)
    run = make_run(learner)
    train_sb3(run, data, silent)
    assert 0 <= evaluate(load_sb3(run, data), data, "test").metrics["P@1"] <= 100
    for other in (make_dataset(sparse=True, num_features=9), make_dataset(sparse=True, num_labels=4)):
        with pytest.raises(RunError, match="does not fit random"):
            load_sb3(run, other)


def test_the_policies_kept_are_the_best_on_validation(make_run, dataset):
    run = make_run("maskable-ppo", sb3_steps=3000)
    train_sb3(run, dataset, silent)
    events = events_of(run)
    found = evaluate(load_sb3(run, dataset), dataset, "validation").metrics
    for metric in ("nDCG@5", "f1_example"):
        best = max(event.value for event in events.Scalars(f"eval/{metric}"))
        assert found[metric] == pytest.approx(best, rel=1e-5)


def test_progress_stays_in_range_and_is_told_a_hundred_times(make_run, dataset):
    shares = []

    def progress(share, note):
        shares.append(share)

    train_sb3(make_run("a2c", sb3_steps=6400), dataset, progress)
    assert shares == sorted(set(shares))
    assert 0 <= shares[0] < shares[-1] == 1
    assert len(shares) <= 101


def test_a_stopped_agent_starts_again_and_logs_no_step_twice(make_run, dataset):
    run = make_run("ppo", name="stopped", sb3_steps=4096)

    def stop_in_the_second_rollout(share, note):
        if share > 0.8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_sb3(run, dataset, stop_in_the_second_rollout)
    train_sb3(run, dataset, silent)
    undisturbed = make_run("ppo", sb3_steps=4096)
    train_sb3(undisturbed, dataset, silent)
    curves = [
        [(event.step, event.value) for event in events_of(each).Scalars("eval/nDCG@5")]
        for each in (run, undisturbed)
    ]
    assert curves[0] == curves[1]
    loaded = [evaluate(load_sb3(each, dataset), dataset, "test").metrics for each in (run, undisturbed)]
    assert loaded[0] == loaded[1]


def test_the_reward_can_be_named(make_run, dataset):
    runs = [make_run("maskable-ppo", sb3_reward=reward) for reward in ("f1", "ndcg@5", None)]
    for run in runs:
        train_sb3(run, dataset, silent)
    returns = [events_of(run).Scalars("rollout/ep_rew_mean")[0].value for run in runs]
    assert returns[0] == returns[2] != returns[1]


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04", np.zeros(100).tobytes()])
def test_a_damaged_policy_file_is_refused(make_run, dataset, content):
    run = make_run("ppo")
    run.directory.mkdir()
    with pytest.raises(RunError, match=r"ranking\.zip does not exist"):
        load_sb3(run, dataset)
    for family in ("ranking", "label_set"):
        (run.directory / f"{family}.zip").write_bytes(content)
    with pytest.raises(RunError, match=r"ranking\.zip is not a Stable-Baselines3 model, or is damaged"):
        load_sb3(run, dataset)
