"""What can be judged: one model, the weights of every fold of a protocol, or predictions that were made elsewhere."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from serzoo import config as configs
from serzoo import registry
from serzoo.errors import RunError, unknown_name
from serzoo.evaluation import leaks
from serzoo.evaluation import predictions as tables
from serzoo.files import CARD

FOLDS = "-folds"


@dataclass(frozen=True)
class Network:
    """One network: how to open it, and the fold of the protocol whose test speakers it may judge."""

    open: Callable[[], Any] = field(repr=False)
    fold: int | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Judged:
    """What :func:`judged` found.

    Args:
        name: what to call it.
        networks: one, or one for each fold and seed; empty for predictions.
        protocol: that of the folds, if there are any.
        recordings: list of what was trained on, if it lies beside the weights.
        predictions: a table that was made elsewhere.
    """

    name: str
    networks: tuple[Network, ...] = ()
    protocol: str | None = None
    recordings: Path | None = None
    predictions: pd.DataFrame | None = None


def judged(source: Any) -> Judged:
    """Find out what stands behind a name, path or object.

    Args:
        source: an object with ``heads, classes, card, training_speakers, predict_on_batch``, such as a classifier; what
            :func:`serzoo.load` takes; ``"NAME.TAG-folds"`` for the shipped weights of all folds; the folder of a run
            with any number of folds and seeds; a file of predictions.

    Returns:
        The networks, which are opened one by one, or the predictions.

    Raises:
        UnknownNameError: if no model or weights have this name.
        MissingFileError: if there is no such file or folder.
        RunError: if a folder holds no trained fold.

    Example:
        >>> found = judged("cnn_ablstm_mtl.ravdess8-folds")
        >>> found.protocol, [network.fold for network in found.networks]
        ('ravdess8-5fold', [0, 1, 2, 3, 4])
    """
    if not isinstance(source, (str, os.PathLike)):
        return Judged(full_name(source), (Network(lambda: source),))
    text, path = os.fspath(source), Path(source)
    if text.endswith((".csv", ".csv.gz")):
        return Judged(path.name, predictions=tables.read(path))
    if text.endswith(FOLDS) and not path.is_dir():
        return _shipped_folds(text.removesuffix(FOLDS))
    if path.is_dir() and not (path / CARD).is_file() and (cards := _cards(path)):
        return _run(path, cards)
    return Judged(text, (Network(lambda: _load(source)),), recordings=leaks.beside(source))


def full_name(model: Any) -> str:
    """Name a model with its tag, and with the denoiser that was put before it.

    Example:
        >>> import types
        >>> full_name(types.SimpleNamespace(full_name="cnn_ablstm.ravdess8", card={"denoise": "wavelet_shrinkage"}))
        'cnn_ablstm.ravdess8 behind wavelet_shrinkage'
    """
    full = str(getattr(model, "full_name", None) or getattr(model, "name", None) or type(model).__name__)
    denoiser = (getattr(model, "card", None) or {}).get("denoise")
    return f"{full} behind {denoiser}" if denoiser else full


def _shipped_folds(text: str) -> Judged:
    name, _, tag = text.partition(".")
    entries = configs.load(registry.check_name(name)).weights
    found = sorted((e for e in entries if e.fold is not None and e.tag == f"{tag}-fold{e.fold}"), key=lambda e: e.fold)
    if not found:
        with_folds = {entry.tag.rpartition("-fold")[0] + FOLDS for entry in entries if entry.fold is not None}
        raise unknown_name(f"fold weights of {name}", tag + FOLDS, with_folds)
    networks = tuple(Network(lambda e=e: _load(f"{name}.{e.tag}"), e.fold, e.seed) for e in found)
    return Judged(f"{text}{FOLDS}", networks, found[0].protocol)


def _run(path: Path, cards: Mapping[Path, Mapping]) -> Judged:
    if any(card.get("pretrained") for card in cards.values()):
        raise RunError(
            f"{path} was pre-trained without labels: nothing can be judged before a training starts from it."
        )
    protocols = {card.get("protocol") for card in cards.values()}
    if len(protocols) != 1:
        raise RunError(f"{path} must be one run. Received trained folds of {', '.join(sorted(map(str, protocols)))}.")
    networks = tuple(Network(lambda f=folder: _load(f), card["fold"], card["seed"]) for folder, card in cards.items())
    of_folds = all(network.fold is not None for network in networks)
    return Judged(path.resolve().name, networks, protocols.pop() if of_folds else None, leaks.beside(path))


def _cards(path: Path) -> dict[Path, dict]:
    found = {}
    for card in path.glob(f"*/{CARD}"):
        try:
            found[card.parent] = json.loads(card.read_text(encoding="utf-8"))
            found[card.parent]["fold"], found[card.parent]["seed"]
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{card} is not the card of a trained fold: {error!r}.") from error
    return dict(sorted(found.items(), key=lambda pair: (pair[1]["seed"], pair[1]["fold"] or 0)))


def _load(source: str | os.PathLike) -> Any:
    from serzoo import zoo

    return zoo.load(source)
