"""The command ``serzoo``.

Answers go to stdout, progress, warnings and errors to stderr. An error is its message on one line and exit code 1; a
wrong option is exit code 2. TensorFlow is imported only by the commands that need it.
"""

import sys
import warnings
from typing import Annotated

import typer

from serzoo.cli import data, exporting, judging, models, training
from serzoo.cli.terminal import one_line, say, show_warning
from serzoo.errors import SerzooError

app = typer.Typer(
    name="serzoo",
    help="Speech emotion recognition models, trained and judged on speakers they never heard.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("list")(models.list_)
for _command in (
    *(models.show, models.doctor, models.predict),
    *(data.corpora, data.check, data.fetch),
    *(training.train, training.pretrain, training.search),
    *(judging.evaluate, judging.compare, judging.audit, judging.noise_curve),
    *(exporting.export, training.publish),
):
    app.command()(_command)


def main() -> None:
    """Run the command line; the entry point of the package."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # file names need not be valid text
    warnings.showwarning = show_warning
    try:
        app()
    except (SerzooError, OSError) as error:
        say(f"Error: {one_line(error)}")
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        import serzoo

        print(serzoo.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
