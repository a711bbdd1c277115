"""``labelchain board``: TensorBoard on a run or a comparison."""

from __future__ import annotations

import threading
from pathlib import Path

from rich.console import Console

from labelchain.cli.errors import UsageError

RELOAD_SECONDS = 5


def serve(console: Console, folder: Path, port: int | None) -> None:
    """Start TensorBoard on a folder, print its address, and serve until Ctrl-C.

    Args:
        console: Where the address is printed.
        folder: Holds event files, at any depth.
        port: Its port, or ``None`` for 6006 or the next one that is free.

    Raises:
        UsageError: If there are no event files, or the port is taken.
    """
    _check(folder)
    from tensorboard import program

    board = program.TensorBoard()
    # A run has an event file of its logger and may have one of Stable-Baselines3's: both are followed.
    board.configure(
        argv=["labelchain board"],
        logdir=str(folder),
        port=port,
        load_fast="false",
        reload_multifile=True,
        reload_interval=RELOAD_SECONDS,
    )
    try:
        address = board.launch()
    except program.TensorBoardServerException as error:
        raise UsageError(f"TensorBoard does not start: {error.msg}; choose another --port") from error
    console.print(f"{folder} is shown at {address}\nCtrl-C stops it.", highlight=False, soft_wrap=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print("stopped", highlight=False)


def _check(folder: Path) -> None:
    """Raise UsageError unless there is something to show."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UsageError(f"{folder} {what}: expected the folder of a run or of a comparison, such as runs")
    if next(folder.rglob("events.out.tfevents.*"), None) is None:
        raise UsageError(
            f"{folder} holds no TensorBoard events: expected the folder of a run or of a comparison, "
            "as 'labelchain train' and 'labelchain compare' write them"
        )
