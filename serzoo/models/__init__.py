"""The networks: one file per paper, each with one ``build`` function, and the classifier that they all return."""

from serzoo.versions import check_keras

check_keras()  # first: an old Keras fails below in ways that do not name it

from serzoo.models.classifier import Classifier

__all__ = ["Classifier"]
