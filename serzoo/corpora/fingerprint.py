"""Whether two copies of a corpus are the same, without decoding them."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LABELS = ("emotion", "gender", "speaker")


def fingerprints(table: "pd.DataFrame", roots: Mapping[str, str | Path], labels: Iterable[str] = LABELS) -> dict:
    """Number of rows of each corpus, and a hash over file names, sizes and labels.

    Args:
        table: rows, as from :func:`serzoo.corpora.read_many`.
        roots: folder of each corpus.
        labels: columns to count in.

    Returns:
        ``{"rows": ..., "sha256": ...}`` by corpus.
    """
    return {corpus: _fingerprint(rows, roots[corpus], list(labels)) for corpus, rows in table.groupby("corpus")}


def _fingerprint(rows: "pd.DataFrame", root: str | Path, labels: list[str]) -> dict:
    digest = hashlib.sha256()
    for row in rows.sort_values(["file", "start"]).itertuples():
        digest.update(f"{row.file}|{(Path(root) / row.file).stat().st_size}|{row.start}|{row.end}".encode())
        digest.update(f"|{'|'.join(str(getattr(row, label)) for label in labels)}\n".encode())
    return {"rows": len(rows), "sha256": digest.hexdigest()}
