"""Whole or not there, whatever happens while an export is written."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from serzoo.errors import ExportError
from serzoo.export.versions import aside, publish_version, versions

ROOT = Path(__file__).resolve().parents[2]


def finished(base, text="whole"):
    with aside(base) as place:
        (place / "model").mkdir()
        (place / "model" / "saved_model.pb").write_text(text)
        return publish_version(place / "model", base)


def test_versions_count_up_and_nothing_else_stays(tmp_path):
    base = tmp_path / "served" / "ser"
    assert [finished(base).name for _ in range(3)] == ["1", "2", "3"]
    assert sorted(path.name for path in base.iterdir()) == ["1", "2", "3"]
    (base / "10").mkdir()
    (base / "011").mkdir()
    (base / "notes").mkdir()
    (base / "12").write_text("a file")
    assert versions(base) == [1, 2, 3, 10, 11, 12]
    assert finished(base).name == "13"
    assert (base / "13").stat().st_mode & 0o777 == 0o755


def test_each_of_several_exports_at_once_gets_its_own(tmp_path):
    barrier, found = threading.Barrier(8), []

    def export(text):
        with aside(tmp_path) as place:
            (place / "model").mkdir()
            (place / "model" / "a").write_text(text)
            barrier.wait()
            found.append((publish_version(place / "model", tmp_path), text))

    threads = [threading.Thread(target=export, args=(str(i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path, _ in found) == sorted(map(str, range(1, 9)))
    assert all((path / "a").read_text() == text for path, text in found)


def test_a_failed_export_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), aside(tmp_path) as place:
        (place / "model").mkdir()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_killed_export_leaves_no_version(tmp_path):
    code = f"""
import os, pathlib
from serzoo.export.versions import aside
with aside(pathlib.Path({str(tmp_path)!r})) as place:
    (place / "model").mkdir()
    (place / "model" / "saved_model.pb").write_text("half")
    os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == -9
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 1 and left[0].startswith(".") and left[0].endswith(".partial")
    assert versions(tmp_path) == [] and finished(tmp_path).name == "1"
    assert (tmp_path / left[0]).is_dir()  # it may belong to an export that is still at work
    long_ago = time.time() - 2 * 3600
    for path in (tmp_path / left[0], *(tmp_path / left[0]).rglob("*")):
        os.utime(path, (long_ago, long_ago))
    (tmp_path / ".notes.partial").mkdir()  # of someone else
    os.utime(tmp_path / ".notes.partial", (long_ago, long_ago))
    assert finished(tmp_path).name == "2"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".notes.partial", "1", "2"]


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "ser").write_text("a file")
    with pytest.raises(ExportError, match="needs a folder that can be written to. Received .*ser: "):
        finished(tmp_path / "ser")
    assert (tmp_path / "ser").read_text() == "a file"


def test_a_folder_that_cannot_be_written_to():
    # Where not even the superuser may write.
    with pytest.raises(ExportError, match="needs a folder that can be written to. Received /proc/"):
        finished(Path("/proc/self/ser"))


def test_a_full_disk(tmp_path, monkeypatch):
    with (
        pytest.raises(ExportError, match="could not be written to .*: No space left on device"),
        aside(tmp_path) as place,
    ):
        with open("/dev/full", "wb") as file:  # the error that a full disk gives
            file.write(b"x" * 100_000)
        publish_version(place, tmp_path)
    assert list(tmp_path.iterdir()) == []
