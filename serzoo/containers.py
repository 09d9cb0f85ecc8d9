"""What a sound file's header says, checked before anything is decoded.

libsndfile decodes, but it trusts too much or too little in five places, which this module looks after:

- A file without compression (WAV, W64, AIFF, AU, CAF, NIST) that was cut is read as a shorter one. Here the bytes
  that it promises are compared.
- A WAV whose recorder never came back to write the data size (0) is read as empty. Here it is opened with the size set.
- An Ogg file that was cut is read as a shorter one, and of several joined only the first is read. Here its last page
  must be whole and belong to the first stream.
- An MP3 without a Xing header has its length guessed from the first frame, and loses the rest; so do joined ones.
  Here its frames are counted, and it is opened behind a Xing header that states their number.
- A foreign file gets "Format not recognised", or noise from the MP3 decoder on stderr. Here it is told what to do.
"""

import contextlib
import io
import math
import os
import re
import shlex
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import AudioError, MissingFileError

READABLE = "WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF, AU, CAF, W64, NIST"
SUFFIXES = frozenset(".wav .wave .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .caf .w64 .rf64 .sph".split())
FOREIGN_SUFFIXES = frozenset(  # sound that serzoo cannot read
    ".m4a .m4b .mp4 .mov .aac .wma .webm .weba .mka .mkv .amr .awb .3gp .3ga .avi .spx .qcp".split()
)

# Where the first chunk starts, how a chunk opens, bytes of its opening that its size counts, alignment, the sound.
_CHUNKED = {
    b"RIFF": (12, "<4sI", 0, 2, b"data"),
    b"RF64": (12, "<4sI", 0, 2, b"data"),
    b"RIFX": (12, ">4sI", 0, 2, b"data"),
    b"FORM": (12, ">4sI", 0, 2, b"SSND"),
    b"caff": (8, ">4sq", 0, 1, b"data"),
    b"riff": (40, "<16sQ", 24, 8, b"data"),
}
_FOREIGN = {
    b"\x30\x26\xb2\x75": "Windows Media (wma)",
    b"\x1a\x45\xdf\xa3": "Matroska (webm, mka)",
    b"#!AM": "AMR",
    b"FLV\x01": "Flash video",
}
SLACK_BYTES = 64  # some writers count their own header as sound


@contextlib.contextmanager
def checked(path: str | os.PathLike) -> Iterator[str | BinaryIO]:
    """Look at a sound file and say what to open: context manager.

    Args:
        path: the file.

    Yields:
        The path itself, or a seekable binary view of the file with a repaired header.

    Raises:
        MissingFileError: if nothing is there.
        AudioError: if it is a folder, empty, cut short, or nothing that libsndfile reads.

    Example:
        >>> with checked("tests/data/emodb/wav/03a01Wa.wav") as source:
        ...     source
        'tests/data/emodb/wav/03a01Wa.wav'
    """
    path = Path(path)
    try:
        if not path.exists():
            raise MissingFileError(f"{path} does not exist.")
        if not path.is_file():
            # A pipe or a terminal would block, and cannot be rewound.
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise AudioError(f"{path} is {kind}; a sound file is needed ({READABLE}).")
        file = path.open("rb")
    except MissingFileError:
        raise
    except OSError as error:
        raise AudioError(f"{path} cannot be opened: {error.strerror}.") from error
    with file:
        repaired = _examined(file, path)
        # What needs no repair is read by libsndfile itself, without Python between it and the disk. soundfile takes
        # the suffix .raw to mean that there is no header, which is known here to be wrong, and no name that is no text.
        for_python = path.suffix.lower() == ".raw" or not _is_text(str(path))
        yield repaired or (_Reheaded.open(file, b"", 0) if for_python else str(path))


