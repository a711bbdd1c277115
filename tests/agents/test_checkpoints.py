"""Checkpoints that are damaged or made to do harm: each is refused before it costs memory."""

import shutil
import zipfile

import numpy as np
import pytest
import torch

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.checkpoints import (
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
    save_tensors(tmp_path / "one.pt", {"format": 1, "record": record})
    save_tensors(tmp_path / "other.pt", {"format": 1, "record": record})
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "other.pt").read_bytes()


def test_a_folder_in_the_place_of_a_file(tmp_path):
    (tmp_path / "model.pt").mkdir()
    with pytest.raises(RunError, match=r"model\.pt is not a labelchain checkpoint, or is damaged"):
        load_tensors(tmp_path / "model.pt")
    shutil.rmtree(tmp_path / "model.pt")
    with pytest.raises(RunError, match="does not exist"):
        load_tensors(tmp_path / "model.pt")
