"""Checkpoints that are damaged or made to do harm: each is refused before it costs memory."""

import shutil
import zipfile

import numpy as np
import pytest
import torch

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.checkpoints import (
    FORMAT,
    load_chain_model,
    load_tensors,
    save_chain_model,
    save_tensors,
)
from labelchain.agents.network_records import record_of
from labelchain.agents.networks import build_network
from labelchain.agents.runs import RunError


@pytest.fixture(params=["sum", "gru"])
def record(request):
    torch.manual_seed(0)
    config = NetworkConfig(cell=request.param, width=4, embedding=3, hidden=3)
    return record_of(build_network(3, 5, config, "standard" if request.param == "sum" else "none"))


def test_a_network_comes_back_as_it_was(tmp_path, record):
    save_chain_model(tmp_path / "model.pt", [record], [record], 3)
    model = load_chain_model(tmp_path / "model.pt").ranking.model
    assert record_of(model)["config"] == record["config"]
    for name, tensor in record_of(model)["state"].items():
        assert torch.equal(tensor, record["state"][name])
        assert tensor.device.type == "cpu"
    assert not model.training
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_one_wrong_byte_anywhere_is_noticed_or_changes_nothing(tmp_path, record):
    """torch itself verifies no checksums: a weight with a wrong bit would be loaded."""
    path = tmp_path / "model.pt"
    save_chain_model(path, [record], [record], 3)
    content, expected = path.read_bytes(), repr(load_tensors(path))
    refused = 0
    for place in np.random.default_rng(0).integers(len(content), size=150):
        damaged = bytearray(content)
        damaged[place] ^= 16
        path.write_bytes(damaged)
        try:
            assert repr(load_tensors(path)) == expected
        except RunError as error:
            refused += 1
            assert "remove its folder and train again" in str(error)
    assert refused > 50


@pytest.mark.parametrize("name", ["num_features", "num_labels"])
def test_sizes_that_are_only_declared_take_no_memory(tmp_path, record, name):
    save_chain_model(tmp_path / "model.pt", [record | {name: 10**11}], [record], 3)
    with pytest.raises(RunError, match="does not describe a chain model"):
        load_chain_model(tmp_path / "model.pt")


def test_compressed_archives_are_refused(tmp_path, record):
    """They may be bombs; torch writes none."""
    save_chain_model(tmp_path / "model.pt", [record], [record], 3)
    with (
        zipfile.ZipFile(tmp_path / "model.pt") as held,
        zipfile.ZipFile(tmp_path / "small.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for member in held.infolist():
            packed.writestr(member.filename, held.read(member))
    with pytest.raises(RunError, match="its parts are compressed"):
        load_tensors(tmp_path / "small.pt")


def test_the_same_content_has_the_same_bytes_whatever_the_file_is_called(tmp_path, record):
    save_tensors(tmp_path / "one.pt", {"format": FORMAT, "record": record})
    save_tensors(tmp_path / "other.pt", {"format": FORMAT, "record": record})
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "other.pt").read_bytes()


def test_a_folder_in_the_place_of_a_file(tmp_path):
    (tmp_path / "model.pt").mkdir()
    with pytest.raises(RunError, match=r"model\.pt is not a labelchain checkpoint, or is damaged"):
        load_tensors(tmp_path / "model.pt")
    shutil.rmtree(tmp_path / "model.pt")
    with pytest.raises(RunError, match="does not exist"):
        load_tensors(tmp_path / "model.pt")


class Taking:
    """Takes memory when it is unpickled; torch's own check lets it pass."""

    def __reduce__(self):
        return bytearray, (1 << 40,)


def test_a_pickle_that_names_anything_but_tensors_is_refused_before_it_is_read(tmp_path, record):
    for extra in (Taking(), torch.ones(2, dtype=torch.float64), torch.ones(2).to_sparse()):
        save_tensors(tmp_path / "model.pt", {"format": FORMAT, "record": record, "extra": extra})
        with pytest.raises(RunError, match=r"it names .* expected float32 tensors and plain values"):
            load_tensors(tmp_path / "model.pt")


def test_two_parts_of_one_name_are_refused(tmp_path, record):
    """Which of them torch would read is anybody's guess."""
    save_chain_model(tmp_path / "model.pt", [record], [record], 3)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "model.pt", "a") as held:
        held.writestr("archive/data.pkl", b"")
    with pytest.raises(RunError, match="two of its parts have one name"):
        load_tensors(tmp_path / "model.pt")


