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


class TableFormat(str, Enum):
    """Form of the table of ``compare``."""

    markdown = "markdown"
    csv = "csv"
    latex = "latex"


class ExportFormat(str, Enum):
    """Form of an export."""

    savedmodel = "savedmodel"
    onnx = "onnx"
    litert = "litert"


class Rounding(str, Enum):
    """Rounding of the weights of a LiteRT file."""

    float16 = "float16"
    int8 = "int8"


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
    model: Annotated[str, typer.Option(help="Name, NAME.TAG, run folder, .keras file or export.")] = DEFAULT_MODEL,
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
            classifier = _open_model(model)
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
    rows.append([corpora_.OWN_PATTERN, "any", "named", "leave one speaker out; 5fold-CORPUS@... leaves groups out"])
    _print_table(["PROTOCOL", "CORPORA", "CLASSES", "SOURCE"], rows)
    print()
    _print_table(["NOISE", "FILES"], [[name, corpora_.noise_layout(name)] for name in corpora_.noise_names()])


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
    noise: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=ROOT", help="Recorded noise to mix in, such as esc10=ROOT; repeat for several."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override, such as training.epochs=5.")
    ] = None,
    allow_speaker_leak: Annotated[
        bool,
        typer.Option("--allow-speaker-leak", help="Go on with what stands on both sides; every output says so."),
    ] = False,
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
        noise=_roots(noise or [], "--noise"),
        overrides=overrides,
        allow_speaker_leak=allow_speaker_leak,
        resume=resume,
    )
    report = Path(run) / "report.json"
    if report.is_file():  # a run over all speakers has none left to judge it by
        from serzoo.evaluation import summary_text

        print(summary_text(json.loads(report.read_text(encoding="utf-8"))), end="")
    print(f"Run: {run}")


@app.command()
def pretrain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model to pre-train, such as bert_mtl.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run; train takes it by --init.")],
    corpus: Annotated[
        list[str] | None, typer.Option("--corpus", metavar="NAME=ROOT", help="A corpus to hear; repeat for several.")
    ] = None,
    audio: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder of sound files to hear.")] = None,
    protocol: Annotated[
        str | None, typer.Option(help="One model for each of its folds, which hears no test speaker of the fold.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0)] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override, such as pretraining.epochs=5.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
) -> None:
    """Pre-train a model on speech without labels."""
    roots = _roots(corpus or [])
    from serzoo.config import parse_overrides

    overrides = parse_overrides(set_ or [])
    _import_keras()
    import serzoo

    run = serzoo.pretrain(
        name, roots, out=out, audio_folder=audio, protocol=protocol, seed=seed, overrides=overrides, resume=resume
    )
    print(f"Run: {run}")


@app.command()
def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="Name, NAME.TAG, .keras file or export; NAME.TAG-folds or a run for the weights of all folds, each of "
            "which judges its own test speakers; or a .csv file of predictions."
        ),
    ],
    corpus: Corpora,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of report.html, report.json and predictions.csv.")],
    allow_speaker_leak: Annotated[
        bool, typer.Option("--allow-speaker-leak", help="Evaluate on training speakers; every output says so.")
    ] = False,
    protocol: Annotated[str | None, typer.Option(help="Take classes from this protocol; see serzoo corpora.")] = None,
    fold: Annotated[int | None, typer.Option(min=0, help="Judge the test speakers of this fold alone.")] = None,
    denoise: Annotated[
        str | None, typer.Option(metavar="DENOISER", help="Put spectral_subtraction or wavelet_shrinkage before it.")
    ] = None,
    clips: Annotated[
        int, typer.Option(min=0, max=24, help="Recordings in report.html, to be played; 0 for none of the corpus.")
    ] = 12,
) -> None:
    """Evaluate a model on corpora whose speakers it has never heard."""
    if fold is not None and protocol is None and not model.endswith("-folds") and not Path(model).is_dir():
        raise typer.BadParameter("needs --protocol.", param_hint="--fold")
    roots = _roots(corpus)
    _import_keras()
    import serzoo
    from serzoo.evaluation import summary_text
    from serzoo.export import is_export

    report = serzoo.evaluate(
        _open_model(model, denoise) if denoise or is_export(model) else model,
        roots,
        out=out,
        allow_speaker_leak=allow_speaker_leak,
        protocol=protocol,
        fold=fold,
        clips=clips,
    )
    failures = [(f"{each['corpus']} {each['file']}", each["reason"]) for each in report["failed"]]
    print(summary_text({**report, "failed": []}), end="")
    print(f"Report: {out / 'report.html'}")
    _finish(failures, report["n"] + len(failures))


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run folders, or predictions.csv files.")],
    format: Annotated[TableFormat, typer.Option(help="Form of the table.")] = TableFormat.markdown,
) -> None:
    """Compare runs with the first one, paired over clips and seeds, with 95 % intervals over speakers."""
    if len(runs) < 2:
        raise typer.BadParameter("takes at least two runs.", param_hint="RUN RUN...")
    from serzoo.evaluation import compare_table

    print(compare_table(runs, form=format.value), end="")


