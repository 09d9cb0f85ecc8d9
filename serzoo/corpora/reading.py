"""From a root folder, or several, to a table."""

import inspect
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serzoo.corpora.corpus import COLUMNS, Scan
from serzoo.corpora.readers import info, may_be_file, module_of
from serzoo.corpora.roots import guess, refuse_incomplete, scan_root
from serzoo.corpora.video import with_sound
from serzoo.errors import CorpusError, unknown_name

if TYPE_CHECKING:
    import pandas as pd


def read(name: str, root: str | PathLike, *, partial: bool = False, **options: Any) -> "pd.DataFrame":
    """Read a corpus root to a table.

    Args:
        name: one of :func:`names`, or ``"table:NAME"``.
        root: folder in the official layout of the corpus; for a table its file.
        partial: whether to accept a copy whose numbers differ from the official ones.
        **options: what the ``scan`` of a corpus takes beside the root, such as ``columns`` of ``table`` or
            ``stretch_s`` of ``avec``.

    Returns:
        One row for each utterance, ordered by file, with the columns that the module describes. Its
        ``attrs["skipped"]`` counts by reason the files that are not in it.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: if the root is missing, a file, empty, another corpus or, without ``partial``, incomplete; if an
            option is not known; if the files are videos without their sound and ffmpeg is not there.

    Example:
        >>> read("emodb", "EmoDB").groupby("emotion").size()  # doctest: +SKIP
        >>> read("table", "mine.csv", columns={"emotion": "label"})  # doctest: +SKIP
    """
    rows, skipped = scan(name, root, **options)
    official = info(name)
    if not partial:
        refuse_incomplete(official, root, rows)
    if official.videos:
        rows = with_sound(folder(name, root, **options), rows)
    table = _table(rows)
    table.attrs["skipped"] = {f"{name}: {reason}": len(files) for reason, files in skipped.items()}
    return table


def read_many(
    roots: Mapping[str, str | PathLike],
    *,
    partial: bool = False,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> "pd.DataFrame":
    """Read several corpora to one table.

    Args:
        roots: corpus name to root folder.
        partial: as in :func:`read`.
        options: corpus name to the options of :func:`read`, where it has any.

    Returns:
        The tables below each other in the order of ``roots``, rows numbered from 0; NaN where a corpus lacks a
        column. ``attrs["skipped"]`` is that of all of them.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: as :func:`read`, or if ``roots`` is empty or no mapping.

    Example:
        >>> read_many({"emodb": "EmoDB", "ravdess": "RAVDESS"})  # doctest: +SKIP
    """
    import pandas as pd

    _check_roots(roots)
    if not roots:
        raise CorpusError("At least one corpus is needed, as {name: root}. Received: none.")
    for name in options or {}:
        if name not in roots:
            raise unknown_name("corpus in options", name, roots)
    tables = [read(name, root, partial=partial, **(options or {}).get(name, {})) for name, root in roots.items()]
    joined = pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]
    joined.attrs["skipped"] = {reason: count for table in tables for reason, count in table.attrs["skipped"].items()}
    return joined


def scan(name: str, root: str | PathLike, **options: Any) -> Scan:
    """List the utterances of a root, complete or not, and the files that were skipped, by reason.

    Args:
        name: one of :func:`names`, or ``"table:NAME"``.
        root: folder in the official layout of the corpus; for a table its file.
        **options: as of :func:`read`.

    Returns:
        At least one row, and the skipped files. Videos stand for their sound.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: if the root is missing, a file, empty or another corpus, or an option is not known.

    Example:
        >>> {reason: len(files) for reason, files in scan("ravdess", "RAVDESS").skipped.items()}  # doctest: +SKIP
        {'song (vocal channel 02)': 1012}
    """
    module = module_of(name)
    _refuse_options(name, module, options)
    result = scan_root(
        name,
        root,
        module.INFO.layout,
        lambda path: module.scan(path, **options),
        lambda path: guess(name, path),
        may_be_file=may_be_file(module),
    )
    if ":" in name:
        result = Scan([row | {"corpus": name} for row in result.rows], result.skipped)
    return result


def folder(name: str, root: str | PathLike, **options: Any) -> Path:
    """Return the folder that the ``file`` column is relative to: the root, but for a table's file.

    Args:
        name: as of :func:`read`.
        root: as of :func:`read`.
        **options: as of :func:`read`.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: if an option is not known, or a table cannot be read.

    Example:
        >>> folder("ravdess", "RAVDESS").name
        'RAVDESS'
    """
    module = module_of(name)
    _refuse_options(name, module, options)
    return module.folder(Path(root), **options) if may_be_file(module) else Path(root)


def folders(roots: Mapping[str, str | PathLike]) -> dict[str, Path]:
    """Return the folder of each corpus, as :func:`folder` does.

    Args:
        roots: corpus name to root, as of :func:`read_many`.

    Raises:
        CorpusError: if ``roots`` is no mapping.

    Example:
        >>> folders({"ravdess": "RAVDESS"})["ravdess"].name
        'RAVDESS'
    """
    _check_roots(roots)
    return {name: folder(name, root) for name, root in roots.items()}


def _check_roots(roots: Any) -> None:
    if not isinstance(roots, Mapping):
        raise CorpusError(f"Corpora are given as {{name: root}}. Received: {type(roots).__name__}.")


def _refuse_options(name: str, module, options: Mapping[str, Any]) -> None:
    allowed = list(inspect.signature(module.scan).parameters)[1:]
    unknown = [option for option in options if option not in allowed]
    if unknown:
        raise CorpusError(
            f"The corpus {name} takes {', '.join(allowed) or 'no options'}. Received: {', '.join(unknown)}."
        )


def _table(rows: list[dict]) -> "pd.DataFrame":
    import pandas as pd

    extra = [column for column in dict.fromkeys(key for row in rows for key in row) if column not in COLUMNS]
    # Object columns keep one dtype for text over all pandas versions, also where a whole column is missing.
    table = pd.DataFrame(rows, columns=[*COLUMNS, *extra], dtype=object)
    return table.astype({"start": "float64", "end": "float64"})
