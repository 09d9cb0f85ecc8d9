"""Commands about the models: list, show, doctor and predict."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from serzoo.cli import opening
from serzoo.cli.terminal import finish, print_table, say
from serzoo.errors import SerzooError

DEFAULT_MODEL = "cnn_ablstm_mtl"


def list_(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="Shell pattern, such as '*mtl*'.")] = "*",
    pretrained: Annotated[bool, typer.Option("--pretrained", help="One line for each set of weights.")] = False,
    licence: Annotated[
        str | None, typer.Option(help="'commercial' for weights free for any use, or an SPDX name.")
    ] = None,
) -> None:
    """List the models, their weights, licences and figures."""
    from serzoo import cards

    if rows := cards.listing(pattern, pretrained=pretrained, licence=licence):
        print_table(cards.LISTING, rows)
    else:
        say("No model, or no weights, of that name and licence. See serzoo list.")


def show(name: Annotated[str, typer.Argument(metavar="NAME", help="Model, or NAME.TAG for one set of weights.")]):
    """Print the card of a model. It holds paper, deviations, recipe, weights, licences and figures."""
    from serzoo import cards

    print(cards.model_card(name))


def doctor() -> None:
    """Say what is installed and what is wrong. Versions, devices, decoders, weights."""
    from serzoo.doctor import examine

    with contextlib.suppress(SerzooError):  # which examine tells in its own words
        opening.import_keras()
    facts, problems = examine()
    print_table(None, facts)
    for problem in problems:
        say(f"Problem: {problem}")
    if problems:
        raise typer.Exit(1)
    print("Everything that serzoo needs is here.")


def predict(
    audio: Annotated[list[Path], typer.Argument(metavar="AUDIO|FOLDER...", help="Recordings, or folders of them.")],
    model: Annotated[str, typer.Option(help="Name, NAME.TAG, run folder, .keras file or export.")] = DEFAULT_MODEL,
    window: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Judge in windows of this length, not as a whole.")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(min=0.01, metavar="SECONDS", help="Time between windows; by default their length.")
    ] = None,
    format: Annotated[Literal["table", "json", "csv"], typer.Option(help="Form of the answers.")] = "table",
) -> None:
    """Judge the emotion of recordings."""
    from serzoo.cli import answers

    if hop is not None and window is None:
        raise typer.BadParameter("needs --window.", param_hint="--hop")
    opening.check_name(model)
    out = sys.stdout
    # Whatever a library prints on the way must not mix with the answers.
    with contextlib.redirect_stdout(sys.stderr):
        files, failures = answers.find_recordings(audio)
        total = len(files) + len(failures)
        judged, classes = [], []
        if files:
            opening.import_keras()
            classifier = opening.open_model(model)
            classes = classifier.classes
            bar = format != "csv" or not out.isatty()  # rows that come one by one show progress themselves
            options = {"window_s": window, "hop_s": hop or window, "show_progress": bar}
            judged = answers.judge(classifier, files, failures, **options)
        answers.write(judged, classes, format, out, windowed=window is not None)
    finish(failures, total)
