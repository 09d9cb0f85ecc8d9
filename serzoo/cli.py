"""The command ``serzoo``.

Answers go to stdout, progress, warnings and errors to stderr. An error is its message on one line and exit code 1; a
wrong option is exit code 2. TensorFlow is imported only by the commands that need it.
"""

import contextlib
import importlib
import json
import os
import sys
import tempfile
import warnings
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from serzoo.errors import ConfigError, MissingFileError, SerzooError

DEFAULT_MODEL = "cnn_ablstm_mtl"

app = typer.Typer(
    name="serzoo",
    help="Speech emotion recognition models, trained and judged on speakers they never heard.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Corpora = Annotated[
    list[str], typer.Option("--corpus", metavar="NAME=ROOT", help="A corpus and its folder; repeat for several.")
]


class Format(str, Enum):
    """Form of the answers of ``predict``."""

    table = "table"
    json = "json"
    csv = "csv"


def main() -> None:
    """Run the command line; the entry point of the package."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # file names need not be valid text
    warnings.showwarning = _show_warning
    try:
        app()
    except (SerzooError, OSError) as error:
        _say(f"Error: {_one_line(error)}")
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


@app.command("list")
def list_(
    pattern: Annotated[str, typer.Argument(help="Shell pattern, such as '*mtl*'.")] = "*",
    pretrained: Annotated[bool, typer.Option("--pretrained", help="One line for each set of weights.")] = False,
    licence: Annotated[
        str | None, typer.Option(help="'commercial' for weights free for any use, or an SPDX name.")
    ] = None,
) -> None:
    """List the models, their weights, licences and figures."""
    from serzoo import cards

    _print_table(cards.LISTING, cards.listing(pattern, pretrained=pretrained, licence=licence))


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="Model, or NAME.TAG for one set of weights.")]):
    """Print the card of a model: paper, deviations, recipe, weights, licences, figures."""
    from serzoo import cards

    print(cards.model_card(name))


@app.command()
def doctor() -> None:
    """Say which versions, devices and decoders are here, and what is wrong."""
    from serzoo.doctor import examine

    with contextlib.suppress(SerzooError):  # which examine tells in its own words
        _import_keras()
    facts, problems = examine()
    _print_table(None, facts)
    for problem in problems:
        _say(f"Problem: {problem}")
    if problems:
        raise typer.Exit(1)
    print("Everything that serzoo needs is here.")


@app.command()
def predict(
    audio: Annotated[list[Path], typer.Argument(metavar="AUDIO|FOLDER...", help="Recordings, or folders of them.")],
    model: Annotated[str, typer.Option(help="Name, NAME.TAG, run folder or .keras file.")] = DEFAULT_MODEL,
    window: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Judge in windows of this length.")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(min=0.01, metavar="SECONDS", help="Time between windows; the window's length.")
    ] = None,
    format: Annotated[Format, typer.Option(help="Form of the answers.")] = Format.table,
) -> None:
    """Judge the emotion of recordings."""
    from serzoo import answers

    if hop is not None and window is None:
        raise typer.BadParameter("needs --window.", param_hint="--hop")
    # Whatever a library prints on the way must not mix with the answers.
    with contextlib.redirect_stdout(sys.stderr):
        files, failures = answers.find_recordings(audio)
        found, classes = [], []
        if files:
            _import_keras()
            import serzoo

            classifier = serzoo.load(model)
            classes = classifier.classes
            found, refused = answers.judge(classifier, files, window_s=window, hop_s=hop or window)
            failures += refused
    print(answers.render(found, classes, format.value, windowed=window is not None), end="")
    _finish(failures, len(found) + len(failures))


@app.command()
def corpora() -> None:
    """List the corpora and the protocols."""
    from serzoo import corpora as corpora_

    infos = [corpora_.info(name) for name in corpora_.names()]
    rows = [[i.name, str(i.num_files), str(len(i.speakers)), str(len(i.emotions)), i.licence, i.title] for i in infos]
    _print_table(["CORPUS", "FILES", "SPEAKERS", "EMOTIONS", "LICENCE", "TITLE"], rows)
    print()
    protocols = [corpora_.protocol(name) for name in corpora_.protocol_names()]
    rows = [[p.name, ", ".join(p.corpora), str(len(p.classes)), p.source] for p in protocols]
    rows.append([corpora_.CROSS_PATTERN, "any", "shared", "train on one, test on the other: A+B-to-C@CLASSES"])
    _print_table(["PROTOCOL", "CORPORA", "CLASSES", "SOURCE"], rows)


@app.command()
def check(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus; see serzoo corpora.")],
    root: Annotated[Path, typer.Argument(help="Its folder.")],
) -> None:
    """Count a copy of a corpus against the official numbers."""
    from serzoo import corpora as corpora_

    report = corpora_.check(corpus, root)
    print(str(report).rstrip())
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def fetch(
    corpus: Annotated[str, typer.Argument(metavar="NAME", help="emodb, ravdess or esc50.")],
    root: Annotated[Path, typer.Argument(help="Folder to make.")],
) -> None:
    """Download a corpus from its publisher; after a break the same command goes on."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from serzoo import corpora as corpora_

    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(corpus, total=None)
        corpora_.fetch(corpus, root, progress=lambda done, total: bar.update(task, completed=done, total=total))
    print(f"Fetched: {root}")