@app.command()
def audit(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN|NAME.TAG...", help="Runs, or shipped weights with the folds of their tag."),
    ],
    corpus: Annotated[
        list[str] | None, typer.Option("--corpus", metavar="NAME=ROOT", help="A corpus to hear; repeat for several.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of audit.json, audit.md and the pictures.")
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="gender, leakage, transfer, robustness or cross_corpus; repeat for several. All that is possible.",
        ),
    ] = None,
    noise: Annotated[
        list[str] | None, typer.Option("--noise", metavar="NAME=ROOT", help="A noise corpus, such as esc10.")
    ] = None,
    rooms: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Impulse responses of rooms, as sound files.")
    ] = None,
    clips: Annotated[
        int, typer.Option(min=0, help="Clips at most for each condition or probe, evenly over speakers; 0 for all.")
    ] = 400,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of draws, choices and probes.")] = 0,
) -> None:
    """Ask of models: gender gap, leakage, transfer, robustness, other corpora; verdicts with 95 % intervals."""
    roots, noises = _roots(corpus or []), _roots(noise or [], "--noise")
    _import_keras()
    import serzoo
    from serzoo.evaluation.audit import markdown_of

    # Whatever a library prints on the way must not mix with the answers.
    with contextlib.redirect_stdout(sys.stderr):
        found = serzoo.audit(
            runs, roots, out, parts=part or None, noise=noises, rooms=rooms, clips=clips or None, seed=seed
        )
    print(markdown_of(found), end="")
    if out is not None:
        print(f"Audit: {out}")


@app.command("noise-curve")
def noise_curve(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run folders, or NAME.TAG of shipped weights.")],
    corpus: Corpora,
    noise: Annotated[
        list[str], typer.Option(metavar="NAME=ROOT", help="Noise whose types training may know; its test recordings.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of noise_curve.csv, .png, .md and the predictions.")],
    other_noise: Annotated[
        list[str] | None, typer.Option(metavar="NAME=ROOT", help="Noise of types that no training had.")
    ] = None,
    babble: Annotated[
        list[str] | None, typer.Option(metavar="CORPUS=ROOT", help="Speech to sum babble from, never trained on.")
    ] = None,
    denoise: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Judge the first model behind this denoiser, too.")
    ] = None,
    against: Annotated[str | None, typer.Option(metavar="MODEL", help="Pair with this one; the first.")] = None,
    snr: Annotated[list[float] | None, typer.Option(metavar="DB", help="Ratios; 20 10 5 0 -5.")] = None,
) -> None:
    """Judge models under noise of falling ratio, of known types and of others."""
    options = [_roots(corpus), _roots(noise, "--noise")]
    others = {
        "other_noise": _roots(other_noise or [], "--other-noise"),
        "babble": _roots(babble or [], "--babble"),
        "denoise": denoise or [],
        "against": against,
    }
    _import_keras()
    from serzoo.evaluation.noise_curve import SNRS_DB
    from serzoo.evaluation.noise_curve import noise_curve as measure
    from serzoo.evaluation.noise_report import markdown_of

    print(markdown_of(measure(runs, *options, out, snrs_db=snr or SNRS_DB, **others)), end="")
    print(f"Report: {out}")


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="Name, NAME.TAG, run folder or .keras file.")],
    out: Annotated[Path, typer.Argument(help="Folder of the export; of a SavedModel, of its versions.")],
    format: Annotated[ExportFormat, typer.Option(help="Form of the export.")] = ExportFormat.savedmodel,
    quantize: Annotated[
        Rounding | None, typer.Option(help="LiteRT: rounding of the weights; float32 without it.")
    ] = None,
    clip: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="LiteRT: length of a clip; 3 s.")
    ] = None,
    window: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="SavedModel: length of a segment; 3 s.")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(min=0.01, metavar="SECONDS", help="SavedModel: time between segments; 1 s.")
    ] = None,
    serving_kit: Annotated[
        bool, typer.Option("--serving-kit", help="SavedModel: also write what TensorFlow Serving needs to start.")
    ] = False,
) -> None:
    """Write a model for TensorFlow Serving, ONNX Runtime or LiteRT, and prove that it answers alike."""
    given = {"quantize": quantize and quantize.value, "clip": clip, "window": window, "hop": hop}
    known = {"savedmodel": ("window", "hop"), "litert": ("quantize", "clip")}.get(format.value, ())
    for name, value in given.items():
        if value is not None and name not in known:
            raise typer.BadParameter(f"is not for --format {format.value}.", param_hint=f"--{name}")
    if serving_kit and format != ExportFormat.savedmodel:
        raise typer.BadParameter(f"is not for --format {format.value}.", param_hint="--serving-kit")
    options = {name if name == "quantize" else f"{name}_s": given[name] for name in known if given[name] is not None}
    if serving_kit:
        options["serving_kit"] = True
    _import_keras()
    import serzoo
    from serzoo.export import write

    with contextlib.redirect_stdout(sys.stderr):
        report = write(serzoo.load(model), out, format.value, **options)
    print(report)


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


def _open_model(source: str, denoise: str | None = None) -> Any:
    """A model by its name or file, or an export of one, which holds its denoiser."""
    import serzoo
    from serzoo.export import is_export, open_export

    if not is_export(source):
        return serzoo.load(source, denoise=denoise)
    if denoise is not None:
        raise ConfigError(f"--denoise is not for exports: {source} hears as it was exported. Received: {denoise}.")
    return open_export(source)


def _roots(items: list[str], option: str = "--corpus") -> dict[str, str]:
    roots: dict[str, str] = {}
    example = "esc10=data/ESC-10" if option.endswith("noise") else "ravdess=data/RAVDESS"
    for item in items:
        name, equals, root = item.partition("=")
        if not equals or not name or not root:
            raise ConfigError(f"{option} takes NAME=ROOT, such as {example}. Received: {item!r}.")
        if name in roots:
            raise ConfigError(f"{option} takes each corpus once. Received twice: {name!r}.")
        is_table = name.partition(":")[0] == "table"
        if not Path(root).is_dir() and not (is_table and Path(root).is_file()):
            kind = "table file or folder" if is_table else "folder"
            raise MissingFileError(f"{option} {name} needs a {kind} that exists. Received: {root!r}.")
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
