"""Run folders and model files: what they hold, what is refused, that no file runs code."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.checkpoints import (
    FORMAT,
    load_chain_model,
    load_tensors,
    save_chain_model,
)
from labelchain.agents.network_records import network_of, record_of
from labelchain.agents.networks import build_network
from labelchain.agents.run_logger import RunLogger
from labelchain.agents.runs import PACKAGES, Run, RunError, read_json, write_json
from labelchain.agents.settings import Settings
from labelchain.envs.metrics import LABEL_SET_METRICS, RANKING_METRICS


def small_network(seed=0, **config):
    torch.manual_seed(seed)
    return build_network(
        3, 4, NetworkConfig(**{"width": 4, "embedding": 3, "hidden": 3, **config}), "standard"
    )


@pytest.mark.parametrize("cell", ["sum", "gru"])
def test_a_network_survives_its_record(cell):
    net = small_network(cell=cell).eval()
    net.scaler.mean.fill_(2.0)
    copy = network_of(record_of(net))
    features, chains = torch.randn(5, 3), torch.tensor([[0, 3]] * 5)
    with torch.no_grad():
        assert torch.equal(net(features, chains)[0], copy(features, chains)[0])
    assert not copy.training
    assert copy.config == net.config


def test_a_record_does_not_follow_its_network():
    net = small_network()
    record = record_of(net)
    before = record["state"]["output.weight"].clone()
    with torch.no_grad():
        net.output.weight.add_(1)
    assert torch.equal(record["state"]["output.weight"], before)


def test_a_saved_model_predicts_as_before_with_each_family_from_its_own_networks(tmp_path):
    ranker, setter = small_network(1), small_network(2)
    path = tmp_path / "model.pt"
    save_chain_model(path, [record_of(ranker)], [record_of(setter), record_of(ranker)], max_labels=2)
    features = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    both = load_chain_model(path).predict(features)
    save_chain_model(path, [record_of(ranker)], [record_of(ranker)], max_labels=2)
    np.testing.assert_array_equal(load_chain_model(path).predict(features).ranking, both.ranking)
    save_chain_model(path, [record_of(setter)], [record_of(setter), record_of(ranker)], max_labels=2)
    np.testing.assert_array_equal(load_chain_model(path).predict(features).chains, both.chains)
    assert both.chains.shape[1] <= 2


def test_no_damage_to_a_model_file_ends_in_anything_but_a_clear_error(tmp_path):
    path = tmp_path / "model.pt"
    record = record_of(small_network())
    save_chain_model(path, [record], [record], max_labels=2)
    content, rng = path.read_bytes(), random.Random(0)
    refused = 0
    for trial in range(150):
        damaged = bytearray(content[: rng.randrange(len(content))] if trial % 3 == 0 else content)
        for _ in range(0 if trial % 3 == 0 else rng.choice([1, 4, 30])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(bytes(damaged))
        try:
            load_chain_model(path)
        except RunError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 50


RECORD = {"num_features": 3, "num_labels": 4, "config": {"width": 4}, "scaling": "none"}


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"ranking": 5, "label_set": 5, "max_labels": 3},
        {"ranking": [], "label_set": [], "max_labels": 3},
        {"ranking": ["abc"], "label_set": [], "max_labels": 3},
        {"ranking": [RECORD], "label_set": [RECORD], "max_labels": 3},
        {"ranking": [RECORD | {"state": 5}], "label_set": [], "max_labels": 3},
        {"ranking": [RECORD | {"state": {1: 2}}], "label_set": [], "max_labels": 3},
        {"ranking": [RECORD | {"config": {"depth": 4}}], "label_set": [], "max_labels": 3},
        {"ranking": [RECORD | {"config": {"width": 0}}], "label_set": [], "max_labels": 3},
    ],
)
def test_a_checkpoint_that_describes_no_model_is_refused(tmp_path, content):
    path = tmp_path / "model.pt"
    torch.save({"format": FORMAT} | content, path)
    with pytest.raises(RunError, match=r"model\.pt does not describe a chain model .*train again"):
        load_chain_model(path)


@pytest.mark.parametrize("content", [[1], {"a": 1}, {"format": "1"}, torch.ones(2)])
def test_tensors_of_another_kind_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(RunError, match=f"is not a labelchain checkpoint of format {FORMAT}"):
        load_tensors(tmp_path / "model.pt")


def test_a_configuration_comes_back_as_it_was(make_run):
    run = make_run("chain-pg", seed=7, cell="gru", max_labels=3, dropout=0.125, reward="f1", warmup=1 / 3)
    run.create()
    back = Run.open(run.directory)
    assert (back.learner, back.dataset, back.seed, back.settings) == ("chain-pg", "random", 7, run.settings)
    config = json.loads((run.directory / "config.json").read_text())
    assert set(config["versions"]) == {*PACKAGES, "python"}
    assert config["versions"]["torch"] == torch.__version__
    assert config["threads"] == torch.get_num_threads()
    written = (run.directory / "config.json").read_bytes()
    back.create()
    assert (run.directory / "config.json").read_bytes() == written


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"width": 9, "reward": "f1"},
            r"with width=8, not 9",
        ),
        ({"max_labels": 3}, r"with max_labels=None, not 3"),
        ({"seed": 1}, "with seed=0, not 1"),
    ],
)
def test_a_folder_with_another_run_says_what_differs_and_nothing_else(make_run, change, message):
    make_run("chain-pg", name="run").create()
    with pytest.raises(RunError, match=message) as caught:
        make_run("chain-pg", name="run", **change).create()
    assert "choose another folder or remove it" in str(caught.value)
    assert "epochs" not in str(caught.value)


def test_a_folder_of_data_that_have_changed_is_refused(make_run, dataset):
    run = make_run("freq2rare", name="run")
    run.create(dataset)
    run.create(dataset)
    names = tuple("abcde")
    for changes in ({"label_names": names}, {"image_shape": (2, 3)}, {"feature_names": tuple("uvwxyz")}):
        with pytest.raises(
            RunError, match="before the names in it or its image_shape changed; choose another"
        ):
            run.create(replace(dataset, **changes))
    with pytest.raises(RunError, match="before its files changed"):
        run.create(replace(dataset, features=dataset.features + 1))
    config = run.directory / "config.json"
    config.write_text(json.dumps({k: v for k, v in read_json(config).items() if k != "columns"}))
    run.create(replace(dataset, label_names=names))  # a version before did not keep what columns mean


def test_a_folder_of_another_data_set_is_refused(make_run):
    run = make_run("chain-pg", name="run")
    run.create()
    other = Run(run.directory, "chain-pg", "bibtex", 0, run.settings)
    with pytest.raises(RunError, match="with dataset='random', not 'bibtex'"):
        other.create()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read as JSON"),
        ("[1]", "must hold a JSON object, got list"),
        ("{}", "is not the configuration of a run"),
        ('{"settings": {"depth": 3}}', "is not the configuration of a run"),
        (
            '{"settings": {"width": 0}, "learner": "a", "dataset": "b", "seed": 0}',
            "width must be from 1 to 65536",
        ),
        ('{"settings": {"width": "8"}}', "is not the configuration of a run"),
        (
            '{"settings": {}, "learner": "a", "dataset": "b", "seed": "x"}',
            "is not the configuration of a run",
        ),
        (
            '{"settings": {"epochs": 1.5}, "learner": "a", "dataset": "b", "seed": 0}',
            r"epochs must be of type int, got 1\.5",
        ),
        (
            '{"settings": {"epochs": true}, "learner": "a", "dataset": "b", "seed": 0}',
            "epochs must be of type int, got True",
        ),
        ("[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_a_configuration_that_is_none_is_refused(tmp_path, content, message):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(RunError, match=message):
        Run.open(tmp_path)


@pytest.mark.parametrize("content", ["{}", '{"metrics": 3, "seconds": 1}', '{"metrics": {}}', "[]", "{"])
def test_a_damaged_result_is_refused(make_run, content):
    run = make_run("chain-pg")
    run.create()
    assert run.result is None
    (run.directory / "result.json").write_text(content)
    with pytest.raises(RunError, match=r"result\.json"):
        _ = run.result
    with pytest.raises(RunError, match=r"result\.json"):
        run.seconds()


@pytest.mark.parametrize("value", ["NaN", "Infinity", "true", '"1"', "null"])
def test_a_result_of_other_things_than_numbers_is_refused(make_run, value):
    run = make_run("chain-pg")
    run.finish(dict.fromkeys((*RANKING_METRICS, *LABEL_SET_METRICS), 0.5), 2.5)
    path = run.directory / "result.json"
    path.write_text(path.read_text().replace("0.5", value, 1))
    with pytest.raises(RunError, match="it needs metrics and seconds; remove it"):
        _ = run.result


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"seconds": -1}', '{"seconds": NaN}'])
def test_damaged_seconds_of_a_training_are_refused(make_run, content):
    run = make_run("chain-pg")
    assert run.trained_seconds() == 0.0
    run.note_trained(2.5)
    assert run.trained_seconds() == 2.5
    (run.directory / "trained.json").write_text(content)
    with pytest.raises(RunError, match=r"trained\.json"):
        run.trained_seconds()


def test_a_result_is_read_as_it_was_written(make_run):
    run = make_run("chain-pg")
    metrics = dict.fromkeys((*RANKING_METRICS, *LABEL_SET_METRICS), 1 / 3)
    run.finish(metrics, 2.5)
    assert run.result == metrics
    assert run.seconds() == 2.5


def test_json_that_cannot_be_written_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_hyperparameters_hold_the_settings_and_name_the_final_metrics(make_run):
    run = make_run("chain-pg", seed=3, max_labels=None)
    with RunLogger(run) as logger:
        logger.scalars("eval", {"P@1": 40.0}, 6)
        logger.final({"P@1": 50.0, "hamming_loss": 9.0}, 12)
    events = EventAccumulator(str(run.directory))
    events.Reload()
    assert {"eval/P@1", "test/P@1", "test/hamming_loss"} <= set(events.Tags()["scalars"])
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    parts = {
        tag: HParamsPluginData.FromString(events.summary_metadata[tag].plugin_data.content)
        for tag in ("_hparams_/session_start_info", "_hparams_/experiment")
    }
    chosen = parts["_hparams_/session_start_info"].session_start_info.hparams
    assert set(chosen) == {"learner", "dataset", "seed", *Settings.__dataclass_fields__}
    assert chosen["learner"].string_value == "chain-pg"
    assert (chosen["seed"].number_value, chosen["width"].number_value) == (3, 8)
    named = {info.name.tag for info in parts["_hparams_/experiment"].experiment.metric_infos}
    assert named == {"test/P@1", "test/hamming_loss"}


def test_a_run_goes_on_by_whatever_path_leads_to_its_data(tmp_path):
    data, link = tmp_path / "data.npz", tmp_path / "link.npz"
    data.touch()
    link.symlink_to(data)
    pairs = [(str(data), str(link)), (json.dumps([str(data), "/x"]), json.dumps([str(link), "/x"]))]
    for number, (one, other) in enumerate(pairs):
        folder = tmp_path / f"run-{number}"
        Run(folder, "popularity", one, 0, Settings()).create()
        Run(folder, "popularity", other, 0, Settings()).create()
        with pytest.raises(RunError, match="holds a run with dataset="):
            Run(folder, "popularity", str(tmp_path / "another.npz"), 0, Settings()).create()
