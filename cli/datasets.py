"""``labelchain datasets``: list, get, show, verify, add and remove data sets that have a name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from labelchain.cli.errors import UsageError, console, reported_errors, working

if TYPE_CHECKING:
    from labelchain.envs import MultilabelDataset
    from labelchain.envs.datasets import CatalogueEntry

datasets_app = typer.Typer(
    help="List, get, show, verify, add and remove data sets that have a name.",
    invoke_without_command=True,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name of a data set.")]
NamesArgument = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of data sets.")]
SHOWN_LABELS = 5


@datasets_app.callback()
def datasets(context: typer.Context) -> None:
    """List, get, show, verify, add and remove data sets that have a name."""
    if context.invoked_subcommand is None:
        list_datasets()


@datasets_app.command("list")
def list_datasets() -> None:
    """List the data sets that have a name, their size, and whether they are here."""
    from labelchain.envs.datasets import CATALOGUE, dataset_names
    from labelchain.envs.datasets.diagnostics import DIAGNOSTICS
    from labelchain.envs.datasets.places import is_built_in, storage_folder

    with reported_errors():
        table = Table(
            caption=f"'labelchain datasets get NAME' downloads to {storage_folder()}; 'add NAME FILES...' "
            "takes files that you have."
        )
        table.add_column("name", overflow="fold", min_width=max(map(len, CATALOGUE)))
        for heading in ("train", "test", "features", "labels", "labels\nper row"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("here", no_wrap=True)
        for name, present in dataset_names().items():
            if name in DIAGNOSTICS:
                continue
            entry = CATALOGUE.get(name)
            here = "yes" if present else "no: get" if entry and entry.downloads else "no: add"
            here = "built in" if is_built_in(name) else here
            if entry is None:
                table.add_row(name, *["?"] * 5, here)
                continue
            sizes = (entry.num_train, entry.num_test, entry.num_features, entry.num_labels)
            table.add_row(name, *(f"{size:,}" for size in sizes), f"{entry.cardinality:.2f}", here)
        console.print(table)
        console.print(
            f"built in too, synthetic, with known answers: {', '.join(DIAGNOSTICS)}", highlight=False
        )


@datasets_app.command()
def get(names: NamesArgument) -> None:
    """Download data sets.

    Each file is verified before it takes its place. A download that was stopped is continued by the same
    command. LABELCHAIN_MIRROR, if set, is the address to download from.
    """
    from labelchain.cli.data import download
    from labelchain.envs.datasets import load_dataset

    with reported_errors():
        for name in names:
            folder = download(name)
            with working(f"loading {name}"):
                load_dataset(name)
            console.print(f"{name} is complete and verified: {folder}", highlight=False, soft_wrap=True)


@datasets_app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name or the path of a data set.")],
    test: Annotated[Path | None, typer.Option(help="The test file, if NAME is a training file.")] = None,
) -> None:
    """Show what is known of a data set: statistics, labels, source, licence, citation."""
    from labelchain.envs.datasets import load_dataset
    from labelchain.envs.datasets.places import available, by_hand, entry_named

    with reported_errors():
        entry = entry_named(name) if test is None else None
        if entry is not None and not available(entry):
            _print_entry(entry, None)
            console.print(f"not here. {by_hand(entry)}", highlight=False, soft_wrap=True)
            return
        with working(f"loading {name}"):
            data = load_dataset(name, test)
        _print_entry(entry, data)


@datasets_app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", show_default="all that are here")
    ] = None,
) -> None:
    """Check files against their checksums, and data against the published statistics."""
    from labelchain.envs.datasets import DatasetError, dataset_names, verify_dataset

    with reported_errors():
        wrong = []
        for name in names or [name for name, present in dataset_names().items() if present]:
            with working(f"verifying {name}"):
                outcome = verify_dataset(name)
            for what, verdict in outcome.items():
                console.print(f"{name}: {what}: {verdict}", highlight=False, soft_wrap=True)
            wrong += [name] if set(outcome.values()) != {"ok"} else []
        if wrong:
            raise DatasetError(f"not as it should be: {', '.join(wrong)}; {_repair(wrong)}")


@datasets_app.command()
def rm(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove the files of a data set that labelchain downloaded or added, and no other."""
    from labelchain.envs.datasets.storage import files_to_remove, remove_files

    with reported_errors():
        files = files_to_remove(name)
        size = sum(file.stat().st_size for file in files)
        what = f"{len(files)} files of {name} ({size:,} bytes) in {files[0].parent}"
        if not yes and not typer.confirm(f"remove {what}?", err=True):
            console.print("kept")
            return
        remove_files(files)
        console.print(f"removed {what}", highlight=False, soft_wrap=True)


