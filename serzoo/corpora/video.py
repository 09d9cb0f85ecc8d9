"""Take the sound out of the videos of a corpus, once, with ffmpeg.

The sound goes to a folder ``serzoo_sound`` in the root of the corpus, one WAV file at 16 kHz for each video, under the
same path. Nothing else in a root is ever written.
"""

import os
import shutil
import subprocess
from collections.abc import Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from serzoo.errors import CorpusError

SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".flv")
FOLDER = "serzoo_sound"


def with_sound(root: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replace the videos of a table by files with their sound, which are made where they are not there yet.

    Args:
        root: the root that the files are relative to.
        rows: of a scan; those whose file is no video come back as they are.

    Returns:
        The rows in their order. A video whose sound could not be taken out keeps its row, so that whoever reads it
        names it.

    Raises:
        CorpusError: if sound is missing and ffmpeg is not there, cannot write, or fails on every video.

    Example:
        >>> with_sound(Path("."), [{"file": "a.wav"}])
        [{'file': 'a.wav'}]
    """
    videos = [row["file"] for row in rows if row["file"].lower().endswith(SUFFIXES)]
    wanted = {file: f"{FOLDER}/{file.rpartition('.')[0]}.wav" for file in videos}
    missing = [file for file in videos if not (root / wanted[file]).is_file()]
    if missing:
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            raise CorpusError(
                f"{len(missing)} files are videos, the first {missing[0]}, and ffmpeg, which takes their sound out, is "
                "not on the path. Install it, or put a .wav file of the same name in the place of each."
            )
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            errors = list(pool.map(lambda file: _extract(ffmpeg, root / file, root / wanted[file]), missing))
        if all(errors) and len(missing) == len(videos):
            raise CorpusError(f"ffmpeg took no sound out of {len(missing)} videos. {missing[0]}: {errors[0]}")
    return [row | {"file": _sound_of(root, row["file"], wanted)} for row in rows]


def sound_first(files: Mapping[str, Hashable]) -> list[str]:
    """Leave out the videos that have a sound file beside them: the same utterance, heard without ffmpeg.

    Args:
        files: path to what names the utterance.

    Returns:
        The other paths, in their order.

    Example:
        >>> sound_first({"a.avi": 1, "a.wav": 1, "b.avi": 2})
        ['a.wav', 'b.avi']
    """
    heard = {key for file, key in files.items() if not file.lower().endswith(SUFFIXES)}
    return [file for file, key in files.items() if key not in heard or not file.lower().endswith(SUFFIXES)]


def _sound_of(root: Path, file: str, wanted: dict[str, str]) -> str:
    return wanted[file] if file in wanted and (root / wanted[file]).is_file() else file


def _extract(ffmpeg: str, video: Path, sound: Path) -> str | None:
    """Write the sound of a video aside and rename it; tell what went wrong."""
    aside = sound.with_name(f".{sound.name}.{os.getpid()}.partial")
    options = [
        "-nostdin",
        "-v",
        "error",
        "-y",
        "-i",
        str(video),
        "-vn",
        "-ac",
        "1",
        "-ar",
        "16000",
        "-c:a",
        "pcm_s16le",
    ]
    try:
        sound.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([ffmpeg, *options, "-f", "wav", str(aside)], capture_output=True, text=True, check=False)
        if done.returncode:
            return " ".join(done.stderr.split()) or f"ffmpeg ended with {done.returncode}"
        os.replace(aside, sound)
    except OSError as error:
        return str(error)
    finally:
        aside.unlink(missing_ok=True)
    return None
