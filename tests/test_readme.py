"""What the README says is what the repository holds."""

import re

import pytest
from readme import CROSS, README, _mean, tables, updated

from serzoo.evaluation.figures import percent

TEXT = README.read_text(encoding="utf-8")


def test_tables_are_those_of_the_committed_predictions():
    assert updated(TEXT, tables()) == TEXT, "run python -m tests.readme"


def test_the_table_names_every_published_figure():
    from serzoo import config, registry

    entries = [(name, each) for name in registry.names() for each in config.load(name).reported]
    assert entries
    across = [(name, each) for name, each in entries if CROSS.match(each.protocol)]
    for name, each in across:
        if [(model, other.protocol) for model, other in across].count((name, each.protocol)) == 1:
            assert f"UA {percent(each.ua.model_dump())}" in TEXT.replace("\n", " ")  # nothing is beside it: a sentence
            continue
        way = CROSS.sub("", each.protocol).partition("@")[0]
        control = each.tag in ("source", "plain")
        tag = r"\.[a-z]+" if control else rf"\.{each.tag}"  # where several recipes have one control they are named
        row = next(line for line in TEXT.splitlines() if re.match(rf"\| {way} \| `{name}({tag})?` \|", line))
        column = 3 if control else 4
        assert float(row.split("|")[column].split()[0]) == pytest.approx(100 * each.ua.value, abs=0.06)
    for name, each in (entry for entry in entries if entry not in across):
        table = TEXT[TEXT.index(f"`{each.protocol}`: {each.n} clips, {each.speakers} speakers") :]
        row = next(line for line in table.splitlines() if line.startswith(f"| `{name}.{each.tag}`"))
        assert f"| {each.ua.value:.3f} [{each.ua.ci_low:.3f}, {each.ua.ci_high:.3f}] |" in row
        assert f"| {each.parameters:,} |" in row


def test_the_mean_of_two_independent_figures():
    found = _mean([{"value": 0.1, "ci_low": 0.04, "ci_high": 0.15}, {"value": -0.02, "ci_low": -0.1, "ci_high": 0.1}])
    assert found == pytest.approx({"value": 0.04, "ci_low": 0.04 - 0.05, "ci_high": 0.04 + 0.065})


def test_files_and_commands_of_the_readme_exist():
    from typer.main import get_command

    from serzoo.cli import app

    root = README.parent
    for path in re.findall(r"tests/data/\S+\.wav", TEXT):
        assert (root / path).is_file()
    for path in re.findall(r"\]\((\w+\.\w+)\)", TEXT):
        assert (root / path).is_file()
    block = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL))
    commands = set(re.findall(r"serzoo ([a-z]+) ", block))
    assert {"predict", "list", "train"} <= commands <= set(get_command(app).commands)
