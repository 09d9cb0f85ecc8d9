"""Options that give a corpus and its folder: ``NAME=ROOT``."""

from pathlib import Path
from typing import Annotated

import typer

from serzoo.errors import ConfigError, MissingFileError

Corpora = Annotated[
    list[str], typer.Option("--corpus", metavar="NAME=ROOT", help="A corpus and its folder; repeat for several.")
]
Partial = Annotated[bool, typer.Option("--partial", help="Take incomplete copies of corpora, too.")]


def roots_of(items: list[str], option: str = "--corpus") -> dict[str, str]:
    """Folder, or table file, of each corpus; ``option`` is named in errors."""
    from serzoo import corpora

    roots: dict[str, str] = {}
    is_noise = option.endswith("noise")
    example = "esc10=data/ESC-10" if is_noise else "ravdess=data/RAVDESS"
    for item in items:
        name, equals, root = item.partition("=")
        if not equals or not name or not root:
            raise ConfigError(f"{option} takes NAME=ROOT, such as {example}. Received: {item!r}.")
        if name in roots:
            raise ConfigError(f"{option} takes each corpus once. Received twice: {name!r}.")
        is_table = name.partition(":")[0] == "table"
        if not Path(root).is_dir() and not (is_table and Path(root).is_file()):
            kind = "table file or folder" if is_table else "folder"
            hint = "" if is_noise or not Path(root).is_file() else f" A table is table:{name}={root}."
            raise MissingFileError(f"{option} {name} needs a {kind} that exists. Received: {root!r}.{hint}")
        (corpora.noise_layout if is_noise else corpora.info)(name)  # refuses a name that no corpus has
        roots[name] = root
    return roots


def streams_of(streams: list[str], targets: list[str]) -> dict[str, dict[str, str]]:
    """Corpora of each stream, from ``--stream`` and ``--target``."""
    of_stream: dict[str, list[str]] = {"target": targets} if targets else {}
    for item in streams:
        name, colon, corpus = item.partition(":")
        if not colon or not name or "=" in name or "=" not in corpus:
            raise ConfigError(f"--stream takes NAME:CORPUS=ROOT, such as gender:emodb=data/EmoDB. Received: {item!r}.")
        of_stream.setdefault(name, []).append(corpus)
    return {name: roots_of(items, "--target" if name == "target" else "--stream") for name, items in of_stream.items()}
