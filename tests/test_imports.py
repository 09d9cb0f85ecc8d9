import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "serzoo"
# From the top of the house to its ground: a module imports only from its own floor or from below.
FLOORS = (
    ("__main__", "cli", "answers", "doctor"),
    ("export",),
    ("training",),  # judges each fold as evaluation does; evaluation never trains
    ("evaluation",),
    ("zoo",),
    ("building", "pipeline"),
    ("noises", "rooms"),
    ("models",),
    ("serving",),  # a client: it knows what a recording is, and no model
    ("listener",),
    ("cards",),
    ("corpora",),
    ("audio", "containers", "decoding", "samples"),
    ("layers",),
    ("losses", "metrics", "plan", "scales"),
    ("config", "files", "registry", "schema", "versions", "yaml_text"),
    ("errors",),
)
HEIGHT = {name: len(FLOORS) - floor for floor, names in enumerate(FLOORS) for name in names}
MODULES = sorted(path.relative_to(ROOT) for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
LIGHT = ("errors", "config", "registry", "corpora", "metrics")
HEAVY = ("tensorflow", "keras", "jax", "librosa", "matplotlib", "sklearn")


def imported(path: Path) -> set[str]:
    """Every imported module, inside functions too, in full: ``serzoo.errors``, ``numpy``."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = path.parts[: len(path.parts) - node.level] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def floor_of(path: Path) -> str:
    return path.parts[1].removesuffix(".py")


def test_modules_were_found():
    assert Path("serzoo/cli/__init__.py") in MODULES and len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_down(path):
    own = floor_of(path)
    assert own in HEIGHT, f"{path}: give it a floor in this test"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "serzoo":
            continue
        if len(parts) == 1:  # the whole house: for the command line alone
            assert own == "cli", f"{path} imports serzoo itself"
        elif parts[1] in HEIGHT:
            assert HEIGHT[parts[1]] <= HEIGHT[own], f"{path} imports {name}, which stands above it"


@pytest.mark.parametrize("path", [p for p in MODULES if p.parts[1] in ("layers", "losses.py", "models")], ids=str)
def test_layers_losses_and_models_know_no_backend(path):
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & {"tensorflow", "jax", "torch"}


@pytest.mark.parametrize("path", [p for p in MODULES if p.parts[1] == "models" and len(p.parts) == 3], ids=str)
def test_models_never_import_each_other(path):
    if path.name == "__init__.py":
        return
    for name in imported(path):
        if name.startswith("serzoo.models"):
            assert name.startswith("serzoo.models.classifier") or name == "serzoo.models", f"{path} imports {name}"


def python(code: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("names", [("serzoo",), *((f"serzoo.{name}",) for name in LIGHT)], ids=lambda names: names[0])
def test_light_modules_import_nothing_heavy(names):
    code = f"import sys, {', '.join(names)}; print([m for m in {HEAVY} if m in sys.modules])"
    done = python(code)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


LIST = f"""
import sys
from serzoo.cli import main
try:
    main()
finally:
    print([m for m in {(*HEAVY, "numpy", "pandas", "rich")} if m in sys.modules], file=sys.stderr)
"""


def test_list_imports_nothing_heavy():
    done = python(LIST, "list")
    assert done.returncode == 0 and "cnn_ablstm_mtl" in done.stdout
    assert done.stderr.strip() == "[]"


def processor_time(code: str, *arguments: str) -> float:
    before = os.times()
    assert python(code, *arguments).returncode == 0
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_list_answers_fast():
    """``serzoo list`` costs a few times what its two libraries cost to import: seconds differ from machine to machine.

    That ratio is about 3, and 0.5 s are 6 on a machine where the imports take 0.08 s.
    """
    ratios = []
    for _ in range(5):
        ratios.append(processor_time(LIST, "list") / processor_time("import typer, yaml"))
        if ratios[-1] < 5:
            return
    raise AssertionError(f"serzoo list took {', '.join(f'{ratio:.1f}' for ratio in ratios)} times the imports")
