"""From a finished run to what ships: float16 weights, their YAML entries, and the predictions behind the figures."""

import hashlib
import io
import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from serzoo import __version__, registry, zoo
from serzoo import config as configs
from serzoo.errors import RunError, WeightsError
from serzoo.evaluation import predictions, summarize
from serzoo.files import replace_file


def publish(run: str | Path, name: str, *, fold_weights: bool = True) -> list[Path]:
    """Publish a finished run under a name and tag.

    A run of protocol ``all`` gives the weights ``NAME.TAG``. A run of any other protocol gives the figure and, from its
    first seed, the weights of each fold, ``NAME.TAG-foldK``.

    Args:
        run: folder of the run.
        name: ``"NAME.TAG"``.
        fold_weights: whether to ship the weights of the folds, too.

    Returns:
        The files written or changed.

    Raises:
        RunError: if the run is not finished, or is one of another model.
        WeightsError: if a weight does not fit float16.

    Example:
        >>> publish("runs/a", "cnn_ablstm_mtl.ravdess8")  # doctest: +SKIP
    """
    run = Path(run)
    model, _, tag = name.partition(".")
    settings = configs.load(registry.check_name(model))
    if not tag:
        raise RunError(f"publish needs NAME.TAG, such as {model}.ravdess8. Received: {name!r}.")
    if not (run / "run.json").exists():
        raise RunError(f"{run} holds no run.")
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    if about["model"] != model:
        raise RunError(f"{run} is a run of {about['model']}, not of {model}.")
    figure = about["protocol"] != "all"
    cards = {path.parent: json.loads(path.read_text(encoding="utf-8")) for path in sorted(run.glob(f"*/{zoo.CARD}"))}
    if not cards or (figure and not (run / "report.json").exists()):
        raise RunError(f"{run} is not finished. serzoo train ... --resume goes on with it.")

    written, weights = [], {entry.tag: entry for entry in settings.weights}
    for folder, card in cards.items():
        if card["seed"] == about["seeds"][0] and (fold_weights or not figure):
            full_tag = tag if card["fold"] is None else f"{tag}-fold{card['fold']}"
            path = registry.weights_folder() / f"{model}.{full_tag}.weights.h5"
            data = in_float16(folder / zoo.FINAL_WEIGHTS)
            replace_file(path, data)
            written.append(path)
            weights[full_tag] = _weights_entry(full_tag, path.name, data, card, about)

    reported = {(entry.protocol, entry.tag): entry for entry in settings.reported}
    if figure:
        told = predictions.read(run)
        prefix = about["protocol"].partition("-")[0]
        variant = tag.removeprefix(prefix)  # "ravdess8-clean" has a file of its own beside "ravdess8"
        path = registry.configs_folder() / "reported" / f"{model}.{about['protocol']}{variant}.csv.gz"
        predictions.write(path, told)
        written.append(path)
        parameters = zoo.load(next(iter(cards))).count_params()
        reported[about["protocol"], tag] = _figure_entry(tag, path.name, told, about, parameters)

    path = registry.config_path(model)
    configs.replace_sections(path, weights=list(weights.values()), reported=list(reported.values()))
    return [*written, path]


def in_float16(path: Path) -> bytes:
    """Rewrite a ``.weights.h5`` file with its float32 arrays in float16; ``load_weights`` casts them back.

    Args:
        path: file from ``save_weights``.

    Returns:
        The bytes of the new file.

    Raises:
        WeightsError: if a value does not fit float16.
    """
    with h5py.File(io.BytesIO(path.read_bytes()), "r+") as file:
        arrays = []
        file.visititems(lambda name, item: arrays.append(name) if isinstance(item, h5py.Dataset) else None)
        half = io.BytesIO()
        with h5py.File(half, "w") as target:
            _copy_attributes(file, target)
            file.visititems(
                lambda name, item: _copy_attributes(item, target.create_group(name))
                if isinstance(item, h5py.Group)
                else None
            )
            for name in arrays:
                value = file[name][()]
                if value.dtype == np.float32:
                    with np.errstate(over="ignore"):
                        value = value.astype(np.float16)
                    if not np.isfinite(value).all():
                        raise WeightsError(f"{path}: {name} holds values that float16 cannot.")
                _copy_attributes(file[name], target.create_dataset(name, data=value))
        return half.getvalue()


def _copy_attributes(source, target):
    for key, value in source.attrs.items():
        target.attrs[key] = value


def _weights_entry(tag: str, file: str, data: bytes, card: Mapping, about: Mapping) -> dict:
    return {
        "tag": tag,
        "file": file,
        "sha256": hashlib.sha256(data).hexdigest(),
        "classes": card["heads"]["emotion"],
        "corpora": card["corpora"],
        "licence": card["licence"],
        "commercial": card["commercial"],
        "protocol": card["protocol"],
        "fold": card["fold"],
        "seed": card["seed"],
        "epochs": card["epochs"],
        "command": _command(about),
        "serzoo_version": __version__,
        "overrides": {key: value for key, value in about["overrides"].items() if not key.startswith("training.")},
    }


def _figure_entry(tag: str, file: str, told, about: Mapping, parameters: int) -> dict:
    summary = summarize(told)
    interval = {key: {k: round(summary[key][k], 4) for k in ("value", "ci_low", "ci_high")} for key in _METRICS}
    return {
        "protocol": about["protocol"],
        "tag": tag,
        "file": file,
        **interval,
        "fold_ua": {key: round(value, 4) for key, value in summary["fold_ua"].items()},
        "n": summary["n"],
        "speakers": summary["num_speakers"],
        "folds": summary["folds"],
        "seeds": summary["seeds"],
        "chance": round(summary["chance"], 4),
        "parameters": parameters,
        "command": _command(about),
    }


_METRICS = ("ua", "wa", "macro_f1")


def _command(about: Mapping) -> str:
    words = ["serzoo", "train", about["model"]]
    words += [word for corpus in about["corpora"] for word in ("--corpus", f"{corpus}=ROOT")]
    words += ["--protocol", about["protocol"], "--out", "RUN"]
    words += [word for seed in about["seeds"] for word in ("--seed", str(seed))]
    if about["protocol"] == "all":
        words += ["--epochs-from", "RUN-OF-" + about["classes_of"]]
    words += ["--init", about["init"]] if about["init"] else []
    words += [word for key, value in about["overrides"].items() for word in ("--set", f"{key}={json.dumps(value)}")]
    return shlex.join(words)
