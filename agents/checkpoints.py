"""Checkpoints of chain networks: tensors and plain values only, loaded without running code."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from labelchain.agents.chain_network import ChainNetwork, NetworkConfig
from labelchain.agents.decoding import AveragedModel, ChainPredictor
from labelchain.agents.networks import build_network
from labelchain.agents.runs import RunError
from labelchain.envs import MultilabelDataset
from labelchain.envs.evaluation import Predictor, SelectedPredictor
from labelchain.envs.files import save_beside

FORMAT = 1

Record = dict[str, Any]
"""One network as plain values: its shape, its ``state_dict``; its ``weight`` in an average, or 1."""


def record_of(network: ChainNetwork) -> Record:
    """A copy of a network as it is now."""
    return {
        "num_features": network.num_features,
        "num_labels": network.num_labels,
        "config": asdict(network.config),
        "scaling": network.scaler.scaling,
        "state": {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()},
    }


def network_of(record: Record) -> ChainNetwork:
    """The network that a record describes, in eval mode."""
    config = NetworkConfig(**record["config"])
    with torch.device("meta"):  # no memory is taken for sizes that are only declared
        network = build_network(record["num_features"], record["num_labels"], config, record["scaling"])
    network.load_state_dict(record["state"], assign=True)
    return network.eval()


def save_tensors(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values, beside and renamed."""
    save_beside(path, partial(torch.save, content))


def load_tensors(path: Path) -> dict[str, Any]:
    """Read what :func:`save_tensors` wrote; never runs code from the file.

    Raises:
        RunError: If the file is missing, damaged, or holds anything but tensors and plain values.
    """
    try:
        packed = _verified(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of odd pickles before it refuses them
            content = torch.load(packed, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise RunError(
            f"{path} does not exist: the run was not trained, or its folder was moved in part"
        ) from error
    except Exception as error:  # a damaged pickle raises anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(
            f"{path} is not a labelchain checkpoint, or is damaged ({reason}); "
            "remove its folder and train again"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RunError(
            f"{path} is not a labelchain checkpoint of format {FORMAT}; "
            "remove its folder and train again with this version"
        )
    return content


def _verified(path: Path) -> io.BytesIO:
    """A fresh archive with the parts of a file, whose checksums are right; any exception if they are not.

    torch itself verifies no checksum, believes headers (a wrong bit there can make it read memory that nobody
    has written), inflates what is compressed, and takes memory for whatever its older format declares.
    """
    fresh = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(fresh, "w") as copy:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its parts are compressed")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise ValueError("its parts are larger than the whole")
        for member in members:
            copy.writestr(zipfile.ZipInfo(member.filename), archive.read(member))
    fresh.seek(0)
    return fresh


def save_chain_model(
    path: Path, ranking: Sequence[Record], label_set: Sequence[Record], max_labels: int
) -> None:
    """Write the networks that rank and those that give label sets (each list is averaged while decoding)."""
    content = {
        "format": FORMAT,
        "ranking": list(ranking),
        "label_set": list(label_set),
        "max_labels": max_labels,
    }
    save_tensors(path, content)


def chain_predictor(records: Sequence[Record], max_labels: int) -> ChainPredictor:
    """A predictor from one or more networks, averaged while decoding."""
    networks = [network_of(record) for record in records]
    if len(networks) == 1:
        return ChainPredictor(networks[0], max_labels)
    weights = [float(record.get("weight", 1.0)) for record in records]
    return ChainPredictor(AveragedModel(networks, weights), max_labels)


def check_fits(path: Path, num_features: int, num_labels: int, dataset: MultilabelDataset) -> None:
    """Raise RunError unless a model's numbers of features and labels are those of the data."""
    if (num_features, num_labels) != (dataset.num_features, dataset.num_labels):
        raise RunError(
            f"{path} does not fit {dataset.name} ({dataset.num_features} features, {dataset.num_labels} "
            f"labels): it was trained on {num_features} features and {num_labels} labels"
        )


def load_chain_model(path: Path, dataset: MultilabelDataset | None = None) -> Predictor:
    """The predictor that :func:`save_chain_model` wrote.

    Args:
        path: The file.
        dataset: What it must fit, if given.

    Raises:
        RunError: If the file is missing, damaged, of another format, or does not fit the data.
    """
    content = load_tensors(path)
    try:
        if dataset is not None:
            for record in (*content["ranking"], *content["label_set"]):
                check_fits(path, record["num_features"], record["num_labels"], dataset)
        return SelectedPredictor(
            ranking=chain_predictor(content["ranking"], content["max_labels"]),
            label_set=chain_predictor(content["label_set"], content["max_labels"]),
        )
    except RunError:
        raise
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise RunError(
            f"{path} does not describe a chain model ({error}); remove its folder and train again"
        ) from error
