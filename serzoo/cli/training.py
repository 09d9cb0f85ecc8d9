"""Commands that make weights: train, search, pretrain and publish."""

import contextlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from serzoo import registry
from serzoo.cli import opening
from serzoo.cli.roots import Corpora, Partial, roots_of, streams_of
from serzoo.cli.terminal import print_table
from serzoo.errors import MissingFileError

Init = Annotated[
    str | None, typer.Option(metavar="MODEL", help="Trained model to start from: NAME.TAG, run or .keras file.")
]
Streams = Annotated[
    list[str] | None,
    typer.Option(
        "--stream",
        metavar="NAME:CORPUS=ROOT",
        help="Corpus that teaches one label alone, such as gender:emodb=ROOT.",
    ),
]
Target = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="CORPUS=ROOT", help="Corpus without its labels; as --stream target:CORPUS=ROOT."),
]
Transductive = Annotated[
    bool,
    typer.Option(
        "--transductive", help="Let the unlabelled stream hold the tested speakers, too; every output says so."
    ),
]
RecordedNoise = Annotated[
    list[str] | None,
    typer.Option("--noise", metavar="NAME=ROOT", help="Recorded noise to mix in, such as esc10=ROOT; repeatable."),
]
Rooms = Annotated[
    Path | None, typer.Option("--rooms", metavar="FOLDER", help="Impulse responses of rooms to play clips in.")
]
Seeds = Annotated[
    list[int] | None, typer.Option("--seed", metavar="N", min=0, help="Seed; repeat for several; by default 0.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Value of the YAML, such as training.epochs=5; repeatable."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what was stopped.")]


def train(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model to train; see serzoo list.")],
    corpus: Corpora,
    protocol: Annotated[str, typer.Option(help="Named folds, or 'all' for every speaker; see serzoo corpora.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run.")],
    seed: Seeds = None,
    fold: Annotated[
        list[int] | None,
        typer.Option(metavar="K", min=0, help="Train this fold alone; repeat for several. --resume adds the others."),
    ] = None,
    epochs_from: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Run whose cross-validation chose the number of epochs.")
    ] = None,
    init: Init = None,
    stream: Streams = None,
    target: Target = None,
    transductive: Transductive = False,
    noise: RecordedNoise = None,
    rooms: Rooms = None,
    partial: Partial = False,
    set_: Set = None,
    allow_speaker_leak: Annotated[
        bool,
        typer.Option(
            "--allow-speaker-leak",
            help="Go on though speakers or recordings are in training and test; every output says so.",
        ),
    ] = False,
    resume: Resume = False,
) -> None:
    """Train a model, one network for each fold and seed."""
    roots = roots_of(corpus)
    beside = {"streams": streams_of(stream or [], target or []), "noise": roots_of(noise or [], "--noise")}
    from serzoo import corpora

    overrides = _overrides(name, set_)
    if protocol != "all":
        corpora.protocol(protocol)
    opening.import_keras(batches=True)
    import serzoo

    with contextlib.redirect_stdout(sys.stderr):
        run = serzoo.train(
            name,
            roots,
            protocol=protocol,
            out=out,
            seeds=tuple(seed or [0]),
            folds=fold or None,
            epochs_from=epochs_from,
            init=init,
            **beside,
            transductive=transductive,
            rooms=rooms,
            partial=partial,
            overrides=overrides,
            allow_speaker_leak=allow_speaker_leak,
            resume=resume,
            verbose=_verbose(),
        )
    report = Path(run) / "report.json"
    if report.is_file():  # a run over all speakers has none left to judge it by
        from serzoo.evaluation import summary_text

        print(summary_text(json.loads(report.read_text(encoding="utf-8"))), end="")
    print(f"Run: {run}")


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
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of weights and draws.")] = 0,
    partial: Partial = False,
    set_: Set = None,
    resume: Resume = False,
) -> None:
    """Pre-train a model on speech without labels."""
    if not corpus and audio is None:
        raise typer.BadParameter("one of them is needed.", param_hint="--corpus, --audio")
    roots = roots_of(corpus or [])
    overrides = _overrides(name, set_)
    opening.import_keras(batches=True)
    import serzoo

    with contextlib.redirect_stdout(sys.stderr):
        run = serzoo.pretrain(
            name,
            roots,
            out=out,
            audio_folder=audio,
            protocol=protocol,
            seed=seed,
            overrides=overrides,
            resume=resume,
            partial=partial,
            verbose=_verbose(),
        )
    print(f"Run: {run}")


