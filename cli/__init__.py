"""The face: the ``labelchain`` command."""

import io
import sys


def main() -> None:
    """Run the ``labelchain`` command."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # names may have characters that the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        from labelchain.cli.app import app
    except ModuleNotFoundError as error:
        print(  # noqa: T201
            f"error: the labelchain command needs {error.name}, which is not installed; "
            "install it with: pip install 'labelchain[train]'",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="labelchain")
