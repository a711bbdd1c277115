"""What several commands ask for, and how it is settled: the data set and the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labelchain.cli.errors import UsageError

if TYPE_CHECKING:
    from labelchain.agents.settings import Settings
    from labelchain.envs import MultilabelDataset

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
    dataset: str, test: Path | None, epochs: int | None, preset: str, changes: list[str] | None
) -> tuple[MultilabelDataset, str, Settings]:
    """Load the data set, and settle what names it in a run and the settings."""
    import torch

    from labelchain.agents.settings import settings_for
    from labelchain.cli.data import load
    from labelchain.envs.datasets import source_name

    # One thread: the same sums whatever the number of cores, and networks this small lose nothing.
    torch.set_num_threads(1)
    data = load(dataset, test)
    name = source_name(dataset, test)
    asked: dict[str, object] = {}
    for change in changes or []:
        key, equals, value = change.partition("=")
        if not equals:
            raise UsageError(f"--set takes NAME=VALUE, got {change!r}")
        asked[key.strip()] = value.strip()
    if epochs is not None:
        asked["epochs"] = epochs
    try:
        return data, name, settings_for(data, preset).with_changes(asked)
    except ValueError as error:
        raise UsageError(str(error)) from error
