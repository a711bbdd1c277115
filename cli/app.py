"""The commands. What they need is imported when they run, so that ``--help`` answers at once."""

from __future__ import annotations

import inspect
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from labelchain.agents.plain_values import LARGEST_SEED
from labelchain.cli.answers import answers_app
from labelchain.cli.datasets import datasets_app
from labelchain.cli.errors import GOES_ON, console, reported_errors, working
from labelchain.cli.options import (
    AddressOption,
    DatasetArgument,
    DecodingOption,
    DeviceOption,
    EngineOption,
    EpochsOption,
    JobsOption,
    PresetOption,
    SetOption,
    TestOption,
    VersionOption,
    engine_named,
    prepare,
)
from labelchain.cli.progress import WorkProgress

app = typer.Typer(
    name="labelchain",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # joins the lines of a paragraph
    add_completion=False,
)
app.add_typer(datasets_app, name="datasets")
app.add_typer(answers_app)


@app.callback()
def labelchain(version: VersionOption = False) -> None:
    """Learn in which order to decide the labels of each input: train, evaluate and compare learners."""


@app.command()
def train(
    learner: Annotated[
        str,
        typer.Argument(
            metavar="LEARNER", help="Such as composite or maskable-ppo; an unknown name prints all."
        ),
    ],
    dataset: DatasetArgument,
    test: TestOption = None,
    epochs: EpochsOption = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seeds everything random.")] = 0,
    device: DeviceOption = "cpu",
    out: Annotated[
        Path | None, typer.Option(show_default="runs/DATASET__LEARNER__SEED", help="Folder of the run.")
    ] = None,
    preset: PresetOption = "fast",
    changes: SetOption = None,
) -> None:
    """Train one learner and evaluate it on the test split.

    The folder of the run holds its configuration, TensorBoard events, model and result. A run that was
    stopped is continued by the same command.
    """
    with reported_errors(GOES_ON):
        from labelchain.agents.devices import device_named
        from labelchain.agents.runs import Run
        from labelchain.baselines.learners import fit, learner_named

        chosen = device_named(device, None if learner_named(learner).has_network else learner)
        data, name, settings = prepare(dataset, test, epochs, preset, changes, out)
        folder = out or Path("runs") / f"{data.name}__{learner}__{seed}"
        run = Run(folder, learner, name, seed, settings, chosen)
        with WorkProgress(console, 1) as work:
            metrics = fit(run, data, work.cell(learner, seed))
        _print_metrics(f"{learner} on {data.name}, test split", metrics)
        console.print(f"run written to {run.directory}", highlight=False, soft_wrap=True)


@app.command()
def evaluate(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of a finished run.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    decoding: DecodingOption = "chain",
    dataset: Annotated[str | None, typer.Option(help="The data, if they moved since the training.")] = None,
    test: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The test file that goes with --dataset.")
    ] = None,
    device: DeviceOption = "cpu",
) -> None:
    """Evaluate a trained run on every row of a split, each once."""
    with reported_errors():
        from labelchain.agents.decoders import decoding_named
        from labelchain.agents.devices import device_named
        from labelchain.cli.trained import open_trained, read_as
        from labelchain.envs import evaluate as evaluate_split

        run, data, trained = open_trained(run_dir, dataset, test, device_named(device))
        model = read_as(trained, decoding_named(decoding), run)
        rows = len(data.rows(split))
        with WorkProgress(console, 1) as work:
            report = work.cell(run.learner, run.seed)
            done = 0

            def on_batch(count: int) -> None:
                nonlocal done
                done += count
                report(done / rows, "rows")

            metrics = evaluate_split(model, data, split, on_batch=on_batch).metrics
        _print_metrics(f"{run.learner} on {data.name}, {split} split, decoding {decoding}", metrics)


