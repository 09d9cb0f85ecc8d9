"""From a finished run to what ships: float16 weights, their YAML entries, and the predictions behind the figures."""

import hashlib
import io
import json
import math
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from serzoo import __version__, registry, zoo
from serzoo import config as configs
from serzoo.errors import RunError, WeightsError
from serzoo.evaluation import leaks, predictions, summarize
from serzoo.evaluation.adaptation import TRANSDUCTIVE
from serzoo.files import RECORDINGS, replace_file
from serzoo.training.recipe import differences, recipe, settings_of, start_of


def publish(run: str | Path, name: str, *, fold_weights: bool = True, replace: bool = False) -> list[Path]:
    """Publish a finished run under a name and tag.

    A run of protocol ``all`` gives the weights ``NAME.TAG``. A run of any other protocol gives the figure and, from its
    first seed, the weights of each fold, ``NAME.TAG-foldK``.

    Args:
        run: folder of the run.
        name: ``"NAME.TAG"``.
        fold_weights: whether to ship the weights of the folds, too.
        replace: whether to take the place of weights and figures that have this name and tag; those of folds that this
            run does not have, or does not ship, are removed.

    Returns:
        The files written or changed.

    Raises:
        RunError: if the run is not finished, or is one of another model or recipe than the YAML's; if the name is
            taken and ``replace`` is not set.
        WeightsError: if a weight does not fit float16.

    Example:
        >>> publish("runs/a", "cnn_ablstm_mtl.ravdess8")  # doctest: +SKIP
    """
    run = Path(run)
    model, tag, settings, about, cards = _opened(run, name)
    figure = about["protocol"] != "all"

    # all that can fail comes before the first file is replaced
    files: dict[Path, bytes] = {}
    new: dict[str, dict] = {}
    for folder, card in sorted(cards.items(), key=lambda pair: pair[1]["fold"] or 0):
        if card["seed"] == about["seeds"][0] and (fold_weights or not figure):
            full_tag = tag if card["fold"] is None else f"{tag}-fold{card['fold']}"
            file = f"{model}.{full_tag}.weights.h5"
            data = files[registry.weights_folder() / file] = in_float16(folder / zoo.FINAL_WEIGHTS)
            new[full_tag] = _weights_entry(full_tag, file, data, card, about)
    shipped = {entry.tag: entry for entry in settings.weights}
    same = {each for each, entry in shipped.items() if fold_weights or entry.protocol == about["protocol"]}
    folds = {each for each in same if each == f"{tag}-fold{shipped[each].fold}"}
    gone = folds.difference(new) if figure else set()
    taken = [*shipped.keys() & new, *gone]
    if figure and _published(settings, about, tag):
        taken.append(f"the figure on {about['protocol']}")
    elif figure and (other := [each.tag for each in settings.reported if each.file == _file_of(about, tag)]):
        raise RunError(f"{name} would be kept in the file of {model}.{other[0]}. Choose another tag.")
    if taken and not replace:
        named = ", ".join(sorted(taken))
        raise RunError(f"{name} is published already: {named}. Choose another tag, or take its place with --replace.")
    weights = {each: entry for each, entry in shipped.items() if each not in gone} | new
    told = predictions.read(run) if figure else None
    parameters = _parameters(cards) if figure else None
    written = _write(run, settings, about, tag, told, parameters, list(weights.values()), files)
    for each in gone:
        (registry.weights_folder() / shipped[each].file).unlink(missing_ok=True)
    return written


