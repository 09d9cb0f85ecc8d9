"""The texts of ``serzoo list`` and ``serzoo show``, from the YAML files alone."""

import fnmatch
from typing import TYPE_CHECKING, Any

from serzoo import registry, yaml_text
from serzoo.errors import unknown_name

if TYPE_CHECKING:
    from serzoo.config import Config

LISTING = ["NAME", "WEIGHTS", "LICENCE", "UA [95 % INTERVAL] PROTOCOL"]


def listing(pattern: str = "*", *, pretrained: bool = False, licence: str | None = None) -> list[list[str]]:
    """Rows of ``serzoo list``.

    Args:
        pattern: shell pattern for the name, or for ``name.tag``.
        pretrained: one row for each set of weights, those of single folds included; else one for each recipe.
        licence: as of :func:`serzoo.registry.list_models`.

    Returns:
        A row for each model and tag: name, tag, licence and figure.
    """
    rows = []
    wanted = set(registry.list_models(pattern, pretrained=True, licence=licence))
    for name in registry.names():
        entries = registry.raw_entries(name)
        kept = [entry for entry in entries["weights"] if f"{name}.{entry['tag']}" in wanted]
        for entry in kept:
            folds = [each["tag"] for each in kept if each["tag"].startswith(f"{entry['tag']}-fold")]
            if pretrained or entry.get("fold") is None:
                tag = f"{entry['tag']} (+{len(folds)} folds)" if folds and not pretrained else entry["tag"]
                rows.append([name, tag, str(entry.get("licence", "")), _figure(entry, entries["reported"])])
        if not entries["weights"] and not pretrained and licence is None and fnmatch.fnmatchcase(name, pattern):
            rows.append([name, "-", "-", "-"])
    return rows


def model_card(name: str) -> str:
    """The card of a model, or of one set of its weights.

    Args:
        name: name of a model, or ``name.tag``.

    Raises:
        UnknownNameError: if there is no such model or tag.
        ConfigError: if its YAML is not valid.
    """
    from serzoo import config as config_

    name, _, tag = name.partition(".")
    config = config_.load(name)
    if tag and tag not in (tags := [entry.tag for entry in config.weights]):
        raise unknown_name(f"weights of {name}", tag, tags)
    recipe = {key: config_.to_dict(config)[key] for key in ("frontend", "model", "heads", "augmentation", "training")}
    parts = [
        f"{config.name}\n{config.summary}",
        _section("Paper", [config.reference.title, *_doi(config), *(f"- {d}" for d in config.reference.deviations)]),
        _section("Weights", _weights(config, tag) or ["none ship with this version"]),
        _section("Figures", _figures(config, tag) or ["none published"]),
        _section("Recipe", yaml_text.dump(recipe).rstrip().splitlines()),
        "A score is no knowledge of what a person feels: use it for no decision about people.",
    ]
    return "\n\n".join(parts)


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _doi(config: "Config") -> list[str]:
    return [f"https://doi.org/{config.reference.doi}"] if config.reference.doi else []


def _weights(config: "Config", tag: str) -> list[str]:
    lines = []
    for entry in config.weights:
        if tag and entry.tag != tag:
            continue
        default = ", the default" if entry is config.default_weights else ""
        use = "any use" if entry.commercial else "no commercial use"
        trained = ", ".join(f"{corpus} ({len(speakers)} speakers)" for corpus, speakers in entry.corpora.items())
        lines += [
            f"{config.name}.{entry.tag}{default}",
            f"  licence   {entry.licence}: {use}",
            f"  classes   {', '.join(entry.classes)}",
            f"  trained   on {trained}; {entry.protocol}, seed {entry.seed}, {entry.epochs} epochs",
        ]
        if entry.fold is not None:
            lines.append(f"  fold      {entry.fold}: its test speakers were not heard")
        if tag:
            lines += [f"  speakers  {corpus}: {', '.join(who)}" for corpus, who in entry.corpora.items()]
            lines += [f"  sha256    {entry.sha256}"]
        lines.append(f"  made by   {entry.command}")
    return lines


def _figures(config: "Config", tag: str) -> list[str]:
    lines = []
    for each in config.reported:
        if tag and not (tag == each.tag or tag.startswith(f"{each.tag}-fold")):
            continue
        lines += [
            f"{each.protocol} ({each.tag})",
            f"  UA        {_interval(each.ua)}; over folds {each.fold_ua.mean:.3f} +- {each.fold_ua.std:.3f}",
            f"  WA        {_interval(each.wa)}",
            f"  macro F1  {_interval(each.macro_f1)}",
            f"  of        {each.n} clips, {each.speakers} speakers, {each.folds} folds, {each.seeds} seeds;"
            f" chance {each.chance:.3f}; {each.parameters} parameters",
            f"  made by   {each.command}",
        ]
    return lines


def _interval(figure: Any) -> str:
    return f"{figure.value:.3f} [{figure.ci_low:.3f}, {figure.ci_high:.3f}]"


def _figure(entry: dict[str, Any], reported: list[dict[str, Any]]) -> str:
    # A figure belongs to the recipe, so the weights of a fold have none of their own.
    texts = []
    for each in reported:
        if each["tag"] == entry["tag"] and isinstance(ua := each.get("ua"), dict):
            texts.append("{value:.3f} [{ci_low:.3f}, {ci_high:.3f}] ".format(**ua) + str(each.get("protocol", "")))
    return "; ".join(texts) or "-"
