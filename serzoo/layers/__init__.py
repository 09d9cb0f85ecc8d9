"""Keras layers of serzoo, on ``keras.ops`` alone: they run on the TensorFlow and JAX backends."""

from serzoo.versions import check_keras

check_keras()  # first: an old Keras fails below in ways that do not name it

from serzoo.layers.active_blocks import active_blocks, active_samples
from serzoo.layers.adversarial import adversarial_objectives, discriminator
from serzoo.layers.attention_pooling import AttentionPooling
from serzoo.layers.bidirectional_lstm import BidirectionalLSTM
from serzoo.layers.common_subspace import CommonSubspace
from serzoo.layers.conv_block import ConvBlock
from serzoo.layers.deltas import Deltas
from serzoo.layers.domain_discrepancy import DomainDiscrepancy
from serzoo.layers.encoders import conv_stem, frame_encoder, noise_encoder
from serzoo.layers.frame_batch_normalization import FrameBatchNormalization
from serzoo.layers.frame_decoder import FrameDecoder
from serzoo.layers.frame_error import FrameError
from serzoo.layers.front_end import front_end
from serzoo.layers.gradient_reversal import GradientReversal
from serzoo.layers.log_mel import LogMel
from serzoo.layers.mask_steps import MaskSteps
from serzoo.layers.mel_filter_bank import mel_filter_bank
from serzoo.layers.mix_at_snr import MixAtSNR, mix_at_snr
from serzoo.layers.mixup import Mixup
from serzoo.layers.objectives import check_objectives, reconstruction
from serzoo.layers.prior_matching import PriorMatching
from serzoo.layers.random_gain import RandomGain
from serzoo.layers.random_noise import RandomNoise
from serzoo.layers.random_silence import RandomSilence
from serzoo.layers.random_speed import RandomSpeed
from serzoo.layers.reverberate import Reverberate
from serzoo.layers.segment_classifier import SegmentClassifier, noise_segment_samples
from serzoo.layers.segment_noise_loss import SegmentNoiseLoss, segment_noise_classes
from serzoo.layers.segments import JoinSegments, MaxOverSegments, NumSteps, Segments
from serzoo.layers.self_attention import SelfAttention
from serzoo.layers.softmax_heads import softmax_heads
from serzoo.layers.spec_augment import SpecAugment
from serzoo.layers.specific_map import SpecificMap
from serzoo.layers.spectral_subtraction import SpectralSubtraction
from serzoo.layers.speech_weight import SpeechWeight
from serzoo.layers.stack_frames import StackFrames
from serzoo.layers.standardize import Standardize
from serzoo.layers.statistics_pooling import StatisticsPooling
from serzoo.layers.transformer_block import TransformerBlock
from serzoo.layers.valid_mask import valid_mask
from serzoo.layers.wavelet_shrinkage import WaveletShrinkage
from serzoo.layers.weighted_sum import WeightedSum

__all__ = [
    "AttentionPooling",
    "BidirectionalLSTM",
    "CommonSubspace",
    "ConvBlock",
    "Deltas",
    "DomainDiscrepancy",
    "FrameBatchNormalization",
    "FrameDecoder",
    "FrameError",
    "GradientReversal",
    "JoinSegments",
    "LogMel",
    "MaskSteps",
    "MaxOverSegments",
    "MixAtSNR",
    "Mixup",
    "NumSteps",
    "PriorMatching",
    "RandomGain",
    "RandomNoise",
    "RandomSilence",
    "RandomSpeed",
    "Segments",
    "SelfAttention",
    "Reverberate",
    "SegmentClassifier",
    "SegmentNoiseLoss",
    "SpecAugment",
    "SpecificMap",
    "StackFrames",
    "SpectralSubtraction",
    "SpeechWeight",
    "Standardize",
    "StatisticsPooling",
    "TransformerBlock",
    "WaveletShrinkage",
    "WeightedSum",
    "active_blocks",
    "active_samples",
    "adversarial_objectives",
    "check_objectives",
    "conv_stem",
    "discriminator",
    "frame_encoder",
    "front_end",
    "mel_filter_bank",
    "mix_at_snr",
    "noise_encoder",
    "reconstruction",
    "noise_segment_samples",
    "segment_noise_classes",
    "softmax_heads",
    "valid_mask",
]
