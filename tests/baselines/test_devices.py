"""Every learner with a network on a device: nothing of a step stays behind, and the numbers are the same."""

import numpy as np
import pytest
import torch

from labelchain.agents.checkpoints import load_tensors
from labelchain.agents.devices import CPU
from labelchain.baselines.learners import LEARNERS, fit
from labelchain.baselines.orders import FixedOrder
from labelchain.baselines.predictions import FILE

SAMPLED = {"estimator": "sampled", "reward": "f1"}
CASES = [
    # learner, sparse features, changes of the settings
    ("freq2rare", False, {}),
    ("freq2rare", True, {"cell": "gru"}),
    ("always-random", True, {}),
    ("always-random", False, {"cell": "gru", "precision": "bfloat16"}),
    ("target-reordering", False, {}),
    ("target-reordering", True, {"cell": "gru"}),
    ("order-free", True, {}),
    ("order-free", False, {"cell": "gru"}),
    ("chain-pg", False, {}),
    ("chain-pg", True, {"cell": "gru", "reward": "f1"}),
    ("chain-pg", True, SAMPLED),
    ("chain-pg", False, {"cell": "gru"} | SAMPLED),
    ("chain-pg", False, {"baseline": "self-critical"} | SAMPLED),
    ("chain-q", True, {}),
    ("chain-q", False, {"cell": "gru"}),
    ("composite-joint", False, {}),
    ("composite-joint", True, {"cell": "gru"} | SAMPLED),
]


def silent(share, note):
    """A progress callback that shows nothing."""


def tensors_of(value, name=""):
    """Every tensor of a checkpoint, by its place."""
    if isinstance(value, torch.Tensor):
        return {name: value}
    if not isinstance(value, (dict, list)):
        return {}
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    return {key: found for at, part in inside for key, found in tensors_of(part, f"{name}/{at}").items()}


def trained(learner, make_run, data, changes, device):
    run = make_run(learner, epochs=2, embedding=6, hidden=5, **changes)
    run.device = device
    LEARNERS[learner].train(run, data, silent)
    return tensors_of(load_tensors(run.directory / "model.pt"))


@pytest.mark.parametrize(("learner", "sparse", "changes"), CASES)
def test_training_on_a_device_is_the_same(learner, sparse, changes, make_run, make_dataset, pretended):
    data = make_dataset(num_rows=48, sparse=sparse)
    there = trained(learner, make_run, data, changes, pretended.device)
    assert (pretended.heavy, pretended.restored) == ([], [pretended.device])
    here = trained(learner, make_run, data, changes | {"precision": "float32"}, CPU)
    assert pretended.heavy != []
    assert there.keys() == here.keys()
    assert all(torch.equal(tensor, here[name]) for name, tensor in there.items())


def test_a_composite_on_a_device_ends_with_the_same_predictions(make_run, make_dataset, pretended):
    data = make_dataset(num_rows=36)
    runs = [make_run("composite", epochs=2) for _ in range(2)]
    runs[0].device = pretended.device
    there = fit(runs[0], data, silent)
    assert pretended.heavy == []
    assert fit(runs[1], data, silent) == there
    there, here = (np.load(run.directory / FILE) for run in runs)
    assert set(there.files) > {"chain/chains", "first-step/ranking", "sampled-chains/ranking", "beam/chains"}
    for name in here.files:
        np.testing.assert_array_equal(there[name], here[name])


def test_other_learners_stay_on_the_processor(make_run, dataset):
    run = make_run("popularity")
    run.device = torch.device("cuda")
    fit(run, dataset, silent)
    assert run.config()["device"] == "cpu"


def test_an_order_that_stays_behind_is_noticed(make_run, dataset, pretended, monkeypatch):
    def forgetful(self, network, batch, generator):
        return self._position[batch.labels.clamp(min=0)].float()

    monkeypatch.setattr(FixedOrder, "keys", forgetful)
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        trained("freq2rare", make_run, dataset, {}, pretended.device)