@app.command()
def compare(
    dataset: DatasetArgument,
    test: TestOption = None,
    learners: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            show_default="all but agents without masks, ensembles of 3 and 10",
            help="Learners to compare.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Run every learner with seeds 0 to N-1.")] = 1,
    epochs: EpochsOption = None,
    jobs: JobsOption = None,
    engine: EngineOption = "processes",
    address: AddressOption = None,
    device: DeviceOption = "cpu",
    out: Annotated[
        Path | None, typer.Option(show_default="runs/compare-DATASET", help="Folder of the comparison.")
    ] = None,
    preset: PresetOption = "fast",
    changes: SetOption = None,
) -> None:
    """Train every learner under one protocol, and compare them on the test split.

    Writes report.md with figures, results.json, results.csv and a TensorBoard run per learner and seed. A
    comparison that was stopped is continued by the same command; finished runs are not repeated. Other
    learners or more seeds are added to what the folder has.
    """
    with reported_errors(GOES_ON):
        from labelchain.agents.runs import read_json
        from labelchain.baselines.commands import noted_commands
        from labelchain.baselines.comparison import COMPARED, planned, unfinished
        from labelchain.baselines.comparison import compare as compare_learners
        from labelchain.baselines.learners import learner_named
        from labelchain.baselines.markdown import write_report
        from labelchain.baselines.workers import Job
        from labelchain.cli.found import print_comparison

        named = list(COMPARED) if learners is None else [name.strip() for name in learners.split(",")]
        chosen = list(dict.fromkeys(named))
        for each in chosen:
            learner_named(each)
        trains, place = engine_named(engine, address, device)
        data, name, settings = prepare(dataset, test, epochs, preset, changes, out)
        folder = out or Path("runs") / f"compare-{data.name}"
        job = Job(data, name, settings, folder)
        command = shlex.join(["labelchain", *sys.argv[1:]])
        waiting = len(unfinished(job, planned(folder, name, chosen, seeds, settings)))
        with WorkProgress(console, waiting) as work:
            results = compare_learners(
                data, name, chosen, seeds, settings, folder, work.cell, jobs, trains, place, command
            )
        seconds = read_json(folder / "timings.json")["seconds"]
        with working("writing the report"):
            write_report(job, results, seconds, noted_commands(folder))
        print_comparison(results, seconds, folder)


@app.command()
def board(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run or of a comparison.")],
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, show_default="6006, or the next one that is free")
    ] = None,
) -> None:
    """Show curves, chains, orders and hyperparameters of runs in TensorBoard, in the browser.

    Runs may still be in training: the page follows them.
    """
    with reported_errors():
        from labelchain.cli.board import serve

        serve(console, folder, port)


@app.command()
def tune(
    learner: Annotated[str, typer.Argument(metavar="LEARNER", help="One with a network, such as chain-pg.")],
    dataset: DatasetArgument,
    test: TestOption = None,
    trials: Annotated[int, typer.Option(min=1, help="How many settings are tried.")] = 20,
    epochs: EpochsOption = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seeds the search and every training.")
    ] = 0,
    device: DeviceOption = "cpu",
    out: Annotated[
        Path | None, typer.Option(show_default="runs/tune-DATASET-LEARNER", help="Folder of the search.")
    ] = None,
    preset: PresetOption = "fast",
    changes: SetOption = None,
) -> None:
    """Search settings that suit your data, on the validation rows (Optuna; the extra 'tune').

    Ends with the settings to give to train and compare. What --set names is not searched. A search that was
    stopped is continued by the same command, and extended by one with more trials.
    """
    with reported_errors(GOES_ON):
        from labelchain.agents.devices import device_named
        from labelchain.agents.settings import named_values
        from labelchain.baselines.tuning import tune as search
        from labelchain.cli.found import print_search

        chosen = device_named(device)
        data, name, settings = prepare(dataset, test, epochs, preset, changes, out)
        folder = out or Path("runs") / f"tune-{data.name}-{learner}"
        fixed = named_values(changes or [])
        with WorkProgress(console, trials, "trial") as work:
            found = search(learner, data, name, seed, settings, folder, trials, work.cell, chosen, fixed)
        told = {"test": test, "epochs": epochs, "seed": seed, "device": device, "preset": preset}
        defaults = inspect.signature(train).parameters
        options = {f"--{name}": value for name, value in told.items() if value != defaults[name].default}
        print_search(found, dataset, options, changes or [])


@app.command()
def play(
    env_id: Annotated[str, typer.Argument(metavar="ENV_ID", help="Such as labelchain/DigitScenes-v0.")],
    policy: Annotated[
        str, typer.Option(metavar="random|RUN_DIR", help="Random actions, or the folder of a finished run.")
    ] = "random",
    index: Annotated[int | None, typer.Option(show_default="drawn", help="Row of the split.")] = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    dataset: Annotated[str | None, typer.Option(help="The data, for labelchain/Chain-v0.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seeds the draw and random actions.")
    ] = 0,
    gif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a GIF instead.")] = None,
) -> None:
    """Show one episode step by step: the input, the chain so far, the true labels."""
    with reported_errors():
        from labelchain.cli.play import make_env, play_episode

        chosen = {} if dataset is None else {"dataset": dataset}
        env = make_env(env_id, gif, split=split, **chosen)
        play_episode(console, env, policy, index, seed, gif)


def _print_metrics(title: str, metrics: dict[str, float]) -> None:
    table = Table(title=title, caption="Proportions in per cent; length, repeats and first_error in labels.")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.2f}")
    console.print(table)
