"""Gradient descent, as every learner with a chain network does it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from labelchain.agents.network_records import check_tensor
from labelchain.agents.plain_values import check_number, fields_of, shown
from labelchain.agents.whole_batch import add_up


def optimiser_of(network: nn.Module, learning_rate: float) -> torch.optim.Adam:
    """Adam, as ``labelchain train`` begins with it for chain networks."""
    return torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)


def gradient_step(network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, clip: float) -> float:
    """Go down the gradient of a loss, cut to the norm ``clip``; return its norm before the cut.

    Where processes share a batch, that is the gradient of the sum of their losses.

    Raises:
        FloatingPointError: If the gradient is not finite; the network is as it was.
    """
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    add_up(parameter.grad for parameter in network.parameters() if parameter.grad is not None)
    norm = float(torch.nn.utils.clip_grad_norm_(network.parameters(), clip))
    if not math.isfinite(norm):
        raise FloatingPointError(f"the gradient became {norm}: try a lower learning rate")
    optimiser.step()
    return norm


def state_on_cpu(optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """An optimiser's ``state_dict`` with its tensors on the processor, for a file that opens anywhere."""
    content = optimiser.state_dict()
    states = {
        number: {name: moment.cpu() for name, moment in state.items()}
        for number, state in content["state"].items()
    }
    return content | {"state": states}


def check_optimiser(content: object, optimiser: torch.optim.Adam) -> None:
    """Raise ValueError unless a state is one that an optimiser like this can have after some steps."""
    found = fields_of(content, ("state", "param_groups"), "the optimiser")
    ours = optimiser.state_dict()["param_groups"]
    groups = found["param_groups"]
    if not isinstance(groups, list) or len(groups) != len(ours):
        raise ValueError(f"the optimiser must have {len(ours)} groups of parameters")
    for group, own in zip(groups, ours, strict=True):
        fields_of(group, own, "a group of parameters")
        check_number(group["lr"], "lr", float, least=0.0)  # it falls from step to step
        for name in own.keys() - {"lr"}:
            if not _equal(group[name], own[name]):
                raise ValueError(f"{name} must be {own[name]!r}, got {shown(group[name])}")
    parameters = dict(enumerate(optimiser.param_groups[0]["params"]))
    if not isinstance(found["state"], dict) or not found["state"].keys() <= parameters.keys():
        raise ValueError("the optimiser must have states of its parameters")
    for number, state in found["state"].items():
        _check_moments(state, parameters[number])


def _equal(value: object, own: object) -> bool:
    """Of plain values, also in their types."""
    if type(value) is not type(own):
        return False
    if isinstance(value, (list, tuple)) and isinstance(own, (list, tuple)):
        return len(value) == len(own) and all(map(_equal, value, own))
    return bool(value == own)


def _check_moments(state: object, parameter: Tensor) -> None:
    moments: Mapping[str, Any] = fields_of(state, ("step", "exp_avg", "exp_avg_sq"), "a parameter's state")
    for name, moment in moments.items():
        check_tensor(moment, name, () if name == "step" else parameter.shape)
    if min(moments["step"].item(), moments["exp_avg_sq"].min().item()) < 0.0:
        raise ValueError("steps and squares must not be negative")