@app.command()
def train(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model to train; see serzoo list.")],
    corpus: Corpora,
    protocol: Annotated[str, typer.Option(help="Named folds, or 'all' for every speaker; see serzoo corpora.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run.")],
    seed: Annotated[list[int] | None, typer.Option(metavar="N", min=0, help="Repeat for several; 0.")] = None,
    epochs_from: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Run whose cross-validation chose the number of epochs.")
    ] = None,
    init: Annotated[str | None, typer.Option(metavar="NAME.TAG", help="Weights to start from.")] = None,
    stream: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:CORPUS=ROOT", help="Corpus of another stream, such as gender:emodb=ROOT."),
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(metavar="CORPUS=ROOT", help="Unlabelled stream; as --stream target:CORPUS=ROOT.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override, such as training.epochs=5.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
) -> None:
    """Train a model, one network for each fold and seed."""
    roots = _roots(corpus)
    from serzoo.config import parse_overrides

    overrides = parse_overrides(set_ or [])
    _import_keras()
    import serzoo

    run = serzoo.train(
        name,
        roots,
        protocol=protocol,
        out=out,
        seeds=tuple(seed or [0]),
        epochs_from=epochs_from,
        init=init,
        streams=_streams(stream or [], target or []),
        overrides=overrides,
        resume=resume,
    )
    report = Path(run) / "report.json"
    if report.is_file():  # a run over all speakers has none left to judge it by
        from serzoo.evaluation import summary_text

        print(summary_text(json.loads(report.read_text(encoding="utf-8"))), end="")
    print(f"Run: {run}")


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Name, NAME.TAG, run folder or .keras file.")],
    corpus: Corpora,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of report.json and predictions.csv.")],
    allow_speaker_leak: Annotated[
        bool, typer.Option("--allow-speaker-leak", help="Evaluate on training speakers; every output says so.")
    ] = False,
    protocol: Annotated[str | None, typer.Option(help="Take classes from this protocol; see serzoo corpora.")] = None,
    fold: Annotated[int | None, typer.Option(min=0, help="Judge the test speakers of this fold alone.")] = None,
    denoise: Annotated[
        str | None, typer.Option(metavar="DENOISER", help="Put spectral_subtraction or wavelet_shrinkage before it.")
    ] = None,
) -> None:
    """Evaluate a model on corpora whose speakers it has never heard."""
    if fold is not None and protocol is None:
        raise typer.BadParameter("needs --protocol.", param_hint="--fold")
    roots = _roots(corpus)
    _import_keras()
    import serzoo
    from serzoo.evaluation import summary_text

    report = serzoo.evaluate(
        serzoo.load(model, denoise=denoise),
        roots,
        out=out,
        allow_speaker_leak=allow_speaker_leak,
        protocol=protocol,
        fold=fold,
    )
    failures = [(f"{each['corpus']} {each['file']}", each["reason"]) for each in report["failed"]]
    print(summary_text({**report, "failed": []}), end="")
    print(f"Report: {out}")
    _finish(failures, report["n"] + len(failures))


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run folders, or predictions.csv files.")],
) -> None:
    """Compare runs with the first one, paired over clips and seeds, with 95 % intervals over speakers."""
    if len(runs) < 2:
        raise typer.BadParameter("takes at least two runs.", param_hint="RUN RUN...")
    from serzoo.evaluation import compare_table

    print(compare_table(runs), end="")


@app.command()
def publish(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Finished run.")],
    name: Annotated[str, typer.Argument(metavar="NAME.TAG", help="Name of the weights.")],
) -> None:
    """Ship the weights and figures of a run: float16 weights, YAML entry, predictions."""
    _import_keras()
    from serzoo.training import publish as publish_

    publish_(run, name)
    print(f"Published: {name}")


def _import_keras() -> None:
    """Import Keras and its backend without the notes that TensorFlow writes before it can be told not to."""
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ or "keras" in sys.modules:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # stderr may be closed
            kept = os.dup(2)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
            os.dup2(stack.enter_context(tempfile.TemporaryFile()).fileno(), 2)
        try:
            importlib.import_module("keras")
        except ImportError as error:
            raise SerzooError(f"Keras cannot be imported: {error}. See serzoo doctor.") from error


def _streams(streams: list[str], targets: list[str]) -> dict[str, dict[str, str]]:
    of_stream: dict[str, list[str]] = {"target": targets} if targets else {}
    for item in streams:
        name, colon, corpus = item.partition(":")
        if not colon or not name or "=" in name:
            raise ConfigError(f"--stream takes NAME:CORPUS=ROOT, such as gender:emodb=data/EmoDB. Received: {item!r}.")
        of_stream.setdefault(name, []).append(corpus)
    return {name: _roots(items) for name, items in of_stream.items()}


def _roots(items: list[str]) -> dict[str, str]:
    roots: dict[str, str] = {}
    for item in items:
        name, equals, root = item.partition("=")
        if not equals or not name or not root:
            raise ConfigError(f"--corpus takes NAME=ROOT, such as ravdess=data/RAVDESS. Received: {item!r}.")
        if name in roots:
            raise ConfigError(f"--corpus takes each corpus once. Received twice: {name!r}.")
        if not Path(root).is_dir():
            raise MissingFileError(f"--corpus {name} needs a folder that exists. Received: {root!r}.")
        roots[name] = root
    return roots


def _print_table(header: list[str] | None, rows: list[list[str]]) -> None:
    lines = [header, *rows] if header else rows
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _finish(failures: list[tuple[Any, Any]], total: int) -> None:
    if not failures:
        return
    _say(f"{len(failures)} of {total} could not be judged:")
    for path, reason in failures:
        _say(f"  {path}: {_one_line(reason)}")
    raise typer.Exit(1)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    _say(f"Warning: {_one_line(message)}")


def _one_line(message: Any) -> str:
    return " ".join(str(message).split())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
