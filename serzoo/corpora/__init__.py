"""Corpora: a root folder in its official layout becomes a pandas table; named protocols make folds of it.

The table has one row for each utterance and the columns ``corpus``, ``file`` (posix path relative to the root),
``start`` and ``end`` (seconds; NaN: the whole file), ``emotion`` (canonical name; NaN: the annotators disagree),
``gender`` (``"female"``, ``"male"`` or NaN), ``speaker``, ``session`` and ``text``, followed by what the corpus alone
has. Reading it looks at file names, and at label files where a corpus has them, not at the sound (``emodb_first2s``
does, to find where its padding starts).

A corpus that is not here is read as ``"table"``, from a CSV, Parquet or JSONL file or an audformat database; several of
them are told apart as ``"table:NAME"``.

Example:
    >>> from serzoo import corpora
    >>> table = corpora.read("ravdess", "RAVDESS")  # doctest: +SKIP
    >>> folds = corpora.protocol("ravdess8-5fold").folds(table)  # doctest: +SKIP
"""

from serzoo.corpora.check import Report, check
from serzoo.corpora.corpus import COLUMNS, EMOTIONS, OWN_LICENCE, CorpusInfo, Scan
from serzoo.corpora.cross import PATTERN as CROSS_PATTERN
from serzoo.corpora.cross import cross
from serzoo.corpora.fetch import fetch
from serzoo.corpora.fingerprint import LABELS as FINGERPRINT_LABELS
from serzoo.corpora.fingerprint import fingerprints
from serzoo.corpora.folds import Fold, all_speakers
from serzoo.corpora.named_protocols import protocol, protocol_names
from serzoo.corpora.noise import (
    NOISE_COLUMNS,
    babble,
    noise_layout,
    noise_names,
    noise_waveform,
    read_noise,
    scan_noise,
)
from serzoo.corpora.own import PATTERN as OWN_PATTERN
from serzoo.corpora.protocols import Protocol
from serzoo.corpora.readers import info, names
from serzoo.corpora.reading import folder, folders, read, read_many, scan

__all__ = [
    "COLUMNS",
    "CROSS_PATTERN",
    "OWN_PATTERN",
    "EMOTIONS",
    "OWN_LICENCE",
    "FINGERPRINT_LABELS",
    "NOISE_COLUMNS",
    "CorpusInfo",
    "Fold",
    "Protocol",
    "Report",
    "Scan",
    "all_speakers",
    "babble",
    "check",
    "fetch",
    "fingerprints",
    "cross",
    "folder",
    "folders",
    "info",
    "names",
    "noise_layout",
    "noise_names",
    "noise_waveform",
    "protocol",
    "protocol_names",
    "read",
    "read_many",
    "read_noise",
    "scan",
    "scan_noise",
]
