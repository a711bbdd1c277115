"""The notebooks run, and print what they show."""

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))
nbformat = pytest.importorskip("nbformat", reason="needs pip install 'labelchain[docs]'")
nbclient = pytest.importorskip("nbclient", reason="needs pip install 'labelchain[docs]'")
pytest.importorskip("ipykernel", reason="needs pip install 'labelchain[docs]'")


def printed(notebook):
    """What each cell prints; whether it comes in one piece is chance."""
    return [
        "".join(output["text"] for output in cell.get("outputs", []) if output["output_type"] == "stream")
        for cell in notebook.cells
    ]


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["environments", "texts"]


@pytest.mark.filterwarnings("default")  # those of Jupyter are not ours
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tests run side by side
    notebook = nbformat.read(path, as_version=4)
    shown = printed(notebook)
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert list(map(bool, printed(notebook))) == list(map(bool, shown))
    if path.stem == "environments":  # no network was trained: nothing depends on the processor
        assert printed(notebook) == shown