@datasets_app.command()
def add(
    name: NameArgument,
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="All files of the data set.")],
) -> None:
    """Copy the files of a data set to where it can be loaded by name, after reading and checking them."""
    from labelchain.envs.datasets import add_dataset

    with reported_errors():
        if not files:
            raise UsageError("expected the files of the data set")
        with working(f"reading and checking {name}"):
            folder = add_dataset(name, files)
        console.print(f"added {name}: {folder}", highlight=False, soft_wrap=True)


def _repair(names: list[str]) -> str:
    """What to do about data sets with wrong files."""
    from labelchain.envs.datasets.places import entry_named

    entries = {name: entry_named(name) for name in names}
    get = [name for name, entry in entries.items() if entry is not None and entry.downloads]
    add = [name for name in names if name not in get]
    hints = [f"'labelchain datasets get {' '.join(get)}' repairs files"] if get else []
    if add:
        hints.append(
            f"replace the files of {', '.join(add)}, if labelchain added them by 'labelchain datasets rm' "
            "and 'labelchain datasets add'"
        )
    return "; ".join(hints)


def _print_entry(entry: CatalogueEntry | None, data: MultilabelDataset | None) -> None:
    """Print what the catalogue says of a set and what its data say, as far as there are any."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    if entry is not None:
        table.add_row("name", entry.name)
        table.add_row("what", entry.title)
    elif data is not None:
        table.add_row("name", data.name)
    if data is not None:
        for key, value in _statistics(data).items():
            table.add_row(key, value)
    elif entry is not None:
        table.add_row("rows", f"{entry.num_train:,} train, {entry.num_test:,} test (published)")
        table.add_row("features", f"{entry.num_features:,}")
        table.add_row("labels", f"{entry.num_labels:,}, on average {entry.cardinality:g} to a row")
    if entry is not None:
        facts = {"note": entry.note, "source": entry.source, "licence": entry.licence, "cite": entry.citation}
        for key, value in facts.items():
            if value:
                table.add_row(key, value)
    console.print(table, highlight=False)


def _statistics(data: MultilabelDataset) -> dict[str, str]:
    """The rows of ``show`` that are computed."""
    import numpy as np

    features = data.features
    stored = features.nnz if data.is_sparse else np.count_nonzero(features)  # type: ignore[union-attr]
    share = stored / (features.shape[0] * features.shape[1])
    counts = data.label_frequencies("train")
    order = np.argsort(-counts, kind="stable")

    def listed(labels: Iterable[int]) -> str:
        return ", ".join(f"{data.label_names[label]} ({counts[label]:,})" for label in labels)

    sizes = np.diff(data.labels.indptr)
    return {
        "rows": ", ".join(f"{len(rows):,} {split}" for split, rows in data.splits.items()),
        "features": f"{data.num_features:,}, {'sparse' if data.is_sparse else 'dense'}, {share:.2%} not zero",
        "labels": f"{data.num_labels:,}",
        "cardinality": f"{data.cardinality():.3f} labels to a row on average, {sizes.max()} at most, "
        f"{(sizes == 0).sum():,} rows without",
        "density": f"{data.cardinality() / data.num_labels:.4f} of the labels to a row",
        "most frequent": listed(order[:SHOWN_LABELS]),
        "least frequent": listed(order[::-1][:SHOWN_LABELS])
        + f"; {(counts == 0).sum():,} never in the training rows",
    }
