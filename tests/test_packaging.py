import configparser
import fnmatch
import re
from pathlib import Path

import pytest

import serzoo
from serzoo import registry, versions

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]


def test_every_package_ships(setup):
    on_disk = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "serzoo").rglob("__init__.py")}
    assert set(lines(setup["options"]["packages"])) == on_disk | {"serzoo.speech", "serzoo.zoo_configs"}
    # A folder of modules without __init__.py would be importable here and absent from the wheel.
    assert {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "serzoo").rglob("*.py")} == on_disk
    assert lines(setup["options"]["package_dir"]) == [
        "serzoo.speech = tests/data/emodb/wav",
        "serzoo.zoo_configs = zoo_configs",
    ]


def test_every_data_file_ships(setup):
    patterns = {key: lines(value) for key, value in setup["options.package_data"].items()}
    folders = {
        "serzoo": ROOT / "serzoo",
        "serzoo.speech": ROOT / "tests" / "data" / "emodb" / "wav",
        "serzoo.zoo_configs": ROOT / "zoo_configs",
    }
    for package, folder in folders.items():
        files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        data = [file for file in files if not file.endswith((".py", ".pyc"))]
        left_out = [file for file in data if not any(fnmatch.fnmatch(file, pattern) for pattern in patterns[package])]
        assert left_out == []
    assert registry.configs_folder() == ROOT / "zoo_configs"


def test_shipped_weights_are_all_listed():
    """Nothing in the folder without provenance, nothing listed without a file."""
    listed = {entry["file"] for name in registry.names() for entry in registry.raw_entries(name)["weights"]}
    assert {path.name for path in registry.weights_folder().glob("*") if path.is_file()} == listed


def test_requirements(setup):
    required = {re.split(r"[<>=]", line)[0]: line for line in lines(setup["options"]["install_requires"])}
    assert required["tensorflow"] == "tensorflow>=2.17,<2.22"
    assert required["keras"] == "keras>=3.8,<3.16"
    for package, ((_, oldest), (major, newest)) in {
        "tensorflow": versions.TENSORFLOWS,
        "keras": versions.KERAS,
    }.items():
        assert required[package] == f"{package}>={major}.{oldest},<{major}.{newest + 1}"
    assert set(required) == {
        *("tensorflow", "keras", "numpy", "pandas", "matplotlib", "librosa", "soundfile", "soxr"),
        "tensorboard",
        *("PyYAML", "pydantic", "typer", "rich", "Jinja2"),
    }
    assert setup["options"]["python_requires"] == ">=3.10,<3.14"
    assert lines(setup["options.entry_points"]["console_scripts"]) == ["serzoo = serzoo.cli:main"]


def test_version_is_one(setup):
    assert setup["metadata"]["version"] == "attr: serzoo.__version__"
    # setuptools reads it without running the module only where it is a literal.
    assert f'\n__version__ = "{serzoo.__version__}"\n' in (ROOT / "serzoo" / "__init__.py").read_text()
    assert f"\nversion: {serzoo.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {serzoo.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "Version 2.0, January 2004" in text
    for number in range(1, 10):
        assert re.search(rf"^   {number}\. ", text, re.MULTILINE)
    assert "APPENDIX: How to apply the Apache License to your work." in text


def test_ci_script_can_run():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in script.read_text()


def test_no_path_of_one_machine_stands_in_a_file():
    home = re.compile(r"(?<![.\w])/(?:work|root|home/\w+)/")
    suffixes = {".py", ".md", ".yaml", ".cfg", ".toml", ".cff", ".in", ".ipynb", ""}
    folders = [ROOT / name for name in ("serzoo", "tests", "zoo_configs", "notebooks", ".ci")]
    files = [*ROOT.glob("*"), *(path for folder in folders for path in folder.rglob("*"))]
    texts = [path for path in files if path.is_file() and path.suffix in suffixes]
    assert len(texts) > 40
    found = [path.name for path in texts if home.search(path.read_text(encoding="utf-8", errors="replace"))]
    assert found == []


def test_no_large_file_but_weights():
    folders = [ROOT / name for name in ("serzoo", "zoo_configs", "tests", "notebooks")]
    large = [
        path.name
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.stat().st_size > 1_000_000 and not path.name.endswith(".weights.h5")
    ]
    assert large == []
