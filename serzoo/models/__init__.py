"""The networks: one file per paper, each with one ``build`` function, and the classifier that they all return."""

from serzoo.models.classifier import Classifier

__all__ = ["Classifier"]
