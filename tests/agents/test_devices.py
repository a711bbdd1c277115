"""Devices by name; decoding, resuming and ChainPG on one that is pretended; a GPU if there is one."""

import json

import numpy as np
import pytest
import torch
from pretended_device import Pretended
from same_models import assert_bit_equal

from labelchain.agents import train as script
from labelchain.agents.chain_pg import train_chain_pg
from labelchain.agents.chain_pg_algorithm import ChainPG
from labelchain.agents.chain_steps import chain_steps
from labelchain.agents.chain_vec_env import ChainVecEnv
from labelchain.agents.checkpoints import chain_predictor, load_chain_model, load_tensors
from labelchain.agents.decoders import DECODINGS, under_decoding
from labelchain.agents.devices import CPU, DeviceError, device_named, seed_random
from labelchain.agents.label_scores import label_scores
from labelchain.agents.likelihood import Batch
from labelchain.agents.network_records import record_of
from labelchain.agents.networks import make_network
from labelchain.agents.runs import Run
from labelchain.agents.sb3_policies import policy_predictor
from labelchain.envs import evaluate

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that PyTorch can use")
GPU = torch.device("cuda")


def silent(share, note):
    """A progress callback that shows nothing."""


def test_devices_have_names(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named("auto") == device_named("cpu") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_named("auto") == device_named("cuda") == GPU
    assert device_named("cpu") == device_named("auto", "torchrun") == CPU


@pytest.mark.parametrize(
    ("name", "built", "message"),
    [
        ("gpu", True, "unknown device 'gpu': expected one of auto, cpu, cuda"),
        ("cuda", True, f"PyTorch {torch.__version__} finds none here: take device auto or cpu"),
        ("cuda", False, "is built for processors alone: take device auto or cpu, or install a PyTorch for"),
    ],
)
def test_a_device_that_is_not_there_is_one_clear_error(name, built, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: built)
    with pytest.raises(DeviceError) as error:
        device_named(name)
    assert message in str(error.value)


@pytest.mark.parametrize(("agent", "launched"), [("chain-q", "torchrun"), ("ppo", "ppo")])
def test_torchrun_and_stable_baselines3_take_no_gpu(agent, launched, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(script, "is_launched", lambda: launched == "torchrun")
    with pytest.raises(
        DeviceError, match=f"{launched} computes on processors alone: take device auto or cpu"
    ):
        script.main([agent, "digit-scenes", "--device", "cuda"])


def test_a_gpu_is_recorded_by_its_name(make_run, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"the model of {device}")
    run = make_run("chain-pg")
    run.device = GPU
    run.create()
    assert json.loads((run.directory / "config.json").read_text())["device"] == "cuda (the model of cuda)"


def test_a_run_opens_on_any_device_and_without_a_record_of_one(make_run):
    run = make_run("chain-pg")
    run.create()
    path = run.directory / "config.json"
    config = json.loads(path.read_text())
    assert config.pop("device") == "cpu"
    path.write_text(json.dumps(config))
    assert Run.open(run.directory).device == CPU
    elsewhere = Run.open(run.directory, GPU)
    assert elsewhere.device == GPU
    elsewhere.create()


def test_a_training_seeds_no_other_device(make_run, dataset, monkeypatch):
    """``torch.manual_seed`` would seed every GPU, and nobody would put that back."""
    seeded = []
    for name in ("manual_seed", "manual_seed_all"):
        monkeypatch.setattr(torch.cuda, name, seeded.append)
    before = torch.get_rng_state()
    train_chain_pg(make_run("chain-pg"), dataset, silent)
    assert seeded == []
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng(devices=[]):
        seed_random(7, GPU)
        assert (seeded, torch.initial_seed()) == ([7], 7)


@pytest.fixture(params=["sum", "gru"])
def records(request, make_run, make_dataset):
    """A data set with sparse features, and records of two networks for it."""
    data = make_dataset(sparse=True)
    config = make_run("chain-pg", cell=request.param).settings.network()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return data, [record_of(make_network(data, config)) | {"weight": weight} for weight in (0.3, 0.7)]


def test_every_decoding_is_the_same_on_a_device(records, pretended):
    data, networks = records
    features = data.dense_features(data.rows("test"))
    predictors = [chain_predictor(networks, 4, device) for device in (pretended.device, CPU)]
    answers = []
    for predictor in predictors:
        found = [predictor.label_sets(features), label_scores(predictor, features, data.num_labels)]
        for decoding in DECODINGS:
            found += vars(under_decoding(predictor, decoding, 3).predict(features)).values()
        inputs = torch.from_numpy(features).to(predictor.device)
        found += vars(chain_steps(predictor.model, inputs, 4, most=2)).values()
        answers.append(found)
        assert (pretended.heavy == []) == (predictor is predictors[0])
    for there, here in zip(*answers, strict=True):
        np.testing.assert_array_equal(there, here)


@pytest.mark.parametrize("first_there", [True, False])
def test_a_stopped_run_goes_on_elsewhere(first_there, make_run, dataset, pretended):
    def stop(share, note):
        if share >= 0.25:
            raise KeyboardInterrupt

    places = [pretended.device, CPU] if first_there else [CPU, pretended.device]
    run, whole = make_run("chain-pg"), make_run("chain-pg")
    run.device = places[0]
    with pytest.raises(KeyboardInterrupt):
        train_chain_pg(run, dataset, stop)
    for state in load_tensors(run.directory / "last.pt")["optimiser"]["state"].values():
        assert all(type(moment) is torch.Tensor and moment.device == CPU for moment in state.values())
    run.device = places[1]
    train_chain_pg(run, dataset, silent)
    train_chain_pg(whole, dataset, silent)
    assert_bit_equal(run, whole)


@pytest.mark.parametrize("estimator", ["all-actions", "sampled"])
@pytest.mark.parametrize("cell", ["sum", "gru"])
def test_chain_pg_of_stable_baselines3_learns_on_a_device(cell, estimator, dataset, tmp_path, pretended):
    def learned(device):
        env = ChainVecEnv(dataset, num_envs=4, reward="f1", seed=0)
        kwargs = {"cell": cell, "width": 8, "embedding": 8, "hidden": 8}
        chosen = {"estimator": estimator, "warmup": 0.5, "batch_size": 16, "seed": 0, "device": device}
        return ChainPG("ChainPolicy", env, policy_kwargs=kwargs, **chosen).learn(200)

    there = learned(pretended.device)
    weights = list(there.policy.network.parameters())
    assert all(isinstance(weight, Pretended) for weight in weights)
    here = learned(CPU)
    for one, other in zip(weights, here.policy.network.parameters(), strict=True):
        assert torch.equal(one.cpu(), other)
    observation = {"features": dataset.dense_features(np.arange(3)), "emitted": np.zeros((3, 5), np.int8)}
    answers = [model.predict(observation, deterministic=True) for model in (there, here)]
    np.testing.assert_array_equal(answers[0][0], answers[1][0])
    state = answers[0][1]
    there.predict(observation, state, deterministic=True, action_masks=np.ones((3, 6), bool))
    evaluations = [evaluate(policy_predictor(model, 4), dataset, "test").metrics for model in (there, here)]
    assert evaluations[0] == evaluations[1]


def test_the_pretended_device_is_as_strict_as_a_gpu(dataset, pretended):
    there, here = torch.ones(3, device=pretended.device), torch.ones(3)
    for mix in (
        lambda: there + here,
        lambda: torch.cat([there, here]),
        lambda: here[there.long()],
        lambda: there.gather(0, torch.tensor(1)),
        lambda: there.copy_(here) + here,
    ):
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
            mix()
    with pytest.raises(RuntimeError, match="Expected a 'lazy' device type for generator but found 'cpu'"):
        torch.rand(3, generator=torch.Generator(), device=pretended.device)
    with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator but found 'lazy'"):
        torch.rand(3, generator=torch.Generator(pretended.device))
    for look in (np.asarray, lambda tensor: tensor.numpy()):
        with pytest.raises(TypeError, match="can't convert lazy:0 device type tensor to numpy"):
            look(there)
    # What a GPU takes: scalars, indices of the processor, copies.
    assert (there * torch.tensor(2.0))[torch.tensor([0, 2])].tolist() == [2.0, 2.0]
    there[1:] = here[1:]
    assert torch.equal(there.cpu(), here)
    batch = Batch.of(dataset, np.arange(4), pretended.device)
    assert {batch.features.device, batch.labels.device} == {pretended.device}


def test_a_batch_that_stays_behind_is_noticed(make_run, dataset, pretended, monkeypatch):
    whole = Batch.of

    def forgetful(data, rows, device, part):
        return Batch(whole(data, rows, part=part).features, whole(data, rows, device, part).labels)

    monkeypatch.setattr(Batch, "of", forgetful)
    run = make_run("chain-pg")
    run.device = pretended.device
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        train_chain_pg(run, dataset, silent)


@needs_gpu
@pytest.mark.parametrize(
    "changes", [{}, {"cell": "gru", "precision": "bfloat16"}, {"estimator": "sampled", "reward": "f1"}]
)
def test_a_gpu_trains_and_its_files_open_without_one(changes, make_run, make_dataset):
    data = make_dataset(sparse=True)
    run = make_run("chain-pg", **changes)
    run.device = device_named("auto")
    before = torch.cuda.get_rng_state()
    train_chain_pg(run, data, silent)
    assert torch.equal(torch.cuda.get_rng_state(), before)
    path = run.directory / "model.pt"
    here, there = (
        evaluate(load_chain_model(path, data, device), data, "test").predictions.ranking
        for device in (CPU, run.device)
    )
    assert np.mean(here == there) > 0.9  # sums are rounded otherwise
