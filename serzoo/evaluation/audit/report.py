"""An audit as Markdown: the verdicts first, then a table for each part."""

from collections.abc import Iterable, Mapping
from typing import Any

from serzoo.evaluation.bootstrap import FEW_SPEAKERS
from serzoo.evaluation.figures import markdown, percent, sign_of

_TITLES = {
    "gender": "Gender",
    "leakage": "Leakage",
    "transfer": "Transfer",
    "robustness": "Robustness",
    "cross_corpus": "Cross-corpus",
}
_LEGEND = (
    "Figures are in per cent, in brackets the 95 % interval, bootstrapped over speakers; of fewer than "
    f"{FEW_SPEAKERS} speakers it is too narrow."
)


def verdicts(found: Mapping[str, Any]) -> list[str]:
    """Collect the sentences of all parts, each with its model."""
    said = [f"{note} ({name})." for name, about in found["models"].items() for note in about["notes"]]
    for part in ("gender", "leakage", "robustness"):
        said += [f"{_TITLES[part]}, {name}: {result['verdict']}" for name, result in found.get(part, {}).items()]
    said += [f"Transfer: {result['sentence']}" for result in found.get("transfer", {}).values()]
    said += [f"Cross-corpus: {found['cross_corpus']['verdict']}"] if "cross_corpus" in found else []
    return said


def markdown_of(found: Mapping[str, Any]) -> str:
    """Write an audit as Markdown.

    Args:
        found: what :func:`serzoo.audit` gave.

    Returns:
        Verdicts, what was skipped and why, and a table for each part, figures in per cent with 95 % intervals.

    Example:
        >>> print(markdown_of(serzoo.audit("runs/mtl")))  # doctest: +SKIP
    """
    lines = [f"# Audit of {', '.join(found['models'])}", ""]
    lines += [f"- {sentence}" for sentence in found["verdicts"]]
    lines += [f"- Skipped: {part}: {reason.rstrip('.')}." for part, reason in found["skipped"].items()]
    lines += ["", _LEGEND, ""]
    for part, write in _WRITERS.items():
        if part in found:
            lines += [f"## {_TITLES[part]}", "", *write(found[part])]
    return "\n".join(lines)


def _gender(results: Mapping[str, Any]) -> Iterable[str]:
    for name, result in results.items():
        head = ["recall", "women", "men", "women minus men", "matched"]
        matched = result["matched"]
        rows = [["UA", *_both(result["ua"]), percent(result["gap"]["ua"], "+"), _gap(matched, None)]]
        for label in result["classes"]:
            recalls = _both({gender: by_class[label] for gender, by_class in result["recall"].items()})
            rows.append([label, *recalls, percent(result["gap"]["recall"][label], "+"), _gap(matched, label)])
        sizes = f"{result['speakers']['female']} women, {result['speakers']['male']} men, {result['n']} utterances"
        if "reason" not in matched:
            sizes += f"; matched on {', '.join(matched['by'])}: {sum(matched['utterances'].values())} utterances"
        yield from (f"{name}: {sizes}.", "", markdown(head, rows), "")
        yield from ("One interval in twenty of a class misses zero by chance.", "")


def _both(by_gender: Mapping[str, Mapping[str, float]]) -> list[str]:
    return [percent(by_gender[gender]) for gender in ("female", "male")]


def _gap(matched: Mapping[str, Any], label: str | None) -> str:
    if "reason" in matched:
        return "-"
    entry = matched["ua"] if label is None else matched["recall"].get(label)
    return percent(entry, "+") if entry else "-"


def _leakage(results: Mapping[str, Any]) -> Iterable[str]:
    head = ["features", "label", "probe", "UA", "shuffled labels", "chance", "speakers", "can be read"]
    for name, result in results.items():
        rows = [
            [
                each["layer"],
                each["label"],
                each["probe"],
                percent(each["ua"]),
                f"{100 * each['shuffled']['mean']:.1f} (highest {100 * each['shuffled']['highest']:.1f})",
                f"{100 * each['chance']:.1f}",
                str(each["num_speakers"]),
                "yes" if each["reads"] else "no",
            ]
            for each in result["probes"]
        ]
        yield from (f"{name}:", "", markdown(head, rows), "")
        for label, reason in result["not_probed"].items():
            yield from (f"Not probed: {label}, {reason}.", "")


def _transfer(results: Mapping[str, Any]) -> Iterable[str]:
    head = ["multi-task minus single-task", "UA", "WA", "macro F1", "speakers worse", "runs", "pairs", "verdict"]
    rows = [
        [
            f"{name} minus {result['control']}",
            *(percent(result["difference"][figure], "+") for figure in ("ua", "wa", "macro_f1")),
            f"{100 * result['worse']:.0f} % of {len(result['speakers'])}",
            str(len(result["runs"])),
            str(result["pairs"]),
            result["verdict"],
        ]
        for name, result in results.items()
    ]
    yield from (markdown(head, rows), "")
    rows = [
        [f"{name}, seed {run['seed']}, fold {run['fold']}", f"{100 * run['difference']:+.1f}"]
        for name, result in results.items()
        for run in result["runs"]
    ]
    yield from (markdown(["run", "UA difference"], rows), "")


def _robustness(results: Mapping[str, Any]) -> Iterable[str]:
    for name, result in results.items():
        rows = [["clean", percent(result["clean"]), "", ""]]
        rows += [
            [each["condition"], percent(each["ua"]), percent(each["fall"], "+"), "falls" * (sign_of(each["fall"]) < 0)]
            for each in result["conditions"]
        ]
        sizes = f"{result['n']} clips of {result['num_speakers']} speakers, chance {100 * result['chance']:.1f}"
        yield from (f"{name}: {sizes}.", "", markdown(["condition", "UA", "against clean", ""], rows), "")


def _cross(result: Mapping[str, Any]) -> Iterable[str]:
    head = ["model", *(f"on {corpus}" for corpus in result["corpora"])]
    cells: dict[tuple[str, str], Any] = {(cell["model"], cell["corpus"]): cell for cell in result["cells"]}
    models = list(dict.fromkeys(cell["model"] for cell in result["cells"]))
    rows = [[name, *(_cell(cells.get((name, corpus))) for corpus in result["corpora"])] for name in models]
    yield from (f"Classes: {', '.join(result['classes'])}; chance {100 * result['chance']:.1f}.", "")
    yield from (markdown(head, rows), "")
    yield from ("After the semicolon: the same clips with every answer of the model allowed. Own corpora by folds.", "")


def _cell(cell: Mapping[str, Any] | None) -> str:
    return f"{percent(cell['ua'])}; {percent(cell['ua_all_answers'])}" if cell else "-"


_WRITERS = {
    "gender": _gender,
    "leakage": _leakage,
    "transfer": _transfer,
    "robustness": _robustness,
    "cross_corpus": _cross,
}
