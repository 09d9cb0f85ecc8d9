"""Training: a protocol's folds and seeds, run on disk, and the way from a run to published weights."""

from serzoo.training.pretrain import pretrain
from serzoo.training.publish import add_seeds, publish
from serzoo.training.run import train
from serzoo.training.search import search

__all__ = ["add_seeds", "pretrain", "publish", "search", "train"]
