"""Commands about the corpora: corpora, check and fetch."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from serzoo.cli.terminal import print_table


def corpora() -> None:
    """List the corpora and the protocols."""
    from serzoo import corpora as corpora_

    infos = [corpora_.info(name) for name in corpora_.names()]
    rows = [[i.name, str(i.num_files), str(len(i.speakers)), str(len(i.emotions)), i.licence, i.title] for i in infos]
    print_table(["CORPUS", "FILES", "SPEAKERS", "EMOTIONS", "LICENCE", "TITLE"], rows)
    print()
    protocols = [corpora_.protocol(name) for name in corpora_.protocol_names()]
    rows = [[p.name, ", ".join(p.corpora), str(len(p.classes)), p.source] for p in protocols]
    rows.append([corpora_.CROSS_PATTERN, "any", "shared", "train on one, test on the other: A+B-to-C@CLASSES"])
    rows.append([corpora_.OWN_PATTERN, "any", "named", "leave one speaker out; 5fold-CORPUS@... leaves groups out"])
    print_table(["PROTOCOL", "CORPORA", "CLASSES", "SOURCE"], rows)
    print()
    print_table(["NOISE", "FILES"], [[name, corpora_.noise_layout(name)] for name in corpora_.noise_names()])


def check(
    corpus: Annotated[str, typer.Argument(metavar="NAME", help="Corpus of speech or of noise; see serzoo corpora.")],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="Its folder, or the file of a table.")],
    sound: Annotated[bool, typer.Option("--sound/--no-sound", help="Decode every file, or only count them.")] = True,
) -> None:
    """Compare a copy of a corpus with the official numbers. Bad recordings in it are named."""
    from rich.progress import MofNCompleteColumn

    from serzoo import corpora as corpora_

    with _progress(corpus, MofNCompleteColumn()) as progress:
        report = corpora_.check(corpus, root, sound=sound, progress=progress)
    print(str(report).rstrip())
    if not report.ok:
        raise typer.Exit(1)


def fetch(
    corpus: Annotated[str, typer.Argument(metavar="NAME", help="emodb, ravdess or esc50.")],
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="Folder to make.")],
) -> None:
    """Download a corpus from its publisher. After a break the same command goes on."""
    from rich.progress import DownloadColumn

    from serzoo import corpora as corpora_

    with _progress(corpus, DownloadColumn()) as progress:
        corpora_.fetch(corpus, root, progress=progress)
    print(f"Fetched: {root}")


@contextlib.contextmanager
def _progress(title: str, amount: Any) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on a terminal, and nothing elsewhere; what is yielded moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
