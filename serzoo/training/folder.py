"""The folder of a run: opened once, or again to go on, and never with half a file in it."""

import contextlib
import fnmatch
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from serzoo import config as configs
from serzoo.errors import RunError, SerzooError
from serzoo.files import RECORD, replace_file, to_json
from serzoo.training import provenance
from serzoo.training.recipe import differences, recipe

_PARTIAL = ".*.partial*"
_STALE_S = 3600.0


def open_run(out: Path, config, about: Mapping, dropped: Mapping, resume: bool) -> None:
    """Start a run folder, or check that an existing one is the same run, to which seeds may be added.

    Args:
        out: the folder.
        config: the config of the run.
        about: what is run, on what; written to ``run.json`` beside the versions that it is run with.
        dropped: rows that were left out, by reason.
        resume: whether to go on with a run.

    Raises:
        RunError: if the folder holds something else, or a run and ``resume`` is not set, or another run.
    """
    record = out / RECORD
    if not record.exists():
        # of a run that was killed before it had a record, or that another process begins, there is only its config
        if out.exists() and (not out.is_dir() or not all(resume and _of_a_start(path) for path in out.iterdir())):
            raise RunError(f"{out} exists and holds no run. Choose another folder.")
        replace_file(out / "config.yaml", configs.dump(config).encode())
        made_with = {"git_commit": provenance.git_commit(), "versions": provenance.versions()}
        replace_file(record, to_json({**about, "dropped": dropped, **made_with, "backend": keras.backend.backend()}))
        return
    if not resume:
        raise RunError(f"{out} holds a run. Add --resume to go on with it, or choose another folder.")
    before = record_of(out)
    wanted = json.loads(to_json(about))
    there = {key: before.get(key) for key in wanted}
    for about_it in (there, wanted):
        about_it["name"] = about_it.pop("model")  # "model" is a section of the recipe
        del about_it["overrides"]  # they stand in the recipe
        about_it.pop("partial", None)  # what was read has its fingerprint
        if not before.get("order"):  # as in a run of an older version
            about_it.pop("order", None)
    seeds = there.get("seeds")
    more = seeds and wanted["seeds"] != seeds and wanted["seeds"][: len(seeds)] == seeds
    if more:
        there["seeds"] = wanted["seeds"]
    if found := differences(there | recipe(configs.load(out / "config.yaml")), wanted | recipe(config)):
        raise RunError(
            f"{out} holds another run: {'; '.join(found)}. Repeat the options of that one, or choose another folder."
        )
    if more:
        for name in ("predictions.csv", "report.json"):  # they judge the seeds of before
            (out / name).unlink(missing_ok=True)
        replace_file(record, to_json({**before, "seeds": wanted["seeds"]}))
    sweep(out, _STALE_S)


def record_of(out: Path) -> dict[str, Any]:
    """What is run in a folder, as ``run.json`` tells it."""
    return json.loads((out / RECORD).read_text(encoding="utf-8"))


@contextlib.contextmanager
def resumable(out: Path) -> Iterator[None]:
    """Say of a full disk, or a file that went away, that ``--resume`` goes on: context manager.

    Raises:
        RunError: in the place of an OSError.
    """
    try:
        yield
    except SerzooError:  # some of them are an OSError, too
        raise
    except OSError as error:
        raise RunError(f"The work in {out} stopped: {error}. Once this is mended, --resume goes on with it.") from error


def sweep(folder: Path, older_than_s: float = 0.0) -> None:
    """Remove what a process left in a folder that was killed while it wrote.

    Args:
        folder: the folder.
        older_than_s: age that it must have, where another process may be writing.
    """
    for leftover in folder.glob(_PARTIAL):
        with contextlib.suppress(FileNotFoundError):  # it has just got its name
            if time.time() - leftover.stat().st_mtime >= older_than_s:
                leftover.unlink()


def _of_a_start(path: Path) -> bool:
    return path.name == "config.yaml" or fnmatch.fnmatch(path.name, _PARTIAL)


def save_weights(model: keras.Model, path: Path) -> None:
    """Write aside and rename; Keras writes to no stream, and only under a name that ends with .weights.h5."""
    aside = path.with_name(f".{path.name}.partial.weights.h5")
    try:
        model.save_weights(aside)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