def add_seeds(run: str | Path, name: str) -> list[Path]:
    """Judge a published figure anew, by its own seeds and those of a further run; weights stay as they are.

    The run must have been made by the same command but for its seeds, have as many parameters and have judged the same
    clips. What a command does not tell, such as which noise lay in a folder, is not compared.

    Args:
        run: folder of a finished run that differs from the published one in its seeds alone.
        name: ``"NAME.TAG"`` of the figure.

    Returns:
        The files written or changed.

    Raises:
        RunError: if the run is not finished, or is one of another model or recipe than the YAML's; if no such figure
            is published, or it was made by another command, on other clips or with the same seeds.

    Example:
        >>> add_seeds("runs/seed-2", "cnn_ablstm_mtl.ravdess8")  # doctest: +SKIP
    """
    run = Path(run)
    _, tag, settings, about, cards = _opened(run, name)
    entry = _published(settings, about, tag)
    if entry is None:
        raise RunError(f"{name} has no published figure on {about['protocol']} to which seeds can be added.")
    before, more = predictions.read(registry.configs_folder() / "reported" / entry.file), predictions.read(run)
    seeds = before["seed"].unique().tolist()  # the weights are those of the first
    if twice := [str(seed) for seed in about["seeds"] if seed in seeds]:
        raise RunError(
            f"{name} has seed {', '.join(twice)} already. Train with other seeds alone, or publish a run that has all "
            "of them with --replace."
        )
    if (command := _command(about | {"seeds": []})) != re.sub(" --seed [0-9]+", "", entry.command):
        raise RunError(f"{name} was made by: {entry.command}. Received a run of: {command}.")
    if (count := _parameters(cards)) != entry.parameters:
        raise RunError(f"{name} has {entry.parameters} parameters. Received a run of a network with {count}.")
    clips = [{*told[_CLIP].astype(str).itertuples(index=False, name=None)} for told in (before, more)]
    if clips[0] != clips[1]:
        raise RunError(f"{run} judged other clips, truths or folds than {name}: {len(clips[0] ^ clips[1])} differ.")
    both = pd.concat([before, more], ignore_index=True)
    return _write(run, settings, about | {"seeds": [*seeds, *about["seeds"]]}, tag, both, count, settings.weights, {})


_CLIP = ["corpus", "file", "start", "end", "fold", "truth"]


def _opened(run: Path, name: str):
    """Model, tag, its config, and what was run, of a finished run that may be published."""
    model, _, tag = name.partition(".")
    settings = configs.load(registry.check_name(model))
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", tag):
        raise RunError(
            f"publish needs NAME.TAG, such as {model}.ravdess8, the tag of a-z, 0-9, _ and -. Received: {name}."
        )
    if not (run / "run.json").exists():
        raise RunError(f"{run} holds no run.")
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    if about["model"] != model:
        raise RunError(f"{run} is a run of {about['model']}, not of {model}.")
    cards = {path.parent: json.loads(path.read_text(encoding="utf-8")) for path in sorted(run.glob(f"*/{zoo.CARD}"))}
    if not cards or (about["protocol"] != "all" and not _judged_whole(run, about)):
        raise RunError(f"{run} is not finished. serzoo train ... --resume goes on with it.")
    if leaky := [folder.name for folder, card in cards.items() if card.get("leak")]:
        raise RunError(f"{run} cannot be published: speakers or recordings were shared in {', '.join(leaky)}.")
    there = configs.load(run / "config.yaml")
    if found := differences(recipe(there), recipe(configs.override(settings, about["overrides"]))):
        raise RunError(f"{run} was not made with today's {model}.yaml and its own overrides: {'; '.join(found)}.")
    return model, tag, settings, about, cards


def _judged_whole(run: Path, about: Mapping) -> bool:
    report = run / "report.json"
    return report.is_file() and json.loads(report.read_text(encoding="utf-8"))["seeds"] == len(about["seeds"])


def _published(settings, about: Mapping, tag: str):
    return next((entry for entry in settings.reported if (entry.protocol, entry.tag) == (about["protocol"], tag)), None)


def _parameters(cards: Mapping[Path, Mapping]) -> int:
    return zoo.load(next(iter(cards))).count_params()


def _write(run, settings, about, tag, told, parameters, weights, files: Mapping[Path, bytes]) -> list[Path]:
    """Write weights, the predictions ``told`` behind a figure, if there is one, and last the YAML that names them."""
    model, protocol = about["model"], about["protocol"]
    reported = {(entry.protocol, entry.tag): entry for entry in settings.reported}
    if told is not None:
        file = _file_of(about, tag)
        reported[protocol, tag] = _figure_entry(tag, file, told, about, parameters)
    config = registry.config_path(model)
    text = configs.with_sections(config, weights=weights, reported=list(reported.values()))

    for path, data in files.items():
        replace_file(path, data)
    written = [*files, *leaks.publish_recordings(run / RECORDINGS)]
    if told is not None:
        written.append(registry.configs_folder() / "reported" / file)
        predictions.write(written[-1], told)
    replace_file(config, text.encode())
    return [*written, config]


def _file_of(about: Mapping, tag: str) -> str:
    """The file of the predictions behind a figure."""
    # the plain tag of a protocol needs no mention: "ravdess8" of "ravdess8-5fold"; "ravdess8-clean" is a variant
    plain = about["protocol"].partition("-")[0]
    variant = "" if tag == plain else f"-{tag.removeprefix(f'{plain}-')}"
    return f"{about['model']}.{about['protocol'].replace(':', '-')}{variant}.csv.gz"


