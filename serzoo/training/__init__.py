"""Training: a protocol's folds and seeds, run on disk, and the way from a run to published weights."""

from serzoo.training.pretrain import pretrain
from serzoo.training.publish import publish
from serzoo.training.run import train
from serzoo.training.search import search

__all__ = ["pretrain", "publish", "search", "train"]
