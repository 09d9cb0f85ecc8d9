"""What a run was made with: versions and commit, and what its licences allow."""

import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from serzoo import __version__
from serzoo.corpora import OWN_LICENCE


def allows_commercial_use(licences: Iterable[str]) -> bool | None:
    """Tell whether weights that were trained under these licences may serve any purpose.

    Only a public licence that says so counts: not one without its name, such as "free for research".

    Args:
        licences: SPDX names, or what else stands in the place of one.

    Returns:
        None where nothing stands against it but recordings whose owner decides.

    Example:
        >>> allows_commercial_use(["CC0-1.0"]), allows_commercial_use(["CC0-1.0", "free for research"])
        (True, False)
    """
    found = set(licences)
    named = found - {OWN_LICENCE}
    if not all(licence.startswith(("CC0-", "CC-BY-", "ODbL-")) and "-NC" not in licence for licence in named):
        return False
    return True if named == found else None


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
