"""The commands that ask a trained run: ``predict`` and ``explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labelchain.cli.errors import console, reported_errors
from labelchain.cli.options import DecodingOption, DeviceOption

answers_app = typer.Typer()


@answers_app.command()
def predict(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of a finished run.")],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The rows: .npz, ARFF, text of the Extreme Classification Repository or of LIBSVM, with "
            "labels or without.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", show_default="the terminal", help="Where to.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="csv|jsonl", show_default="as --out ends, else csv", help="CSV or JSON lines."
        ),
    ] = None,
    decoding: DecodingOption = "chain",
    features_from: Annotated[
        int | None,
        typer.Option(
            min=0, max=1, show_default="as in training", help="Number of the first feature in LIBSVM's text."
        ),
    ] = None,
    device: DeviceOption = "cpu",
) -> None:
    """Predict label sets, in the order decided, and rankings for the rows of a file of any size.

    A line holds the number of the row (from 0), the labels, the probability of each given those before it,
    and the best five labels.
    """
    with reported_errors():
        from labelchain.agents.decoders import decoding_named
        from labelchain.agents.devices import device_named
        from labelchain.cli.predict import format_named, predict_file

        zero_based = None if features_from is None else features_from == 0
        how, chosen = decoding_named(decoding), device_named(device)
        predict_file(run_dir, file, how, format_named(form, out), out, zero_based, chosen)


@answers_app.command()
def explain(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of a finished run.")],
    index: Annotated[int, typer.Option(min=0, help="Row of the split, from 0.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    top: Annotated[int, typer.Option(min=1, help="How many actions of each step are shown.")] = 5,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it, too.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as one HTML file, too.")] = None,
    dataset: Annotated[str | None, typer.Option(help="The data, if they moved since the training.")] = None,
    test: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The test file that goes with --dataset.")
    ] = None,
) -> None:
    """Show how one input was decided: at each step the most probable labels, and STOP."""
    with reported_errors():
        from labelchain.baselines.explanation import explain as explained
        from labelchain.cli.explain import print_explanation
        from labelchain.cli.trained import open_trained
        from labelchain.envs.files import check_output

        for path in filter(None, (png, html)):
            check_output(path)
        run, data, model = open_trained(run_dir, dataset, test)
        explanation = explained(model, data, split, index, top, run.learner)
        print_explanation(console, explanation)
        if png is not None:
            from labelchain.baselines.explanation_figure import save_figure

            save_figure(explanation, png)
            console.print(f"written: {png}", highlight=False, soft_wrap=True)
        if html is not None:
            from labelchain.baselines.explanation_page import save_page

            save_page(explanation, html)
            console.print(f"written: {html}", highlight=False, soft_wrap=True)
