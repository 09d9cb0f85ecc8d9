"""Keras layers of serzoo, on ``keras.ops`` alone: they run on the TensorFlow and JAX backends."""

from serzoo.layers.attention_pooling import AttentionPooling
from serzoo.layers.bidirectional_lstm import BidirectionalLSTM
from serzoo.layers.conv_block import ConvBlock
from serzoo.layers.deltas import Deltas
from serzoo.layers.frame_batch_normalization import FrameBatchNormalization
from serzoo.layers.front_end import front_end
from serzoo.layers.gradient_reversal import GradientReversal
from serzoo.layers.log_mel import LogMel
from serzoo.layers.mel_filter_bank import mel_filter_bank
from serzoo.layers.mix_at_snr import mix_at_snr
from serzoo.layers.mixup import Mixup
from serzoo.layers.random_gain import RandomGain
from serzoo.layers.random_noise import RandomNoise
from serzoo.layers.random_speed import RandomSpeed
from serzoo.layers.spec_augment import SpecAugment
from serzoo.layers.standardize import Standardize
from serzoo.layers.valid_mask import valid_mask

__all__ = [
    "AttentionPooling",
    "BidirectionalLSTM",
    "ConvBlock",
    "Deltas",
    "FrameBatchNormalization",
    "GradientReversal",
    "LogMel",
    "Mixup",
    "RandomGain",
    "RandomNoise",
    "RandomSpeed",
    "SpecAugment",
    "Standardize",
    "front_end",
    "mel_filter_bank",
    "mix_at_snr",
    "valid_mask",
]
