"""Downloads from a server on 127.0.0.1 that cuts, forgets, lies and fills disks."""

import dataclasses
import errno
import hashlib
import http.server
import io
import shutil
import threading
import zipfile

import numpy as np
import pytest
from miniature import ravdess_files

from serzoo import corpora
from serzoo.corpora import download as downloading
from serzoo.corpora.fetch import SOURCES
from serzoo.corpora.unpack import unpack
from serzoo.errors import CorpusError, UnknownNameError


class Server(http.server.ThreadingHTTPServer):
    """Serves ``data`` and remembers what it was asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.etag, self.ranges_work, self.tells_length = b"", '"one"', True, True
        self.cuts = []  # after so many bytes each of the next answers ends
        self.status = 200
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/archive.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, first = self.server, 0
        asked = self.headers.get("Range")
        server.asked.append(asked)
        same = self.headers.get("If-Range", server.etag) == server.etag
        if server.status != 200:
            return self.send_error(server.status)
        if asked and server.ranges_work and same:
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
            if first >= len(server.data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(server.data)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(server.data) - 1}/{len(server.data)}")
        else:
            self.send_response(200)
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.tells_length:
            self.send_header("Content-Length", str(len(server.data) - first))
        self.end_headers()
        self.wfile.write(server.data[first:][: server.cuts.pop(0) if server.cuts else None])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def ravdess(server, monkeypatch):
    """The server's archive is a whole RAVDESS of empty files; gives its bytes."""
    monkeypatch.setattr(downloading, "_PAUSE_S", 0.0)
    server.data = zipped(dict.fromkeys(ravdess_files(), b"") | {"noise.bin": np.random.default_rng(0).bytes(100_000)})
    offer(monkeypatch, server)
    return server.data


def offer(monkeypatch, server, name="ravdess", **changes):
    md5 = hashlib.md5(server.data, usedforsecurity=False).hexdigest()
    changed = {"url": server.url, "md5": md5 if SOURCES[name].md5 else None} | changes
    monkeypatch.setitem(SOURCES, name, dataclasses.replace(SOURCES[name], **changed))


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return packed.getvalue()


def assert_nothing_is_left(folder):
    assert list(folder.iterdir()) == []


def test_only_official_addresses_are_known():
    assert {name: source.url.split("/")[2] for name, source in SOURCES.items()} == {
        "emodb": "emodb.bilderbar.info",
        "esc50": "github.com",
        "ravdess": "zenodo.org",
    }
    assert [name for name, source in SOURCES.items() if source.md5] == ["ravdess"]
    with pytest.raises(CorpusError, match="emodb_first2s has no publisher: it is another form of emodb"):
        corpora.fetch("emodb_first2s", "anywhere")
    with pytest.raises(CorpusError, match="iemocap has no open download; .* Open are: emodb, esc50, ravdess."):
        corpora.fetch("iemocap", "anywhere")
    with pytest.raises(UnknownNameError, match="open download 'musan'. Allowed: emodb, esc50, ravdess"):
        corpora.fetch("musan", "anywhere")


def test_fetch_in_one_piece(server, ravdess, tmp_path):
    steps = []
    root = tmp_path / "RAVDESS"
    root.mkdir()  # an empty folder is as good as none
    assert corpora.fetch("ravdess", root, progress=lambda *step: steps.append(step)) == root
    assert len(corpora.read("ravdess", root)) == 1440
    assert [path.name for path in tmp_path.iterdir()] == ["RAVDESS"]
    assert server.asked == [None] and steps[-1] == (len(ravdess), len(ravdess))
    with pytest.raises(CorpusError, match="new or empty folder. Received: .*RAVDESS', which holds files"):
        corpora.fetch("ravdess", root)


def test_the_folder_in_an_archive_becomes_the_root(server, monkeypatch, tmp_path):
    header = "filename,fold,target,category,esc10,src_file,take\n"
    meta = header + "1-100032-A-0.wav,1,0,dog,True,100032,A\n"
    server.data = zipped(
        {"ESC-50-master/meta/esc50.csv": meta, "ESC-50-master/audio/1-100032-A-0.wav": b"", "ESC-50-master/a.md": b""}
    )
    offer(monkeypatch, server, "esc50")
    root = corpora.fetch("esc50", tmp_path / "ESC-50")
    assert list(corpora.read_noise("esc50", root)["noise"]) == ["dog"]
    assert [path.name for path in tmp_path.iterdir()] == ["ESC-50"]


