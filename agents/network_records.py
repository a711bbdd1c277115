"""Networks as plain values, for checkpoints: nothing of a record is used before it was checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, get_args

import torch
from torch import Tensor

from labelchain.agents.averaging import Mean
from labelchain.agents.chain_network import ChainNetwork, NetworkConfig
from labelchain.agents.networks import build_network
from labelchain.agents.plain_values import LARGEST_COUNT, check_number, check_types, fields_of, shown
from labelchain.agents.scaling import Scaling

LARGEST_WEIGHT = 1e9
"""Larger weights are damage, and would bring a network's output near the most that float32 holds."""

LARGEST_FLOAT = torch.finfo(torch.float32).max

Record = dict[str, Any]
"""One network as plain values: its shape, its ``state_dict``; what is added to its logit of STOP where label
sets are decided (``stop``); if it is averaged with others, its ``weight`` there and the ``mean`` that is
taken."""
SHAPE = ("num_features", "num_labels", "config", "scaling")
OPTIONAL = ("weight", "mean", "stop")
LARGEST_STOP = 100.0
"""More, in nats, would leave nothing to decide."""


def record_of(network: ChainNetwork) -> Record:
    """A copy of a network as it is now."""
    state = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
    return _shape_of(network) | {"state": state}


def _shape_of(network: ChainNetwork) -> Record:
    return {
        "num_features": network.num_features,
        "num_labels": network.num_labels,
        "config": asdict(network.config),
        "scaling": network.scaler.scaling,
    }


def network_of(record: object) -> ChainNetwork:
    """The network that a record describes, in eval mode.

    Raises:
        ValueError: If it describes none: something is missing, unknown, of another type or shape, out of
            range, or not finite.
    """
    optional = [name for name in OPTIONAL if isinstance(record, dict) and name in record]
    found = fields_of(record, (*SHAPE, "state", *optional), "a network")
    if "weight" in optional:
        check_number(found["weight"], "weight", float, least=1e-300)
    if "stop" in optional:
        check_number(found["stop"], "stop", float, least=-LARGEST_STOP, most=LARGEST_STOP)
    if found.get("mean", "arithmetic") not in get_args(Mean):
        raise ValueError(f"mean must be one of {get_args(Mean)}, got {shown(found['mean'])}")
    for name in ("num_features", "num_labels"):
        check_number(found[name], name, int, least=1, most=LARGEST_COUNT)
    if found["scaling"] not in get_args(Scaling):
        raise ValueError(f"scaling must be one of {get_args(Scaling)}, got {shown(found['scaling'])}")
    names = [field.name for field in fields(NetworkConfig)]
    check_types(NetworkConfig, fields_of(found["config"], names, "config"))
    config = NetworkConfig(**found["config"])
    with torch.device("meta"):  # no memory is taken for sizes that are only declared
        network = build_network(found["num_features"], found["num_labels"], config, found["scaling"])
    expected = network.state_dict()
    fields_of(found["state"], expected, "state")
    weights = dict(network.named_parameters())
    for name, tensor in expected.items():
        most = LARGEST_WEIGHT if name in weights else LARGEST_FLOAT  # the mean of a feature may be large
        check_tensor(found["state"][name], name, tensor.shape, most)
    network.load_state_dict(found["state"], assign=True)
    return network.eval()


def with_stop(record: Record) -> Record:
    """A checked record whose network decides label sets: ``stop`` is in its logit of STOP."""
    bias: Tensor = record["state"]["output.bias"].clone()
    bias[record["num_labels"]] += record.get("stop", 0.0)
    bias.clamp_(-LARGEST_WEIGHT, LARGEST_WEIGHT)
    return record | {"state": record["state"] | {"output.bias": bias}, "stop": 0.0}


def mean_of(records: Sequence[Record]) -> Mean:
    """The mean by which checked records are to be averaged.

    Raises:
        ValueError: If it is not one for all.
    """
    first, *others = {record.get("mean", "arithmetic"): None for record in records}
    if others:
        raise ValueError("its networks are to be averaged by different means")
    mean: Mean = first
    return mean


def check_tensor(tensor: object, what: str, shape: Sequence[int], most: float = LARGEST_FLOAT) -> None:
    """Raise ValueError unless something is a float32 tensor of a shape, finite, within a limit."""
    if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or tensor.is_meta:
        raise ValueError(f"{what} must be a dense tensor, got {type(tensor).__name__}")
    if tensor.dtype != torch.float32 or tensor.shape != torch.Size(shape):
        raise ValueError(
            f"{what} must be of float32 and shape {list(shape)}, "
            f"got {tensor.dtype} and shape {shown(list(tensor.shape))}"
        )
    if not tensor.is_contiguous():  # it may declare more than it has in memory
        raise ValueError(f"{what} must be contiguous")
    if not bool((tensor.detach().abs() <= most).all()):
        raise ValueError(f"{what} has values that are not finite, or above {most:g}")


def check_same_shape(record: Record, network: ChainNetwork) -> None:
    """Raise ValueError unless a checked record is of a network like this one."""
    for name, value in _shape_of(network).items():
        if record[name] != value:
            raise ValueError(f"its network has another {name}: {record[name]!r}, not {value!r}")