def search(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model whose recipe to search for; see serzoo list.")],
    corpus: Corpora,
    protocol: Annotated[str, typer.Option(help="Named folds; see serzoo corpora. No test speaker is heard.")],
    space: Annotated[
        Path, typer.Option(metavar="YAML", help="A list of recipes, or lists of values by key, to be combined.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of trials.csv and of the logs.")],
    trials: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Recipes to try; all. --optuna needs it.")
    ] = None,
    optuna: Annotated[bool, typer.Option("--optuna", help="Let Optuna propose combinations, of a mapping.")] = False,
    keep: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the recipes that go on after each fold, the best.")
    ] = 1.0,
    fold: Annotated[
        list[int] | None, typer.Option(metavar="K", min=0, help="Train on this fold alone; repeat for several.")
    ] = None,
    seed: Seeds = None,
    init: Init = None,
    stream: Streams = None,
    target: Target = None,
    transductive: Transductive = False,
    noise: RecordedNoise = None,
    rooms: Rooms = None,
    set_: Set = None,
    resume: Resume = False,
    partial: Partial = False,
) -> None:
    """Train recipes and rank them by their validation speakers."""
    roots = roots_of(corpus)
    beside = {"streams": streams_of(stream or [], target or []), "noise": roots_of(noise or [], "--noise")}
    from serzoo import corpora

    overrides = _overrides(name, set_)
    corpora.protocol(protocol)
    if not space.is_file():
        raise MissingFileError(f"There is no file {space}.")
    opening.import_keras(batches=True)
    import serzoo

    with contextlib.redirect_stdout(sys.stderr):
        ranked = serzoo.search(
            name,
            roots,
            protocol=protocol,
            space=space,
            out=out,
            num_trials=trials,
            optuna=optuna,
            keep=keep,
            folds=fold or None,
            seeds=tuple(seed or [0]),
            init=init,
            **beside,
            transductive=transductive,
            rooms=rooms,
            overrides=overrides,
            resume=resume,
            partial=partial,
            verbose=_verbose(),
        )
    print_table(["VALIDATION UA", "GAIN", "FOLDS", "RECIPE"], [[*each.cells(), each.recipe] for each in ranked])
    print(f"Trials: {out / 'trials.csv'}")


def publish(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Finished run.")],
    name: Annotated[str, typer.Argument(metavar="NAME.TAG", help="Name of the weights.")],
    figure_only: Annotated[
        bool, typer.Option("--figure-only", help="Ship the figure of a protocol without the weights of its folds.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of weights and figures that have this name and tag.")
    ] = False,
    add_seeds: Annotated[
        bool, typer.Option("--add-seeds", help="Judge the published figure by this run's seeds, too; weights stay.")
    ] = False,
) -> None:
    """Ship the weights and figures of a run. It writes float16 weights, a YAML entry and the predictions."""
    if add_seeds and (figure_only or replace):
        raise typer.BadParameter("goes with neither --figure-only nor --replace.", param_hint="--add-seeds")
    registry.check_name(name.partition(".")[0])
    opening.import_keras()
    from serzoo import training

    if add_seeds:
        written = training.add_seeds(run, name)
    else:
        written = training.publish(run, name, fold_weights=not figure_only, replace=replace)
    print("\n".join(map(str, written)))
    print(f"Published: {name}")


def _overrides(name: str, items: list[str] | None) -> dict[str, Any]:
    """Values of ``--set``; a slip in them is told before TensorFlow is imported, which takes seconds."""
    from serzoo import config

    overrides = config.parse_overrides(items or [])
    config.override(config.load(name), overrides, "--set")
    return overrides


def _verbose() -> str | int:
    """How Keras shows progress: a bar on a terminal, elsewhere one line for each epoch."""
    return "auto" if sys.stderr.isatty() else 2