def _is_text(name: str) -> bool:
    """Whether a name is text, as soundfile wants it; on a disk it may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def unreadable(path: str | os.PathLike, what: str) -> AudioError:
    """Build the error for a file that libsndfile cannot read, with the way out."""
    source, target = Path(path), Path(path).with_suffix(".wav")
    if source == target:
        target = source.with_name(f"{source.stem}-converted.wav")
    command = f"ffmpeg -i {shlex.quote(str(source))} {shlex.quote(str(target))}"
    return AudioError(f"{source} {what}. Readable are {READABLE}. If it holds sound, convert it first: {command}")


def truncated(path: str | os.PathLike, detail: str) -> AudioError:
    """Build the error for a file that ends too early."""
    return AudioError(f"{path} is truncated or damaged: {detail}.")


def _examined(file: BinaryIO, path: Path) -> BinaryIO | None:
    """Refuse what is foreign or cut; return a repaired view, or None where none is needed."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        raise AudioError(f"{path} is empty (0 bytes).")
    file.seek(0)
    head = file.read(16)
    magic = head[:4]
    try:
        if magic in (b"RIFF", b"RIFX", b"RF64") and head[8:12] != b"WAVE":
            raise unreadable(path, "is a RIFF file other than WAV, which serzoo cannot read")
        if magic in _CHUNKED:
            return _check_chunks(file, path, size, magic)
        if magic == b".snd" and len(head) == 16:
            start, promised = struct.unpack(">II", head[4:12])
            return _check_promise(path, promised, size - start)
        if magic == b"OggS":
            return _check_pages(file, path, size)
        if head[:7] == b"NIST_1A":
            return _check_sphere(file, path, size)
        if magic == b"fLaC":
            return None  # the decoder notices a cut
        if head[4:8] == b"ftyp" or magic in _FOREIGN:
            raise unreadable(path, f"is {_FOREIGN.get(magic, 'MPEG-4 (m4a, mp4)')}, which serzoo cannot read")
        if head[:1] == b"\xff" and head[1:2] and head[1] & 0xF6 == 0xF0:
            raise unreadable(path, "is raw AAC, which serzoo cannot read")
        if head[:3] == b"ID3" or head.lstrip(b"\0")[:1] in (b"\xff", b""):
            return _check_mp3(file, path, size)
        raise unreadable(path, "is no sound file that serzoo can read")
    finally:
        file.seek(0)


def is_open(promised):
    """Whether a size, or each of a tensor of them, means "until the end": whoever writes to a pipe cannot know it.

    These are the values near 2**31 and 2**32 that sox, arecord and ffmpeg write; 0 and -1 mean it too.
    """
    return (promised >= 0xFFFFFF00) | ((promised >= 0x7FFFF000) & (promised <= 0x80000100))


def _check_promise(path: Path, promised: int, present: int) -> None:
    if promised > 0 and not is_open(promised) and present < promised - SLACK_BYTES:
        raise truncated(path, f"its header promises {promised} bytes of sound and {max(present, 0)} are there")


def _check_chunks(file: BinaryIO, path: Path, size: int, magic: bytes) -> BinaryIO | None:
    at, opening, counted, align, wanted = _CHUNKED[magic]
    length = struct.calcsize(opening)
    rf64_size = None
    while at + length <= size:
        file.seek(at)
        name, chunk = struct.unpack(opening, file.read(length))
        at += length
        if name == b"ds64" and at + 16 <= size:
            rf64_size = struct.unpack("<QQ", file.read(16))[1]
        if name[:4] == wanted:
            if magic == b"RIFF" and chunk == 0:
                return _with_data_size(file, at, size)
            if rf64_size is not None and chunk == 0xFFFFFFFF:
                chunk = rf64_size
            return _check_promise(path, chunk - counted, size - at)
        inside = max(chunk - counted, 0)
        at += inside + -inside % align
    return None  # no chunk of sound: libsndfile says why


def _with_data_size(file: BinaryIO, start: int, size: int) -> BinaryIO | None:
    file.seek(0)
    head = bytearray(file.read(start))
    if start >= size or abs(struct.unpack_from("<I", head, 4)[0] + 8 - size) <= 1:
        return None  # finished, and really empty
    head[start - 4 : start] = struct.pack("<I", 0xFFFFFFFF)
    return _Reheaded.open(file, bytes(head), start)


def _check_sphere(file: BinaryIO, path: Path, size: int) -> None:
    file.seek(0)
    text = file.read(1024)
    if re.search(rb"\nsample_coding -s\d+ [^\n]*embedded-", text):
        raise unreadable(path, "is a compressed NIST file, which serzoo cannot read")
    fields = [
        re.search(rb"\n%s -i (\d+)" % name, text) for name in (b"sample_count", b"channel_count", b"sample_n_bytes")
    ]
    if all(fields) and text[8:15].strip().isdigit():
        _check_promise(path, math.prod(int(field[1]) for field in fields), size - int(text[8:15]))


def _check_pages(file: BinaryIO, path: Path, size: int) -> None:
    file.seek(0)
    first = file.read(18)
    file.seek(max(0, size - 65536))  # a page has at most 65307 bytes
    tail = file.read()
    page = tail[max(tail.rfind(b"OggS"), 0) :]
    segments = page[26] if len(page) > 26 else 0
    if len(page) <= 26 or len(page) < 27 + segments + sum(page[27 : 27 + segments]):
        raise truncated(path, "its last Ogg page is cut")
    if page[14:18] != first[14:18]:
        raise unreadable(path, "holds several Ogg streams, of which only one would be heard")


