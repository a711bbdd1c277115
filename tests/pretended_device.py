"""A device that is none: tensors on it are as strict as on a GPU, and computed by the processor.

Every operator runs on ordinary tensors that are held inside. But tensors of the device and of the processor
do not mix, random numbers need a generator of the device, and numpy cannot look at it: each is an error, as
it is with CUDA. So what forgets to move a tensor fails on a machine without a GPU, too. And since the numbers
are the processor's, a training on it ends bit-equal to one without.
"""

from contextlib import contextmanager, nullcontext
from typing import ClassVar

import torch
from torch.optim import optimizer
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

DEVICE = torch.device("lazy:0")
"""One that every build of torch knows, and nobody has: builds for processors refuse CUDA's name all over."""

aten = torch.ops.aten
INDEXED = (aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default)
"""Their indices, the second argument, may lie on the processor."""
HEAVY = (
    aten.mm.default,
    aten.addmm.default,
    aten.addmm_.default,
    aten.embedding.default,
    aten._fused_adam_.default,
)
"""What the device is there for."""


class Pretended(torch.Tensor):
    """A tensor on the device."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held):
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f"{func} on a tensor of the pretended device, which is not there any more")

    def __tensor_flatten__(self):
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(inner, context, size, stride):
        return Pretended(inner["held"])

    def __repr__(self, **_options):
        return f"Pretended({self.held})"

    def numpy(self, *_options, **_more):
        raise TypeError(f"can't convert {DEVICE} device type tensor to numpy. Use Tensor.cpu() first")

    __array__ = numpy

    def tolist(self):
        return self.held.tolist()


class Generator(torch.Generator):
    """Random numbers for tensors of the processor or of the device."""

    of_device: ClassVar[list[torch.Generator]] = []
    """Those of the device, kept as long as it is there."""

    def __new__(cls, device="cpu"):
        is_there = torch.device(device).type == DEVICE.type
        made = super().__new__(cls, "cpu" if is_there else device)
        if is_there:
            cls.of_device.append(made)
        return made


class PretendedDevice(TorchDispatchMode):
    """Runs the operators.

    Attributes:
        device: Where tensors are put.
        heavy: Operators of :data:`HEAVY` that the processor was asked for itself.
        restored: Devices whose random state was put back, once each time.
    """

    device = DEVICE

    def __init__(self):
        super().__init__()
        self.heavy = []
        self.restored = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        any_there = any(isinstance(tensor, Pretended) for tensor in tensors)
        asked = kwargs.get("device")
        result_there = any_there if asked is None else torch.device(asked).type == DEVICE.type
        _check_generator(kwargs.get("generator"), result_there)
        if not any_there and not result_there:
            if func in HEAVY:
                self.heavy.append(func)
            return func(*args, **kwargs)
        if torch.is_autocast_enabled("cpu"):
            raise RuntimeError(f"autocast is for cpu, but {func} runs on {DEVICE}")
        held_args, held_kwargs = tree_map_only(Pretended, lambda tensor: tensor.held, (args, kwargs))
        if asked is not None:
            held_kwargs["device"] = "cpu"
        if func is aten._to_copy.default:  # between devices
            out = func(*held_args, **held_kwargs)
            return Pretended(out) if result_there else out
        if func is aten.copy_.default:  # between devices
            func(*held_args, **held_kwargs)
            return args[0]
        if any_there:
            _check_alike(func, args, tensors)
        out = tree_map_only(torch.Tensor, Pretended, func(*held_args, **held_kwargs))
        return return_and_correct_aliasing(func, args, kwargs, out)


def _check_generator(generator, result_there):
    if generator is None:
        return
    # Operators get another Python object for the same generator.
    is_there = generator._cdata in {known._cdata for known in Generator.of_device}
    if is_there != result_there:
        wanted, came = (DEVICE.type if there else "cpu" for there in (result_there, is_there))
        raise RuntimeError(f"Expected a '{wanted}' device type for generator but found '{came}'")


def _check_alike(func, args, tensors):
    """Raise, as CUDA does, if an operator is given tensors of the processor too."""
    if func in INDEXED and isinstance(args[0], Pretended):
        indices = {id(index) for index in args[1]}
        tensors = [tensor for tensor in tensors if id(tensor) not in indices]
    takes_scalars = torch.Tag.pointwise in func.tags or func in INDEXED
    for tensor in tensors:
        if not isinstance(tensor, Pretended) and not (takes_scalars and tensor.ndim == 0):
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but {func} was given some on {DEVICE} and "
                f"one on {tensor.device}, of shape {list(tensor.shape)}"
            )


@contextmanager
def pretended_device(monkeypatch):
    """Have the device for a while.

    Random numbers that are drawn on it without a generator are those of the processor. Autocast, which knows
    its devices by name, does nothing for this one.
    """
    real, there = torch.autocast, PretendedDevice()

    def autocast(device_type, *options, **more):
        return nullcontext() if device_type == DEVICE.type else real(device_type, *options, **more)

    monkeypatch.setattr(torch, "autocast", autocast)
    monkeypatch.setattr(torch, "Generator", Generator)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: f"state of {device}")
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda _state, device: there.restored.append(device))
    monkeypatch.setattr(optimizer, "_get_fused_kernels_supported_devices", lambda: [DEVICE.type, "cpu"])
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # or torch.as_tensor(..., device=...) goes round the operators
    try:
        with there:
            yield there
    finally:
        torch._C._set_only_lift_cpu_tensors(before)
        Generator.of_device.clear()