def in_float16(path: Path) -> bytes:
    """Rewrite a ``.weights.h5`` file with its float32 arrays in float16; ``load_weights`` casts them back.

    Args:
        path: file from ``save_weights``.

    Returns:
        The bytes of the new file.

    Raises:
        WeightsError: if a value does not fit float16.
    """
    half = io.BytesIO()
    with h5py.File(path, "r") as source, h5py.File(half, "w") as target:

        def copy(name: str, item):
            if isinstance(item, h5py.Group):
                made = target.require_group(name)
            else:
                made = target.create_dataset(name, data=_half(item[()], f"{path}: {name}"))
            made.attrs.update(item.attrs)

        target.attrs.update(source.attrs)
        source.visititems(copy)
    return half.getvalue()


def _half(value: np.ndarray, name: str) -> np.ndarray:
    if value.dtype != np.float32:
        return value
    with np.errstate(over="ignore"):
        value = value.astype(np.float16)
    if not np.isfinite(value).all():
        raise WeightsError(f"{name} holds values that float16 cannot.")
    return value


def _weights_entry(tag: str, file: str, data: bytes, card: Mapping, about: Mapping) -> dict:
    return {
        "tag": tag,
        "file": file,
        "sha256": hashlib.sha256(data).hexdigest(),
        "classes": card["heads"]["emotion"],
        **({"noise": card["heads"]["noise"]} if "noise" in card["heads"] else {}),
        **({"noise_heard": card["noise"]} if "noise" in card else {}),
        **({"rooms": card["rooms"]} if "rooms" in card else {}),
        "corpora": {corpus: speakers for corpus, speakers in card["corpora"].items() if corpus != leaks.FOLDER},
        "licence": card["licence"],
        "commercial": bool(card["commercial"]),
        "protocol": card["protocol"],
        "fold": card["fold"],
        "seed": card["seed"],
        "epochs": card["epochs"],
        "temperature": card.get("temperature"),
        **({"adaptation": card["adaptation"]} if "adaptation" in card else {}),
        "command": _command(about),
        "serzoo_version": __version__,
        "overrides": {key: value for key, value in about["overrides"].items() if not key.startswith("training.")},
    }


def fold_ua(summary: Mapping) -> dict[str, float | None]:
    """Mean and deviation over folds as the YAML keeps them, of what :func:`serzoo.evaluation.summarize` gave."""
    found = {key: round(summary["fold_ua"][key], 4) for key in ("mean", "std")}
    return {key: None if math.isnan(value) else value for key, value in found.items()}


def _figure_entry(tag: str, file: str, told, about: Mapping, parameters: int) -> dict:
    summary = summarize(told)
    interval = {key: {k: round(summary[key][k], 4) for k in ("value", "ci_low", "ci_high")} for key in _METRICS}
    return {
        "protocol": about["protocol"],
        "tag": tag,
        "file": file,
        **interval,
        "fold_ua": fold_ua(summary),
        "n": summary["n"],
        "speakers": summary["num_speakers"],
        "folds": summary["folds"],
        "seeds": summary["seeds"],
        "chance": round(summary["chance"], 4),
        "parameters": parameters,
        **({"notes": summary["notes"]} if summary["notes"] else {}),
        "command": _command(about),
    }


_METRICS = ("ua", "wa", "macro_f1")


def _command(about: Mapping) -> str:
    given = {**about, **about.get("order", {})}  # a run of an older version tells no order
    words = ["serzoo", "train", about["model"]]
    words += [word for corpus in given["corpora"] for word in ("--corpus", f"{corpus}=ROOT")]
    words += [word for corpus in given.get("noise") or () for word in ("--noise", f"{corpus}=ROOT")]
    words += ["--rooms", "ROOMS"] if about.get("rooms") else []
    streams = [f"{stream}:{corpus}=ROOT" for stream, each in given.get("streams", {}).items() for corpus in each]
    words += [word for stream in streams for word in ("--stream", stream)]
    words += ["--partial"] if about.get("partial") else []
    words += ["--transductive"] if about.get("adaptation") == TRANSDUCTIVE else []
    words += ["--protocol", about["protocol"], "--out", "RUN"]
    words += [word for seed in about["seeds"] for word in ("--seed", str(seed))]
    if about["protocol"] == "all":
        words += ["--epochs-from", "RUN-OF-" + about["classes_of"]]
    words += ["--init", start_of(about["init"])] if about["init"] else []
    words += [word for setting in settings_of(about["overrides"]) for word in ("--set", setting)]
    return shlex.join(words)
