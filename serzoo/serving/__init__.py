"""Asking a model that TensorFlow Serving serves, over REST or gRPC, with neither Keras nor the model on this side."""

from serzoo.serving.client import LENGTHS_S, MAX_BATCH_SIZE, Client, name_of_length

__all__ = ["LENGTHS_S", "MAX_BATCH_SIZE", "Client", "name_of_length"]
