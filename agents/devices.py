"""Where chain networks compute: on the processor, or on a GPU (CUDA)."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

CPU = torch.device("cpu")
DEVICES = ("auto", "cpu", "cuda")
"""``auto`` is the GPU if there is one that PyTorch can use, and else the processor."""


class DeviceError(ValueError):
    """There is no device of that name, or not on this machine."""


def device_named(name: str, processors_only: str | None = None) -> torch.device:
    """The device of that name, on this machine.

    Args:
        name: One of :data:`DEVICES`.
        processors_only: What it is for, if that computes on processors alone: ``auto`` is the processor then.

    Raises:
        DeviceError: If there is none, or it cannot be used; the message says why, and what to do.
    """
    if name not in DEVICES:
        raise DeviceError(f"unknown device {name!r}: expected one of {', '.join(DEVICES)}")
    if processors_only is not None:
        if name == "cuda":
            raise DeviceError(f"{processors_only} computes on processors alone: take device auto or cpu")
        return CPU
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return CPU
    if not torch.cuda.is_available():
        built = torch.backends.cuda.is_built()  # type: ignore[no-untyped-call]
        raise DeviceError(
            f"device 'cuda' needs a GPU, and PyTorch {torch.__version__} "
            f"{'finds none here' if built else 'is built for processors alone'}: take device auto or cpu"
            + ("" if built else ", or install a PyTorch for your GPU")
        )
    return torch.device("cuda")


def described(device: torch.device) -> str:
    """A device for the records of a run; of a GPU its name too, since results depend on it."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def random_state_kept(device: torch.device) -> AbstractContextManager[None]:
    """Leaves torch's global random state as it was, and that of a device."""
    return torch.random.fork_rng([] if device.type == "cpu" else [device], device_type="cuda")


def seed_random(seed: int, device: torch.device) -> None:
    """Seed torch's global random state, and that of a device: of no other, as ``torch.manual_seed`` does."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
