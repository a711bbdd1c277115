"""Checkpoints of chain networks: tensors and plain values only, loaded without running code."""

from __future__ import annotations

import io
import pickletools
import warnings
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from labelchain.agents.averaging import AveragedModel
from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.decoding import ChainPredictor, StepModel
from labelchain.agents.devices import CPU
from labelchain.agents.network_records import Record, mean_of, network_of, with_stop
from labelchain.agents.plain_values import LARGEST_COUNT, check_number, fields_of, shown
from labelchain.agents.runs import RunError
from labelchain.envs import MultilabelDataset
from labelchain.envs.evaluation import Predictor, SelectedPredictor
from labelchain.envs.files import save_beside

FORMAT = 3
"""Of files and of the networks in them: 1 had a linear skip from the input to the logits, 2 a residual
layer in the ``sum`` cell."""
FAMILIES = ("ranking", "label_set")
"""What the networks of a model are selected for."""
MOST_NETWORKS = 64
"""So many are averaged at most."""
GLOBALS = frozenset({"torch._utils _rebuild_tensor_v2", "torch FloatStorage", "collections OrderedDict"})
"""All that a checkpoint's pickle may name. torch allows more, some of which takes any memory it is told."""


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
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise RunError(
            f"{path} is not a labelchain checkpoint, or is damaged ({reason}); "
            "remove its folder and train again"
        ) from error
    if not isinstance(content, dict) or type(content.get("format")) is not int or content["format"] != FORMAT:
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
        if len({member.filename for member in members}) < len(members):
            raise ValueError("two of its parts have one name")
        for member in members:
            content = archive.read(member)
            if member.filename.endswith("/data.pkl"):
                _check_globals(content)
            copy.writestr(zipfile.ZipInfo(member.filename), content)
    fresh.seek(0)
    return fresh


def _check_globals(pickled: bytes) -> None:
    """Raise ValueError if a pickle names anything but :data:`GLOBALS`; nothing of it is run."""
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "GLOBAL" and argument not in GLOBALS:
            raise ValueError(f"it names {shown(argument)}; expected float32 tensors and plain values")


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


def chain_predictor(records: Sequence[Record], max_labels: int, device: torch.device = CPU) -> ChainPredictor:
    """A predictor from one or more networks, averaged while decoding.

    Raises:
        ValueError: If a record describes no network, or they do not go together.
    """
    return _predictor([network_of(record) for record in records], records, max_labels, device)


def _predictor(
    networks: Sequence[ChainNetwork], records: Sequence[Record], max_labels: int, device: torch.device
) -> ChainPredictor:
    """That of the networks of some records."""
    learned = _mixture([network.to(device) for network in networks], records)
    if not any(record.get("stop") for record in records):
        return ChainPredictor(learned, max_labels, device)
    deciding = _mixture([network_of(with_stop(record)).to(device) for record in records], records)
    return ChainPredictor(deciding, max_labels, device, learned)


def _mixture(networks: Sequence[ChainNetwork], records: Sequence[Record]) -> StepModel:
    """One network, or several averaged by the weights in their records."""
    if len(networks) == 1:
        return networks[0]
    weights = [float(record.get("weight", 1.0)) for record in records]
    return AveragedModel(networks, weights, mean_of(records))


def check_fits(path: Path, num_features: int, num_labels: int, dataset: MultilabelDataset) -> None:
    """Raise RunError unless a model's numbers of features and labels are those of the data."""
    if (num_features, num_labels) != (dataset.num_features, dataset.num_labels):
        raise RunError(
            f"{path} does not fit {dataset.name} ({dataset.num_features} features, {dataset.num_labels} "
            f"labels): it was trained on {num_features} features and {num_labels} labels"
        )


def load_chain_records(path: Path, dataset: MultilabelDataset | None = None) -> dict[str, Any]:
    """What :func:`save_chain_model` wrote: ``ranking``, ``label_set``, ``max_labels``.

    Args:
        path: The file.
        dataset: What it must fit, if given.

    Raises:
        RunError: If the file is missing, damaged, of another format, or does not fit the data.
    """
    return _load_networks(path, dataset)[0]


def load_chain_model(
    path: Path, dataset: MultilabelDataset | None = None, device: torch.device = CPU
) -> Predictor:
    """The predictor that :func:`save_chain_model` wrote, on a device; else as :func:`load_chain_records`."""
    content, networks = _load_networks(path, dataset)
    ranking, label_set = (
        _predictor(networks[family], content[family], content["max_labels"], device) for family in FAMILIES
    )
    return SelectedPredictor(ranking=ranking, label_set=label_set)


def _load_networks(
    path: Path, dataset: MultilabelDataset | None
) -> tuple[dict[str, Any], dict[str, list[ChainNetwork]]]:
    """The records, and the network of each by family: to check a record is to build its network."""
    content = load_tensors(path)
    try:
        fields_of(content, ("format", *FAMILIES, "max_labels"), "a chain model")
        check_number(content["max_labels"], "max_labels", int, least=1, most=LARGEST_COUNT)
        networks = {
            family: [network_of(record) for record in _listed(content[family], family)] for family in FAMILIES
        }
        shapes = {(each.num_features, each.num_labels) for family in FAMILIES for each in networks[family]}
        if len(shapes) > 1:
            raise ValueError("its networks have different numbers of features or labels")
        for family in FAMILIES:
            mean_of(content[family])
    except ValueError as error:
        raise RunError(
            f"{path} does not describe a chain model ({error}); remove its folder and train again"
        ) from error
    if dataset is not None:
        check_fits(path, *shapes.pop(), dataset)
    return content, networks


def _listed(records: object, family: str) -> list[Any]:
    if not isinstance(records, list) or not 1 <= len(records) <= MOST_NETWORKS:
        raise ValueError(f"{family} must be a list of 1 to {MOST_NETWORKS} networks")
    return records
