"""What a run was made of: the sound, the versions and the commit."""

import hashlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from serzoo import __version__

LABELS = ("emotion", "gender", "speaker")


def fingerprints(table: pd.DataFrame, roots: Mapping[str, str | Path], labels: Iterable[str] = LABELS) -> dict:
    """Number of rows of each corpus, and a hash over file names, sizes and labels.

    Args:
        table: rows, as from :func:`serzoo.corpora.read_many`.
        roots: folder of each corpus.
        labels: columns to count in.

    Returns:
        ``{"rows": ..., "sha256": ...}`` by corpus.
    """
    return {corpus: _fingerprint(rows, roots[corpus], list(labels)) for corpus, rows in table.groupby("corpus")}


def _fingerprint(rows: pd.DataFrame, root: str | Path, labels: list[str]) -> dict:
    digest = hashlib.sha256()
    for row in rows.sort_values(["file", "start"]).itertuples():
        digest.update(f"{row.file}|{(Path(root) / row.file).stat().st_size}|{row.start}|{row.end}".encode())
        digest.update(f"|{'|'.join(str(getattr(row, label)) for label in labels)}\n".encode())
    return {"rows": len(rows), "sha256": digest.hexdigest()}


def allows_commercial_use(licences: Iterable[str]) -> bool:
    """Tell whether weights that were trained under these licences may serve any purpose.

    Only a public licence that says so counts: not one without its name, such as "free for research".

    Args:
        licences: SPDX names, or what else stands in the place of one.

    Example:
        >>> allows_commercial_use(["CC0-1.0"]), allows_commercial_use(["CC0-1.0", "free for research"])
        (True, False)
    """
    return all(licence.startswith(("CC0-", "CC-BY-", "ODbL-")) and "-NC" not in licence for licence in licences)


def versions() -> dict[str, str]:
    """Versions of serzoo, Python and the packages that make the numbers."""
    found = {"serzoo": __version__, "python": platform.python_version()}
    for package in ("keras", "tensorflow", "jax", "numpy", "soundfile"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """Commit of the checkout that serzoo runs from, marked ``+`` if it was changed; None outside one."""
    try:
        # an installed serzoo may lie in somebody else's repository, which does not track it
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("rev-parse", "HEAD") + ("+" if _git("status", "--porcelain", "--", "..") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
