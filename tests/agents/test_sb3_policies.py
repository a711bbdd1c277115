"""Stable-Baselines3 policies as step models, and what their training writes."""

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents.runs import RunError
from labelchain.agents.sb3 import ALGORITHMS, PolicyStepModel, load_sb3, policy_predictor, train_sb3
from labelchain.envs import LabelChainEnv, evaluate


def silent(share, note):
    """A progress callback that shows nothing."""


@pytest.mark.parametrize("learner", sorted(ALGORITHMS))
def test_the_step_model_is_the_policy_restricted_to_labels_not_out(dataset, learner):
    env = DummyVecEnv([lambda: LabelChainEnv(dataset)])
    model = ALGORITHMS[learner]("MultiInputPolicy", env, seed=0, n_steps=8, batch_size=8)
    step_model = PolicyStepModel(model.policy, dataset.num_labels)
    features = torch.from_numpy(dataset.dense_features(dataset.rows("test")))
    state, prefix = step_model.start(features), [3, 0]
    for label in prefix:
        state = step_model.advance(state, torch.full((len(features),), label))
    emitted = torch.zeros(len(features), dataset.num_labels, dtype=torch.bool)
    emitted[:, prefix] = True
    assert state[1].bool().equal(emitted)
    with torch.no_grad():
        ours = step_model.log_probs(state, emitted)
        policy = model.policy.get_distribution({"features": features, "emitted": emitted.float()})
        probabilities = policy.distribution.probs
    allowed = torch.nn.functional.pad(~emitted, (0, 1), value=True)
    kept = torch.where(allowed, probabilities, 0.0)
    torch.testing.assert_close(ours.exp(), kept / kept.sum(dim=1, keepdim=True), atol=1e-6, rtol=1e-5)
    assert ours[~allowed].isneginf().all()


def test_decoding_an_agent_is_playing_it_greedily(dataset):
    """The label set is what the agent does in the environment if it takes its best allowed action."""
    env = DummyVecEnv([lambda: LabelChainEnv(dataset)])
    model = ALGORITHMS["maskable-ppo"]("MultiInputPolicy", env, seed=1, n_steps=64, batch_size=64)
    model.learn(256)
    game = LabelChainEnv(dataset, split="test")
    predictor = policy_predictor(model, dataset.num_labels, game.max_labels)
    predictions = predictor.predict(dataset.dense_features(dataset.rows("test")))
    for index in range(len(dataset.rows("test"))):
        observation, _ = game.reset(options={"index": index})
        ended = False
        while not ended:
            action, _ = model.predict(observation, action_masks=game.action_masks(), deterministic=True)
            observation, _, terminated, truncated, info = game.step(int(action))
            ended = terminated or truncated
        chain = predictions.chains[index]
        assert chain[chain >= 0].tolist() == info["chain"]


def test_validation_curves_have_one_value_per_step_and_progress_stays_in_range(make_run, dataset):
    run, shares = make_run("maskable-ppo"), []

    def progress(share, note):
        shares.append(share)

    seen = train_sb3(run, dataset, progress)
    assert all(0 <= share <= 1 for share in shares)
    events = EventAccumulator(str(run.directory))
    events.Reload()
    steps = [event.step for event in events.Scalars("eval/P@1")]
    assert steps == sorted(set(steps))
    assert steps[-1] == seen


def test_a_stopped_agent_starts_again_and_logs_no_step_twice(make_run, dataset):
    run, calls = make_run("ppo", name="stopped", sb3_steps=4096), []

    def stop_at_the_second_rollout(share, note):
        calls.append(share)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_sb3(run, dataset, stop_at_the_second_rollout)
    assert not (run.directory / "ranking.zip").exists()
    train_sb3(run, dataset, silent)
    undisturbed = make_run("ppo", sb3_steps=4096)
    train_sb3(undisturbed, dataset, silent)
    curves = []
    for each in (run, undisturbed):
        events = EventAccumulator(str(each.directory))
        events.Reload()
        curves.append([(event.step, event.value) for event in events.Scalars("eval/nDCG@5")])
    assert curves[0] == curves[1]
    loaded = [evaluate(load_sb3(each, dataset), dataset, "test").metrics for each in (run, undisturbed)]
    assert loaded[0] == loaded[1]


def test_the_policies_kept_are_the_best_on_validation(make_run, dataset):
    run = make_run("maskable-ppo", sb3_steps=3000)
    train_sb3(run, dataset, silent)
    events = EventAccumulator(str(run.directory))
    events.Reload()
    found = evaluate(load_sb3(run, dataset), dataset, "validation").metrics
    for metric in ("nDCG@5", "f1_example"):
        best = max(event.value for event in events.Scalars(f"eval/{metric}"))
        assert found[metric] == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", np.zeros(100).tobytes()])
def test_a_damaged_policy_file_is_refused(make_run, dataset, content):
    run = make_run("ppo")
    run.directory.mkdir()
    for family in ("ranking", "label_set"):
        (run.directory / f"{family}.zip").write_bytes(content)
    with pytest.raises(RunError, match=r"ranking\.zip is not a Stable-Baselines3 model, or is damaged"):
        load_sb3(run, dataset)