# MPEG versions 1 and 2 (2.5 alike), layer III: kbit/s by index; Hz by version and index.
_KBPS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_SCANNED_BYTES = 65536


def _check_mp3(file: BinaryIO, path: Path, size: int) -> BinaryIO | None:
    file.seek(0)
    head = file.read(10)
    start = _id3_bytes(head) if head[:3] == b"ID3" else 0
    file.seek(start)
    window = file.read(_SCANNED_BYTES)
    start += len(window) - len(window.lstrip(b"\0"))
    first = window.lstrip(b"\0")[:256]
    if b"\xff" not in window:
        raise unreadable(path, "is no sound file that serzoo can read")
    frame = _mp3_frame(first)
    if frame is None and len(first) >= 4:
        return None  # layers I and II, free format, junk before the sound: as libsndfile takes them
    if frame is None or start + frame > size:
        raise truncated(path, "its first MP3 frame is cut")
    at = max(first.find(b"Xing"), first.find(b"Info"))
    if 0 < at < 60:
        flags, _, num_bytes = struct.unpack_from(">III", first.ljust(256, b"\0"), at + 4)
        if flags & 3 == 3:
            _check_promise(path, num_bytes, size - start)
            file.seek(start + num_bytes)
            behind = file.read(4)
            if behind[:3] != b"ID3" and _mp3_frame(behind) is None:
                return None
            # Files joined end to end: the header counts the first one alone.
        start += frame
    elif b"VBRI" in first[:48]:
        return None
    num_frames = _count_mp3_frames(file, path, start, size)
    if num_frames is None:
        return None
    return _Reheaded.open(file, _xing(first, num_frames, size - start), start)


def _mp3_frame(head: bytes) -> int | None:
    """Bytes of the layer III frame that this header opens, or None if it opens none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0 or head[1] & 0x06 != 0x02:
        return None
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return None
    first = version == 3
    return (144 if first else 72) * _KBPS[not first][bitrate] * 1000 // _HZ[version][rate] + (head[2] >> 1 & 1)


def _count_mp3_frames(file: BinaryIO, path: Path, at: int, size: int) -> int | None:
    """Frames from here to the end of the file, or None where something foreign lies between them."""
    num_frames = 0
    while at < size:
        file.seek(at)
        head = file.read(4)
        frame = _mp3_frame(head)
        if frame is not None:
            if at + frame > size:
                raise truncated(path, "its last MP3 frame is cut")
            at += frame
            num_frames += 1
        elif head[:3] == b"ID3":
            at += _id3_bytes(head + file.read(6))
        elif head[:3] == b"TAG" or head in (b"APET", b"LYRI") or not head.strip(b"\0"):
            break
        else:
            return None
    return num_frames


def _id3_bytes(head: bytes) -> int:
    return 10 + sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))


def _xing(head: bytes, num_frames: int, num_bytes: int) -> bytes:
    # The frame repeats the first header without its checksum, at a bitrate index that has room for the tag.
    header = bytes([head[0], head[1] | 1, head[2] & 0x0D | 0x90, head[3]])
    size = _mp3_frame(header) or 0
    mono = head[3] >> 6 == 3
    side = (17 if mono else 32) if head[1] >> 3 & 3 == 3 else (9 if mono else 17)
    tag = b"Xing" + struct.pack(">III", 3, num_frames, min(num_bytes + size, 0xFFFFFFFF))
    return (header + bytes(side) + tag).ljust(size, b"\0")


class _Reheaded(io.RawIOBase):
    """A file whose first ``drop`` bytes read as ``head``."""

    def __init__(self, file: BinaryIO, head: bytes, drop: int):
        self._file, self._head, self._drop, self._at = file, head, drop, 0
        self._size = file.seek(0, os.SEEK_END) - drop + len(head)

    @classmethod
    def open(cls, file: BinaryIO, head: bytes, drop: int) -> BinaryIO:
        return io.BufferedReader(cls(file, head, drop), 1 << 16)

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self._at

    def seek(self, offset, whence=os.SEEK_SET):
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer):
        view = memoryview(buffer).cast("B")
        if self._at < len(self._head):
            part = self._head[self._at : self._at + len(view)]
        else:
            self._file.seek(self._at - len(self._head) + self._drop)
            part = self._file.read(len(view))
        view[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self):
        self._file.close()
        super().close()
