"""serzoo: a model zoo for speech emotion recognition in Keras 3.

Nothing heavy is imported until it is touched: ``import serzoo`` needs no Keras, ``serzoo.load`` does.

Example:
    >>> import serzoo
    >>> model = serzoo.load("cnn_ablstm_mtl")  # doctest: +SKIP
    >>> model.classify("call.mp3")  # doctest: +SKIP
    [{'label': 'anger', 'score': 0.81}, ...]
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# public name -> where it lives; "module:name", or a module alone
_PUBLIC = {
    "SerzooError": "serzoo.errors:SerzooError",
    "audio": "serzoo.audio",
    "audit": "serzoo.evaluation.audit:audit",
    "building": "serzoo.building",
    "config": "serzoo.config",
    "corpora": "serzoo.corpora",
    "errors": "serzoo.errors",
    "evaluate": "serzoo.evaluation:evaluate",
    "evaluation": "serzoo.evaluation",
    "export": "serzoo.export",
    "layers": "serzoo.layers",
    "list_models": "serzoo.registry:list_models",
    "load": "serzoo.zoo:load",
    "metrics": "serzoo.metrics",
    "models": "serzoo.models",
    "pipeline": "serzoo.pipeline",
    "registry": "serzoo.registry",
    "serving": "serzoo.serving",
    "pretrain": "serzoo.training:pretrain",
    "search": "serzoo.training:search",
    "train": "serzoo.training:train",
    "training": "serzoo.training",
    "zoo": "serzoo.zoo",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'serzoo' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    found = importlib.import_module(module)
    value = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