def test_a_cut_connection_goes_on_where_it_ended(server, ravdess, tmp_path):
    server.cuts = [1000, 70_000]
    corpora.fetch("ravdess", tmp_path / "r")
    assert server.asked == [None, "bytes=1000-", "bytes=71000-"]


def test_a_later_call_goes_on(server, ravdess, tmp_path):
    server.cuts = [50_000, *[0] * 5]
    with pytest.raises(CorpusError, match=r"was cut off after 0.1 MB \(50000 of \d+ bytes came\). The same command"):
        corpora.fetch("ravdess", tmp_path / "r")
    assert not (tmp_path / "r").exists()
    server.asked.clear()
    corpora.fetch("ravdess", tmp_path / "r")
    assert server.asked == ["bytes=50000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_a_server_without_ranges_begins_again(server, ravdess, tmp_path):
    server.ranges_work, server.cuts = False, [1000]
    corpora.fetch("ravdess", tmp_path / "r")
    assert server.asked == [None, "bytes=1000-"]


def test_another_version_begins_again(server, ravdess, tmp_path, monkeypatch):
    server.cuts = [50_000, *[0] * 5]
    with pytest.raises(CorpusError, match="cut off"):
        corpora.fetch("ravdess", tmp_path / "r")
    server.data = zipped(dict.fromkeys(ravdess_files(), b"") | {"noise.bin": b"other"})
    server.etag = '"two"'
    offer(monkeypatch, server)
    corpora.fetch("ravdess", tmp_path / "r")
    assert (tmp_path / "r" / "noise.bin").read_bytes() == b"other"


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_a_part_of_unknown_version_is_caught_by_the_checksum(server, ravdess, tmp_path, monkeypatch, etag):
    server.etag, server.cuts = etag, [50_000, *[0] * 5]
    with pytest.raises(CorpusError, match="cut off"):
        corpora.fetch("ravdess", tmp_path / "r")
    server.data = zipped({"other.bin": np.random.default_rng(1).bytes(300_000)})
    offer(monkeypatch, server)
    with pytest.raises(CorpusError, match="was deleted, as its MD5 is not the one"):
        corpora.fetch("ravdess", tmp_path / "r")
    assert_nothing_is_left(tmp_path)


def test_a_part_that_is_whole_already(server, ravdess, tmp_path):
    (tmp_path / ".r.fetch").mkdir()
    (tmp_path / ".r.fetch" / "archive.zip.partial").write_bytes(ravdess)
    corpora.fetch("ravdess", tmp_path / "r")
    assert server.asked == [f"bytes={len(ravdess)}-"]


def test_a_part_that_is_too_long_begins_again(server, ravdess, tmp_path):
    (tmp_path / ".r.fetch").mkdir()
    (tmp_path / ".r.fetch" / "archive.zip.partial").write_bytes(ravdess + b"more")
    corpora.fetch("ravdess", tmp_path / "r")
    assert server.asked == [f"bytes={len(ravdess) + 4}-", None]


def test_a_wrong_checksum(server, ravdess, tmp_path, monkeypatch):
    offer(monkeypatch, server, md5="0" * 32)
    with pytest.raises(CorpusError, match=rf"names, {'0' * 32}. Received: {hashlib.md5(ravdess).hexdigest()}"):
        corpora.fetch("ravdess", tmp_path / "r")
    assert_nothing_is_left(tmp_path)


def test_servers_that_refuse_or_are_not_there(server, ravdess, tmp_path, monkeypatch):
    server.status = 404
    with pytest.raises(CorpusError, match="archive.zip was refused: 404 Not Found"):
        corpora.fetch("ravdess", tmp_path / "r")
    offer(monkeypatch, server, url="http://127.0.0.1:9/archive.zip")
    with pytest.raises(CorpusError, match="127.0.0.1:9/archive.zip cannot be reached: .*refused"):
        corpora.fetch("ravdess", tmp_path / "r")


@pytest.mark.parametrize("tells_length", [True, False])
def test_a_download_that_is_too_large(server, ravdess, tmp_path, monkeypatch, tells_length):
    server.tells_length = tells_length
    offer(monkeypatch, server, max_bytes=50_000)
    with pytest.raises(CorpusError, match=r"must have 0.1 MB or less. Received: 0.\d MB"):
        corpora.fetch("ravdess", tmp_path / "r")
    assert not list(tmp_path.rglob("*.partial")) and not (tmp_path / "r").exists()


def test_another_corpus_in_the_archive(server, ravdess, tmp_path, monkeypatch):
    server.data = zipped(dict.fromkeys(ravdess_files([1, 2]), b""))
    offer(monkeypatch, server)
    with pytest.raises(
        CorpusError, match=r"archive of ravdess is not what it should be. .*expected 1440 files, found 120"
    ):
        corpora.fetch("ravdess", tmp_path / "r")
    assert_nothing_is_left(tmp_path)


def test_a_disk_without_room(server, ravdess, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(OSError, match=r"The disk of .*r' is full; make room, and the same command goes on") as caught:
        corpora.fetch("ravdess", tmp_path / "r")
    assert caught.value.errno == errno.ENOSPC and not (tmp_path / "r").exists()
    monkeypatch.undo()


def test_a_disk_that_fills_while_unpacking_keeps_the_archive(server, ravdess, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("serzoo.corpora.unpack._unpack_one", full)
        with pytest.raises(OSError, match="is full; make room"):
            corpora.fetch("ravdess", tmp_path / "r")
    assert not (tmp_path / "r").exists()
    corpora.fetch("ravdess", tmp_path / "r")
    assert server.asked == [None]  # the archive was not asked for again


def unsafe(name, kind=0):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("good.txt", b"good")
        entry = zipfile.ZipInfo(name)
        entry.external_attr = kind << 16
        file.writestr(entry, b"/etc/passwd")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (unsafe("../escaped.txt"), "own folder alone. Received the path: '../escaped.txt'"),
        (unsafe("a/../../escaped.txt"), "own folder alone"),
        (unsafe("/escaped.txt"), "own folder alone"),
        (unsafe("..\\escaped.txt"), "own folder alone"),
        (unsafe("C:escaped.txt"), "own folder alone"),
        (unsafe("link", 0o120777), "files and folders alone. Received a link or device: 'link'"),
        (unsafe("pipe", 0o010666), "files and folders alone"),
        (unsafe("GOOD.txt"), "two files of the same name: 'GOOD.txt'"),
        (unsafe("good.txt/inner.txt"), "is no whole ZIP file"),
        (zipped({"a": bytes(2000)}), "must unpack to 50000 files and 0.0 MB or less. Received: 1 and 0.0 MB"),
        (zipped({"a": bytes(100)})[:-30], "is no whole ZIP file"),
        (b"<html>Not found</html>", "is no whole ZIP file"),
    ],
)
def test_unsafe_archives_are_refused_as_a_whole(tmp_path, data, message):
    archive = tmp_path / "inner" / "a.zip"
    archive.parent.mkdir()
    archive.write_bytes(data)
    with pytest.raises(CorpusError, match=message):
        unpack(archive, tmp_path / "inner" / "out", max_bytes=1000)
    assert [path.name for path in tmp_path.rglob("*")] == ["inner", "a.zip"]


def test_a_header_that_promises_too_little(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", bytes(100_000))
    data = (tmp_path / "a.zip").read_bytes()
    length = (100_000).to_bytes(4, "little")
    assert data.count(length) == 2
    (tmp_path / "a.zip").write_bytes(data.replace(length, (10).to_bytes(4, "little")))
    with pytest.raises(CorpusError, match="is no whole ZIP file"):
        unpack(tmp_path / "a.zip", tmp_path / "out", max_bytes=1000)
    assert not (tmp_path / "out").exists()
