"""The notebooks run from top to bottom, away from any clone, and are committed without outputs."""

from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="the notebooks run with nbclient, of the extra 'test'")
nbformat = pytest.importorskip("nbformat", reason="the notebooks are read with nbformat, of the extra 'test'")

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_notebooks_were_found():
    assert {"quickstart", "train_your_own", "serve", "noise_and_gender"} <= {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped_and_the_first_code_cell_installs(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    assert cells[0].source.splitlines()[-1].startswith("%pip install") and "install" in cells[0].metadata.tags
    assert "__version__" in cells[1].source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))  # for its kernel, where serzoo is not installed
    monkeypatch.delenv("MPLBACKEND", raising=False)  # a notebook draws below its cells
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if "install" in cell.metadata.get("tags", ()):
            cell.source = ""  # this environment has it
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    said = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in said), "no picture was drawn"
    errors = [output.text for output in said if output.output_type == "stream" and output.name == "stderr"]
    assert not [text for text in errors if "Traceback" in text]
