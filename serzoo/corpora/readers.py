"""The readers: each corpus beside the module that knows it."""

import importlib
from types import ModuleType

from serzoo.corpora.corpus import CorpusInfo
from serzoo.errors import unknown_name

# One line for each corpus: a module with INFO and scan(root).
MODULES = {
    "afew": "serzoo.corpora.afew",
    "avec": "serzoo.corpora.avec",
    "crema_d": "serzoo.corpora.crema_d",
    "emodb": "serzoo.corpora.emodb",
    "emodb_first2s": "serzoo.corpora.emodb_first2s",
    "emovo": "serzoo.corpora.emovo",
    "esd": "serzoo.corpora.esd",
    "iemocap": "serzoo.corpora.iemocap",
    "meld": "serzoo.corpora.meld",
    "msp_improv": "serzoo.corpora.msp_improv",
    "ravdess": "serzoo.corpora.ravdess",
    "savee": "serzoo.corpora.savee",
    "table": "serzoo.corpora.table",
    "tess": "serzoo.corpora.tess",
    "urdu": "serzoo.corpora.urdu",
}


def names() -> list[str]:
    """List the corpora that can be read.

    Example:
        >>> names()[:3]
        ['afew', 'avec', 'crema_d']
    """
    return sorted(MODULES)


def info(name: str) -> CorpusInfo:
    """Return the official numbers, reference and licence of a corpus.

    Args:
        name: one of :func:`names`.

    Raises:
        UnknownNameError: if there is no such corpus.

    Example:
        >>> info("ravdess").num_files
        1440
    """
    return module_of(name).INFO


def module_of(name: str) -> ModuleType:
    """Import the module of a corpus, by its name or ``"table:NAME"``.

    Raises:
        UnknownNameError: if there is no such corpus.
    """
    kind, colon, own = name.partition(":")
    if kind not in MODULES or (colon and (kind != "table" or not own)):
        raise unknown_name("corpus", name, [*MODULES, "table:NAME"])
    return importlib.import_module(MODULES[kind])


def may_be_file(module: ModuleType) -> bool:
    """Whether the root of a corpus may be a file, as that of a table is."""
    return getattr(module, "ROOT_MAY_BE_FILE", False)
