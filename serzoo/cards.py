"""The texts of ``serzoo list`` and ``serzoo show``, from the YAML files alone."""

import fnmatch
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from serzoo import registry, yaml_text
from serzoo.errors import unknown_name

if TYPE_CHECKING:
    from serzoo.config import Config

_RECIPE = ("frontend", "model", "heads", "objectives", "streams", "augmentation", "pretraining", "training")
LISTING = ["NAME", "WEIGHTS", "LICENCE", "UA [95 % INTERVAL] PROTOCOL"]
_NO_KNOWLEDGE = "a score is no knowledge of what a person feels: use it for no decision about people"


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
    for name in registry.names():
        entries = registry.raw_entries(name)
        kept = registry.matching(name, entries["weights"], pattern, licence)
        for entry in kept:
            folds = [each["tag"] for each in kept if each["tag"].startswith(f"{entry['tag']}-fold")]
            if pretrained or entry.get("fold") is None:
                tag = f"{entry['tag']} (+{len(folds)} folds)" if folds and not pretrained else entry["tag"]
                rows.append([name, tag, str(entry.get("licence", "")), _figure(entry, entries["reported"])])
        if not entries["weights"] and not pretrained and licence is None and fnmatch.fnmatchcase(name, pattern):
            rows.append([name, "-", "-", "-"])
    return rows


def model_card(name: str, heads: Sequence[str] | None = None) -> str:
    """The card of a model, or of one set of its weights.

    Args:
        name: name of a model, or ``name.tag``.
        heads: tasks that it answers; by default all that it is trained for.

    Raises:
        UnknownNameError: if there is no such model or tag.
        ConfigError: if its YAML is not valid.
    """
    from serzoo import config as config_

    name, _, tag = name.partition(".")
    config = config_.load(registry.check_name(name))
    if tag and tag not in (tags := [entry.tag for entry in config.weights]):
        raise unknown_name(f"weights of {name}", tag, tags)
    overrides = next((entry.overrides for entry in config.weights if entry.tag == tag), {})
    as_trained = config_.to_dict(config_.override(config, overrides))
    recipe = {key: value for key, value in as_trained.items() if key in _RECIPE and value}
    parts = [
        *_architecture(config),
        _section("Input and answer", _input_and_answer(config, tag, heads)),
        _section("Weights", _weights(config, tag) or ["none ship with this version"]),
        _section("Figures", _figures(config, tag) or ["none published"]),
        _section("Limits", [f"- {each}" for each in _limits(config, tag)]),
        _section("Recipe", yaml_text.dump(recipe).rstrip().splitlines()),
    ]
    return "\n\n".join(parts)


def architecture_card(name: str) -> str:
    """What of the card of a model is true of any weights of it.

    Args:
        name: name of a model.
    """
    from serzoo import config as config_

    return "\n\n".join([*_architecture(config_.load(name)), _section("Limits", [f"- {_NO_KNOWLEDGE}"])])


def _architecture(config: "Config") -> list[str]:
    return [
        f"{config.name}\n{config.summary}",
        _section("Paper", [config.reference.title, *_doi(config)]),
        _section("What differs from it, and why", [f"- {each}" for each in config.reference.deviations] or ["nothing"]),
    ]


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _input_and_answer(config: "Config", tag: str, answered: Sequence[str] | None) -> list[str]:
    classes = dict.fromkeys(entry.classes for entry in config.weights if not tag or entry.tag == tag)
    told = "; or ".join(", ".join(names) for names in classes) or "those of the protocol it is trained by"
    heads = {
        "emotion": told,
        "gender": "female, male",
        "noise": "types of noise, clean speech, noise alone; for each segment",
    }
    lines = [f"input     speech of 0.1 s or more, mono at {config.frontend.sample_rate_hz} Hz; files are resampled"]
    for head, about in config.heads.items():
        if answered is not None and head not in answered:
            continue
        scale = about.scale and f"a value from {about.scale[0]:g} to {about.scale[1]:g}"
        lines.append(f"{head:<9} {scale or heads.get(head, 'probabilities')}")
    return lines


def _limits(config: "Config", tag: str) -> list[str]:
    """What is known to limit a model: what its config says, and what follows from it and what its weights heard."""
    from serzoo import corpora

    limits = [_NO_KNOWLEDGE]
    entries = [entry for entry in config.weights if not tag or entry.tag == tag]
    heard: dict[str, int] = {}
    for entry in entries:
        for corpus, speakers in entry.corpora.items():
            heard[corpus] = max(heard.get(corpus, 0), len(speakers))
    for corpus, speakers in sorted(heard.items()):
        official = corpora.info(corpus)
        limits.append(f"{official.title}: {speakers} speakers; expect less on other people, rooms and languages")
        limits += [f"{corpus}: {note}" for note in official.notes]
    if not entries:
        limits.append("it ships without weights: it answers nothing before it is trained")
    elif not all(entry.commercial for entry in entries):
        limits.append("not all of its weights may be used commercially; see their licences")
    if "target" in config.streams:
        limits.append("it is trained with a second, unlabelled corpus (--target), whose classes must be the same")
    if config.pretraining:
        first = f"serzoo pretrain {config.name} --corpus NAME=ROOT --protocol PROTOCOL --out RUN-OF-INIT"
        limits.append(f"before its training comes another, {first}, without --protocol for the protocol all")
        limits.append("it knows no speech beyond what its pre-training heard")
    if "gender" in config.heads:
        limits.append("gender is what the corpora write down, two values")
    return [*limits, *config.limits]


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
        beside = [f"{corpus} ({', '.join(heard.types)})" for corpus, heard in entry.noise_heard.items()]
        if entry.rooms:
            beside.append(f"rooms: {', '.join(entry.rooms)}")
        if beside:
            lines.append(f"  in        {'; '.join(beside)}")
        if entry.fold is not None:
            lines.append(
                f"  fold      {entry.fold}: its test speakers were not heard" + " with labels" * bool(entry.adaptation)
            )
        if "target" in config.streams:
            lines.append(f"  target    {entry.adaptation or 'none, trained on the source alone'}")
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
            f"  UA        {_interval(each.ua)}; {_over_folds(each.fold_ua)}",
            f"  WA        {_interval(each.wa)}",
            f"  macro F1  {_interval(each.macro_f1)}",
            f"  of        {each.n} clips, {each.speakers} speakers, {each.folds} folds, {each.seeds} seeds;"
            f" chance {each.chance:.3f}; {each.parameters} parameters",
            *(f"  note      {note}" for note in each.notes),
            f"  made by   {each.command}",
        ]
    return lines


def _over_folds(spread: Any) -> str:
    return "one fold" if spread.std is None else f"over folds {spread.mean:.3f} +- {spread.std:.3f}"


def _interval(figure: Any) -> str:
    return f"{figure.value:.3f} [{figure.ci_low:.3f}, {figure.ci_high:.3f}]"


def _figure(entry: dict[str, Any], reported: list[dict[str, Any]]) -> str:
    """The figure of a recipe on its own folds; the weights of a fold have none. The card has those across corpora."""
    for each in sorted(reported, key=lambda each: "cross-" in str(each.get("protocol", ""))):
        if each["tag"] == entry["tag"] and isinstance(ua := each.get("ua"), dict):
            return "{value:.3f} [{ci_low:.3f}, {ci_high:.3f}] ".format(**ua) + str(each.get("protocol", ""))
    return "-"
