"""Commands that judge models: evaluate, compare, audit and noise-curve."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from serzoo.cli import opening
from serzoo.cli.roots import Corpora, Partial, roots_of
from serzoo.cli.terminal import finish


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Name, NAME.TAG, .keras file or export; NAME.TAG-folds or a run for the weights of all folds, each of "
            "which judges its own test speakers; or a .csv file of predictions.",
        ),
    ],
    corpus: Corpora,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of report.html, report.json and predictions.csv.")],
    allow_speaker_leak: Annotated[
        bool, typer.Option("--allow-speaker-leak", help="Evaluate on training speakers; every output says so.")
    ] = False,
    protocol: Annotated[str | None, typer.Option(help="Take classes from this protocol; see serzoo corpora.")] = None,
    fold: Annotated[
        int | None, typer.Option(metavar="K", min=0, help="Judge the test speakers of this fold alone.")
    ] = None,
    denoise: Annotated[
        str | None,
        typer.Option(
            metavar="DENOISER",
            help="Put spectral_subtraction, wavelet_shrinkage or wavelet_shrinkage_universal before the model.",
        ),
    ] = None,
    clips: Annotated[
        int, typer.Option(metavar="N", min=0, max=24, help="Recordings in report.html to be played; 0 for none.")
    ] = 12,
    partial: Partial = False,
) -> None:
    """Evaluate a model on speakers that it has never heard."""
    if fold is not None and protocol is None and not model.endswith("-folds") and not Path(model).is_dir():
        raise typer.BadParameter("needs --protocol.", param_hint="--fold")
    roots = roots_of(corpus)
    opening.check_name(model)
    opening.import_keras(batches=True)
    import serzoo
    from serzoo.evaluation import summary_text
    from serzoo.export import is_export

    report = serzoo.evaluate(
        opening.open_model(model, denoise) if denoise or is_export(model) else model,
        roots,
        out=out,
        allow_speaker_leak=allow_speaker_leak,
        protocol=protocol,
        fold=fold,
        clips=clips,
        partial=partial,
    )
    failures = [(f"{each['corpus']} {each['file']}", each["reason"]) for each in report["failed"]]
    print(summary_text({**report, "failed": []}), end="")
    print(f"Report: {out / 'report.html'}")
    finish(failures, report["n"] + len(failures))


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN|NAME.TAG...", help="Runs, predictions.csv, or weights with a figure.")
    ],
    format: Annotated[Literal["markdown", "csv", "latex"], typer.Option(help="Form of the table.")] = "markdown",
) -> None:
    """Compare runs with the first one. Paired over clips and seeds, with 95 % intervals over speakers."""
    if len(runs) < 2:
        raise typer.BadParameter("takes at least two runs.", param_hint="RUN|NAME.TAG...")
    from serzoo.evaluation import compare_table

    print(compare_table(runs, form=format), end="")


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
            help="gender, leakage, transfer, robustness or cross_corpus; repeat for several. By default all.",
        ),
    ] = None,
    noise: Annotated[
        list[str] | None, typer.Option("--noise", metavar="NAME=ROOT", help="Recorded noise, such as esc10=ROOT.")
    ] = None,
    rooms: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Impulse responses of rooms, as sound files.")
    ] = None,
    clips: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Clips at most for each condition or probe, evenly over speakers; 0 for all."
        ),
    ] = 400,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of draws, choices and probes.")] = 0,
    partial: Partial = False,
) -> None:
    """Audit models: gender gap, leakage, transfer, robustness. Verdicts come with 95 % intervals."""
    roots, noises = roots_of(corpus or []), roots_of(noise or [], "--noise")
    opening.import_keras(batches=True)
    import serzoo
    from serzoo.evaluation.audit import markdown_of

    # Whatever a library prints on the way must not mix with the answers.
    with contextlib.redirect_stdout(sys.stderr):
        found = serzoo.audit(
            runs,
            roots,
            out,
            parts=part or None,
            noise=noises,
            rooms=rooms,
            clips=clips or None,
            seed=seed,
            partial=partial,
        )
    print(markdown_of(found), end="")
    if out is not None:
        print(f"Audit: {out}")


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
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL", help="Model to pair the others with; repeat for several; by default the first."),
    ] = None,
    snr: Annotated[
        list[float] | None, typer.Option(metavar="DB", help="Signal-to-noise ratio; repeat for several; 20 10 5 0 -5.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Keep the predictions that DIR holds already.")] = False,
    partial: Partial = False,
) -> None:
    """Judge models under noise. Its level rises; its types are those that training knew, and others."""
    options = [roots_of(corpus), roots_of(noise, "--noise")]
    others = {
        "other_noise": roots_of(other_noise or [], "--other-noise"),
        "babble": roots_of(babble or [], "--babble"),
        "denoise": denoise or [],
        "against": against,
        "resume": resume,
        "partial": partial,
    }
    opening.import_keras(batches=True)
    from serzoo.evaluation.noise_curve import SNRS_DB
    from serzoo.evaluation.noise_curve import noise_curve as measure
    from serzoo.evaluation.noise_report import markdown_of

    print(markdown_of(measure(runs, *options, out, snrs_db=snr or SNRS_DB, **others)), end="")
    print(f"Report: {out}")
