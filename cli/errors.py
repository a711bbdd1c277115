"""What every command shares: the two consoles, and errors in one line with an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status

console = Console(markup=False)
errors = Console(markup=False, stderr=True, soft_wrap=True)


def working(what: str) -> Status:
    """A spinner on the console of errors while something is done."""
    return errors.status(escape(what))


class UsageError(ValueError):
    """An option has a value that makes no sense."""


GOES_ON = "stopped; the same command goes on from here"


@contextmanager
def reported_errors(stopped: str = "stopped") -> Iterator[None]:
    """Turn what a user can cause into one message and an exit code: 2 for wrong usage, 1 for wrong input.

    Args:
        stopped: The message after Ctrl-C.
    """
    code = 1
    try:
        from labelchain.agents.decoders import UnknownDecodingError
        from labelchain.agents.devices import DeviceError
        from labelchain.agents.runs import RunError
        from labelchain.baselines.learners import UnknownLearnerError
        from labelchain.envs.datasets import DatasetError, UnknownDatasetError

        yield
        return
    except KeyboardInterrupt:  # first: it may come before the others are known
        message, code = stopped, 130
    except (
        DeviceError,
        UnknownDatasetError,
        UnknownDecodingError,
        UnknownLearnerError,
        UsageError,
    ) as error:
        message, code = str(error), 2
    except (DatasetError, RunError) as error:
        message = str(error)
    except OSError as error:
        message = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    errors.print(f"error: {message}", highlight=False)
    raise typer.Exit(code)
