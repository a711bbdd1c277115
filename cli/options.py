"""What several commands ask for, and how it is settled: the data set and the settings."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labelchain.cli.errors import UsageError

if TYPE_CHECKING:
    import torch

    from labelchain.agents.settings import Settings
    from labelchain.baselines.workers import Engine
    from labelchain.envs import MultilabelDataset


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"labelchain {version('labelchain')}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
]
DatasetArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="A name (see 'labelchain datasets'), 'openml:NAME', or a path: .npz, Mulan folder, Mulan or "
        "MEKA ARFF, text of the Extreme Classification Repository or of LIBSVM.",
    ),
]
TestOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The test file, if DATASET is the path of a training file."),
]
EpochsOption = Annotated[
    int | None, typer.Option(min=1, show_default="suits the data set", help="Passes over the training rows.")
]
DecodingOption = Annotated[
    str,
    typer.Option(
        metavar="chain|first-step|sampled-chains|beam|expected-f1",
        help="How to read a network: the second and third change rankings, the last two label sets.",
    ),
]
JobsOption = Annotated[
    int | None, typer.Option(min=1, show_default="one for each core", help="Runs trained at a time.")
]
EngineOption = Annotated[
    str,
    typer.Option(
        metavar="processes|ray",
        help="What trains them: processes of this machine, or tasks of a Ray cluster (the extra 'ray').",
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        show_default="RAY_ADDRESS, or else this machine",
        help="The Ray cluster, as ray.init takes it. All its machines must share the folder --out.",
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="auto|cpu|cuda",
        help="Where chain networks compute: auto is the GPU if there is one. All else is on the processor.",
    ),
]
PresetOption = Annotated[
    str,
    typer.Option(metavar="fast|nam2019", help="Settings to start from: ours, or those of the paper (slow)."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Change any setting, as in --set cell=gru --set width=512."
    ),
]


def prepare(
    dataset: str,
    test: Path | None,
    epochs: int | None,
    preset: str,
    changes: list[str] | None,
    out: Path | None,
) -> tuple[MultilabelDataset, str, Settings]:
    """Load the data set, and settle what names it in a run and the settings.

    Raises:
        DatasetError: If the data cannot be read.
        UsageError: If a setting is not what it should be.
        OSError: If ``out``, where the results go, cannot be a folder; before any data are loaded.
    """
    import torch

    from labelchain.agents.settings import named_values, settings_for
    from labelchain.cli.data import load
    from labelchain.envs.datasets import source_name
    from labelchain.envs.files import check_folder

    if out is not None:
        check_folder(out)
    # One thread: the same sums whatever the number of cores, and networks this small lose nothing.
    torch.set_num_threads(1)
    data = load(dataset, test)
    name = source_name(dataset, test)
    try:
        asked = named_values(changes or [])
        if epochs is not None:
            asked["epochs"] = epochs
        return data, name, settings_for(data, preset).with_changes(asked)
    except ValueError as error:
        raise UsageError(str(error)) from error


def engine_named(name: str, address: str | None, device: str) -> tuple[Engine, torch.device]:
    """What trains the runs of a comparison, and where.

    Args:
        name: ``processes`` or ``ray``.
        address: Of the Ray cluster, if one is named.
        device: As ``--device`` names it.
    """
    from labelchain.agents.devices import device_named

    if name == "processes":
        from labelchain.baselines.workers import run_cells

        if address is not None:
            raise UsageError("--address is that of a Ray cluster: add --engine ray")
        return run_cells, device_named(device)
    if name != "ray":
        raise UsageError(f"--engine must be processes or ray, got {name!r}")
    from labelchain.baselines.ray_cells import run_cells_on_ray

    return partial(run_cells_on_ray, address=address), device_named(device, "--engine ray")