BIAS = "value_head.bias"


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.tensor([torch.nan]), "has values that are not finite"),
        (torch.tensor([-torch.inf]), "has values that are not finite"),
        (torch.tensor([3e38]), r"or above 1e\+09"),
        (torch.ones(2), r"of float32 and shape \[1\], got torch.float32 and shape \[2\]"),
        (torch.ones(()), r"got torch.float32 and shape \[\]"),
        (torch.ones(1).expand(10**12), r"got torch.float32 and shape \[1000000000000\]"),
        ([1.0], "must be a dense tensor, got list"),
    ],
)
def test_tensors_that_do_not_fit_the_network_are_refused(tmp_path, record, tensor, message):
    wrong = record | {"state": record["state"] | {BIAS: tensor}}
    save_chain_model(tmp_path / "model.pt", [record], [wrong], 3)
    with pytest.raises(RunError, match=f"does not describe a chain model .{BIAS} .*{message}"):
        load_chain_model(tmp_path / "model.pt")


def test_a_tensor_larger_than_its_memory_is_refused(tmp_path, record):
    weight = record["state"]["output.weight"]
    wrong = record | {"state": record["state"] | {"output.weight": torch.zeros(()).expand(weight.shape)}}
    save_chain_model(tmp_path / "model.pt", [wrong], [record], 3)
    with pytest.raises(RunError, match=r"output\.weight must be contiguous"):
        load_chain_model(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_labels": 6}, "must be of float32 and shape"),
        ({"num_labels": True}, "num_labels must be a whole number from 1"),
        ({"num_features": 3.0}, "num_features must be a whole number from 1"),
        ({"scaling": ["none"]}, "scaling must be one of"),
        ({"config": {"cell": "sum"}}, "config lacks 'dropout'"),
        ({"weight": float("nan")}, "weight must be a number"),
        ({"weight": 0.0}, "weight must be a number"),
        ({"stop": float("nan")}, "stop must be a number from -100 to 100"),
        ({"stop": 1e4}, "stop must be a number from -100 to 100"),
        ({"mean": "harmonic"}, "mean must be one of"),
        ({"mean": ["geometric"]}, "mean must be one of"),
        ({"origin": "x"}, "a network has an unknown 'origin'"),
    ],
)
def test_a_wrong_record_is_refused(tmp_path, record, change, message):
    save_chain_model(tmp_path / "model.pt", [record], [record | change], 3)
    with pytest.raises(RunError, match=f"does not describe a chain model .*{message}"):
        load_chain_model(tmp_path / "model.pt")


def test_networks_of_different_means_are_refused(tmp_path, record):
    means = [record | {"mean": mean} for mean in ("arithmetic", "geometric")]
    save_chain_model(tmp_path / "model.pt", means, [record], 3)
    with pytest.raises(RunError, match="averaged by different means"):
        load_chain_model(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_labels": 0}, "max_labels must be a whole number from 1"),
        ({"max_labels": 10**30}, "max_labels must be a whole number from 1"),
        ({"max_labels": None}, "got None"),
        ({"ranking": []}, "ranking must be a list of 1 to 64 networks"),
        ({"more": 1}, "a chain model has an unknown 'more'"),
    ],
)
def test_a_wrong_model_is_refused(tmp_path, record, change, message):
    content = {"format": FORMAT, "ranking": [record], "label_set": [record], "max_labels": 3}
    save_tensors(tmp_path / "model.pt", content | change)
    with pytest.raises(RunError, match=f"does not describe a chain model .*{message}"):
        load_chain_model(tmp_path / "model.pt")


def test_networks_of_other_labels_do_not_go_together(tmp_path, record):
    other = record_of(build_network(3, 6, NetworkConfig(width=4, embedding=3, hidden=3), "none"))
    save_chain_model(tmp_path / "model.pt", [record], [other], 3)
    with pytest.raises(RunError, match="different numbers of features or labels"):
        load_chain_model(tmp_path / "model.pt")
