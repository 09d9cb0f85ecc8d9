"""One picture for each part of an audit: dots with their intervals, and a matrix for corpora."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serzoo.evaluation.figures import percent
from serzoo.evaluation.plots import INK, SOFT_INK, figure_of, png

_BLUE, _ORANGE, _GREY = "#0f4c81", "#c8641b", "#9aa7b4"


def of_audit(found: Mapping[str, Any]) -> dict[str, bytes]:
    """Draw what an audit found.

    Args:
        found: what :func:`serzoo.audit` gave.

    Returns:
        PNG files by part, with a panel for each model.
    """
    made = {}
    for part, draw in _DRAW.items():
        if found.get(part):
            made[part] = draw(found[part])
    return made


def _gender(results: Mapping[str, Any]) -> bytes:
    figure, axes = _panels(len(results), _height(max(len(result["classes"]) for result in results.values()) + 1))
    for panel, (name, result) in zip(axes, results.items(), strict=True):
        names = ["UA", *result["classes"]]
        for gender, colour, shift in (("female", _ORANGE, -0.14), ("male", _BLUE, 0.14)):
            by_class = result["recall"][gender]
            dots = [result["ua"][gender], *(by_class[label] for label in result["classes"])]
            _dots(panel, dots, colour, {"female": "women", "male": "men"}[gender], shift)
        _finish(panel, names, f"{name}: recall, %", (0, 100))
        panel.legend(frameon=False, fontsize=9)
    return png(figure)


def _leakage(results: Mapping[str, Any]) -> bytes:
    figure, axes = _panels(len(results), _height(max(len(result["probes"]) for result in results.values())))
    for panel, (name, result) in zip(axes, results.items(), strict=True):
        names = [f"{each['layer']}: {each['label']}, {each['probe']}" for each in result["probes"]]
        _dots(panel, [each["ua"] for each in result["probes"]], _BLUE, "true labels")
        highest = [100 * each["shuffled"]["highest"] for each in result["probes"]]
        panel.plot(highest, range(len(highest)), "|", color=_ORANGE, markersize=12, label="best on shuffled labels")
        _finish(panel, names, f"{name}: UA of probes, %", (0, 102))
        panel.legend(frameon=False, fontsize=9)
    return png(figure)


def _transfer(results: Mapping[str, Any]) -> bytes:
    figure, axes = _panels(len(results), _height(max(len(result["speakers"]) for result in results.values()), 0.2))
    for panel, (name, result) in zip(axes, results.items(), strict=True):
        change = [100 * each["difference"] for each in result["speakers"]]
        colours = [_ORANGE if value < 0 else _BLUE for value in change]
        panel.barh(range(len(change)), change, color=colours, height=0.7)
        ua = result["difference"]["ua"]
        if np.isfinite(ua["ci_low"]):
            panel.axvspan(
                100 * ua["ci_low"], 100 * ua["ci_high"], color=_GREY, alpha=0.3, lw=0, zorder=0, label="interval of UA"
            )
            panel.legend(frameon=False, fontsize=9)
        panel.axvline(0, color=SOFT_INK, lw=1)
        names = [f"{each['corpus']} {each['speaker']}" for each in result["speakers"]]
        title = f"{name} minus {result['control']}: {result['verdict']}\nUA of each speaker, points"
        _finish(panel, names, title, None)
    return png(figure)


def _robustness(results: Mapping[str, Any]) -> bytes:
    figure, axes = _panels(len(results), _height(max(len(result["conditions"]) for result in results.values()), 0.22))
    for panel, (name, result) in zip(axes, results.items(), strict=True):
        _dots(panel, [each["fall"] for each in result["conditions"]], _BLUE, "")
        panel.axvline(0, color=SOFT_INK, lw=1)
        title = f"{name}: UA against clean ({100 * result['clean']['value']:.1f} %), points"
        _finish(panel, [each["condition"] for each in result["conditions"]], title, None)
    return png(figure)


def _cross(result: Mapping[str, Any]) -> bytes:
    models = list(dict.fromkeys(cell["model"] for cell in result["cells"]))
    figure, (panel,) = _panels(1, 1.6 + 0.8 * len(models))
    shares = np.full((len(models), len(result["corpora"])), np.nan)
    for cell in result["cells"]:
        row, column, ua = models.index(cell["model"]), result["corpora"].index(cell["corpus"]), cell["ua"]
        shares[row, column] = ua["value"]
        text = percent(ua).replace(" ", "\n", 1)
        panel.text(column, row, text, ha="center", va="center", color="white" if ua["value"] > 0.6 else INK)
    panel.imshow(shares, cmap="Blues", vmin=result["chance"], vmax=1, aspect="auto")
    panel.set_xticks(range(len(result["corpora"])), [f"on {corpus}" for corpus in result["corpora"]])
    panel.set_yticks(range(len(models)), models)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.set_title(f"UA of {', '.join(result['classes'])}, %", loc="left", fontsize=11, color=INK)
    return png(figure)


_DRAW = {
    "gender": _gender,
    "leakage": _leakage,
    "transfer": _transfer,
    "robustness": _robustness,
    "cross_corpus": _cross,
}


def _height(num_rows: int, each: float = 0.36) -> float:
    return 1.3 + each * num_rows


def _panels(count: int, height: float) -> tuple[Any, Sequence[Any]]:
    figure = figure_of(8, height * count)
    return figure, figure.subplots(count, 1, squeeze=False)[:, 0]


def _dots(panel: Any, entries: Sequence[Mapping[str, float]], colour: str, label: str, shift: float = 0.0) -> None:
    value, low, high = (np.array([100 * entry[key] for entry in entries]) for key in ("value", "ci_low", "ci_high"))
    place = np.arange(len(entries)) + shift
    panel.hlines(place, low, high, color=colour, lw=2)
    panel.plot(value, place, "o", color=colour, markersize=5, label=label or None)


def _finish(panel: Any, names: Sequence[str], title: str, limits: tuple[float, float] | None) -> None:
    panel.set_yticks(range(len(names)), names, fontsize=9)
    panel.set_ylim(len(names) - 0.4, -0.6)
    if limits:
        panel.set_xlim(*limits)
    panel.grid(axis="x", color="#e3e8ed")
    panel.set_axisbelow(True)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.set_title(title, loc="left", fontsize=11, color=INK)
