"""Stable-Baselines3 agents: trained, saved, loaded, decoded as networks are."""

import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import DummyVecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents.runs import RunError
from labelchain.agents.sb3 import ALGORITHMS, PolicyStepModel, load_sb3, train_sb3
from labelchain.envs import LabelChainEnv, evaluate


def silent(share, note):
    """A progress callback that shows nothing."""


@pytest.mark.parametrize("learner", sorted(ALGORITHMS))
def test_agents_train_save_load_and_repeat(make_run, dataset, learner):
    runs = [make_run(learner) for _ in range(2)]
    seen = [train_sb3(run, dataset, silent) for run in runs]
    assert seen[0] == seen[1] > 0
    metrics = [evaluate(load_sb3(run, dataset), dataset, "test").metrics for run in runs]
    assert metrics[0] == metrics[1]
    events = EventAccumulator(str(runs[0].directory))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {"eval/P@1", "eval/f1_example", "rollout/ep_rew_mean", "time/fps"} <= tags
    (runs[0].directory / "ranking.zip").write_bytes(b"no zip")
    with pytest.raises(RunError, match=r"ranking\.zip is not a Stable-Baselines3 model"):
        load_sb3(runs[0], dataset)
    (runs[0].directory / "ranking.zip").unlink()
    with pytest.raises(RunError, match=r"ranking\.zip does not exist"):
        load_sb3(runs[0], dataset)


def test_the_step_model_is_the_masked_policy(dataset):
    model = MaskablePPO("MultiInputPolicy", DummyVecEnv([lambda: LabelChainEnv(dataset)]), seed=0, n_steps=8)
    step_model = PolicyStepModel(model.policy, dataset.num_labels)
    features = torch.from_numpy(dataset.dense_features(dataset.rows("test")))
    state = step_model.advance(step_model.start(features), torch.full((len(features),), 2))
    emitted = state[1].bool()
    with torch.no_grad():
        ours = step_model.log_probs(state, emitted)
    masks = np.concatenate([~emitted.numpy(), np.ones((len(features), 1), dtype=bool)], axis=1)
    observation = {"features": features, "emitted": state[1]}
    theirs = model.policy.get_distribution(observation, action_masks=masks).distribution
    torch.testing.assert_close(ours.exp(), theirs.probs.detach(), atol=1e-5, rtol=0)
    arrays = {name: tensor.numpy() for name, tensor in observation.items()}
    actions, _ = model.predict(arrays, action_masks=masks, deterministic=True)
    np.testing.assert_array_equal(ours.argmax(dim=1), actions)
