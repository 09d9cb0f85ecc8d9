"""Clips on their way into a training, and what goes wrong there, said in a sentence."""

import contextlib
import errno
import os
from collections.abc import Iterator

import numpy as np

from serzoo.errors import RunError, SerzooError


class WatchedClips:
    """Clips between a training and tf.data.

    They remember why one of them could not be read, since tf.data makes each error one of its own. And they can be let
    go: TensorFlow never frees the functions of tf.data, and with them it would keep the sound of every fold.
    """

    def __init__(self, clips):
        self._clips = clips
        self._in_graph: set[int] = set()  # what tensorflow-io is decoding
        self.error: SerzooError | None = None
        if hasattr(clips, "source"):
            self.source, self.keep = self._source, self._keep

    def release(self) -> None:
        """Let go of the clips; what is still read ahead is silence that nobody hears."""
        self._clips = None

    def __getitem__(self, index: int) -> np.ndarray:
        if (clips := self._clips) is None:
            return np.zeros(1, "float32")
        try:
            return clips[index]
        except SerzooError as error:
            self.error = error
            raise

    def look_again(self) -> None:
        """Read what tensorflow-io was decoding when something failed: its errors name no file."""
        with contextlib.suppress(SerzooError):
            for index in sorted(self._in_graph):
                self[index]

    def _source(self, index: int):
        if (clips := self._clips) is None or (found := clips.source(index)) is None:
            return None
        self._in_graph.add(index)
        return found

    def _keep(self, index: int, clip: np.ndarray) -> None:
        self._in_graph.discard(index)
        if (clips := self._clips) is not None:
            clips.keep(index, clip)


@contextlib.contextmanager
def plain_errors(clips: WatchedClips, batch_size: int) -> Iterator[None]:
    """Say in a sentence what a backend says in a page."""
    try:
        yield
    except (SerzooError, OSError):
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if clips.error is None:
            clips.look_again()
        if clips.error is not None:
            raise clips.error from error
        for number in (errno.ENOSPC, errno.EROFS, errno.EACCES):
            if os.strerror(number) in text:  # from the TensorBoard writer
                raise OSError(number, os.strerror(number)) from error
        if "ResourceExhausted" in text or "RESOURCE_EXHAUSTED" in text:
            smaller = f"training.batch_size={batch_size // 2}" if batch_size > 1 else "a smaller augmentation.crop_s"
            raise RunError(f"The device has no memory for batches of {batch_size} clips: try {smaller}.") from error
        raise
    finally:
        clips.release()
