"""A noise curve as Markdown, for a README, and as a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

from serzoo.evaluation.bootstrap import caution
from serzoo.evaluation.figures import markdown, percent
from serzoo.evaluation.plots import INK, SOFT_INK, figure_of, png


def markdown_of(found: Mapping[str, Any]) -> str:
    """Write the tables of a noise curve.

    Args:
        found: from :func:`serzoo.evaluation.noise_curve.noise_curve`.

    Returns:
        Markdown: UA by ratio for each pool of noise, differences over all ratios, UA by gender, recognition of noise.
    """
    first, curves = found["rows"][0], _curves(found["rows"])
    text = [
        f"UA in %, {first['n']} clips of {first['num_speakers']} speakers whom the weights never heard, chance "
        f"{100 * first['chance']:.1f}. Intervals (95 %) are over speakers; every model hears the same noise. "
        "Differences are paired.",
    ]
    few = caution(first["num_speakers"])
    text += [f"Warning: {few}."] if few else []
    by_gender = dict.fromkeys(key for row in found["rows"] for key in row if key.startswith("ua_"))
    for pool, about in found["pools"].items():
        lines = {model: [*by_pool["clean"], *by_pool[pool]] for model, by_pool in curves.items()}
        titles = list(map(_title, next(iter(lines.values()))))
        body = [[model, *map(percent, _uas(line)), f"{line[-1]['parameters']:,}"] for model, line in lines.items()]
        text += [
            f"Noise of {pool} ({', '.join(about['types'])}):",
            markdown(["model", *titles, "parameters to the emotion"], body),
        ]
        for other in found["against"]:
            body = [
                [model, *(percent(row["differences"][other], "+") for row in line)]
                for model, line in lines.items()
                if model != other
            ]
            text += [f"The same, minus {other}:", markdown(["model", *titles], body)] if body else []
            left_out = {model: line[0].get("unpaired", {}).get(other, 0) for model, line in lines.items()}
            text += [f"- {model}: {n} clips without a partner left out" for model, n in left_out.items() if n]
        head = ["model", *(f"{key.removeprefix('ua_')}, {title}" for key in by_gender for title in ("clean", "noise"))]
        body = [
            [
                model,
                *(f"{100 * row[key]:.1f}" if key in row else "" for key in by_gender for row in (line[0], line[-1])),
            ]
            for model, line in lines.items()
        ]
        text += [f"UA by gender, clean and over all ratios of the noise of {pool}:", markdown(head, body)]
    if found["recognition"]:
        ratios = list(next(iter(found["recognition"].values())))
        body = [[model, *(f"{100 * each[key]:.1f}" for key in ratios)] for model, each in found["recognition"].items()]
        text += ["Recognition of noise by segment (each type, clean, noise alone), UA in %:"]
        text += [markdown(["model", *ratios], body)]
    return "\n\n".join(text) + "\n"


def png_of(found: Mapping[str, Any]) -> bytes:
    """Draw UA over the ratio, one panel for each pool of noise, the clean sound at the left.

    Args:
        found: as of :func:`markdown_of`.

    Returns:
        A PNG file.
    """
    pools, curves = list(found["pools"]), _curves(found["rows"])
    figure = figure_of(6.0 * len(pools), 4.8)
    panels = figure.subplots(1, len(pools), squeeze=False, sharey=True)[0]
    for panel, pool in zip(panels, pools, strict=True):
        for number, (model, by_pool) in enumerate(curves.items()):
            line = [row for row in (*by_pool["clean"], *by_pool[pool]) if row["snr_db"] != "mean"]
            x, colour = range(len(line)), f"C{number % 10}"
            panel.plot(x, [100 * row["ua"] for row in line], "o-", color=colour, markersize=4, label=model)
            if model in found["against"]:
                low, high = ([100 * row[key] for row in line] for key in ("ci_low", "ci_high"))
                panel.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
            panel.set_xticks(list(x), map(_title, line))
        panel.axhline(100 * found["rows"][0]["chance"], color=SOFT_INK, linestyle="--", linewidth=1)
        panel.set_title(f"noise of {pool}", loc="left", fontsize=11, color=INK)
        panel.grid(color="#e3e8ed")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("UA in %, dashed: chance", color=SOFT_INK)
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, fontsize=8, frameon=False, loc="outside lower center", ncols=3)
    return png(figure)


def _curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list]]:
    """Sort the rows by model and noise."""
    curves: dict[str, dict[str, list]] = {}
    for row in rows:
        curves.setdefault(row["model"], {}).setdefault(row["noise"], []).append(row)
    return curves


def _title(row: Mapping[str, Any]) -> str:
    ratio = row["snr_db"]
    return row["noise"] if ratio is None else str(ratio) if isinstance(ratio, str) else f"{ratio:g} dB"


def _uas(line: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    return [{"value": row["ua"], "ci_low": row["ci_low"], "ci_high": row["ci_high"]} for row in line]
