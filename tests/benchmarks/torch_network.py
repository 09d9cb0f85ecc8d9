"""``cnn_ablstm_mtl`` in PyTorch, as a PyTorch user would write it: the yardstick of the benchmarks.

From the waveform to the probabilities of each head, front end and padding rules included, with the weights of a Keras
model copied in. Nothing of serzoo runs inside: only the sizes, the mel filters and the weights are read from the model.
"""

import math

import numpy as np
import torch
from torch import nn


class TorchNetwork(nn.Module):
    """The network of ``serzoo.models.cnn_ablstm`` with the weights of a model.

    In training the batch statistics count the padding, which the Keras network leaves out; where all clips have the
    same length the two agree.

    Args:
        model: classifier that ``serzoo.models.cnn_ablstm.build`` has built.

    Call arguments:
        waveform: float32, shape ``(batch, samples)``.
        num_samples: integers, shape ``(batch,)``; None where all samples of all clips are valid.

    Returns:
        ``{task: (batch, classes)}``, probabilities.

    Example:
        >>> network = TorchNetwork(serzoo.load("cnn_ablstm_mtl")).eval()
        >>> network(torch.randn(2, 48000))["emotion"].shape  # (2, 7)
    """

    def __init__(self, model):
        super().__init__()
        self.log_mel = LogMel(model.get_layer("log_mel"))
        self.delta_width = model.get_layer("deltas").width
        standardize = model.get_layer("standardize")
        if standardize.mode != "utterance":
            raise ValueError(f"TorchNetwork standardises each clip by itself. Received: mode={standardize.mode!r}.")
        axes = (1, 2) if standardize.axes == "all" else (1,)
        self.statistics = axes, standardize.epsilon, standardize.active_db
        self.blocks = nn.ModuleList(ConvBlock(model.get_layer(f"conv{i}")) for i in range(1, 6))
        self.dropout = nn.Dropout(model.get_layer("dropout_before").rate)
        self.blstm = _blstm(model.get_layer("blstm"))
        self.attention = AttentionPooling(model.get_layer("attention"))
        self.heads = nn.ModuleDict({task: _dense(model.get_layer(task)) for task in model.heads})

    def forward(self, waveform, num_samples=None):
        return {task: torch.softmax(x, -1) for task, x in self.logits(waveform, num_samples).items()}

    def logits(self, waveform, num_samples=None):
        """What the softmax of each head is taken of, with the arguments of the call."""
        x, n = self.log_mel(waveform, num_samples)  # (batch, frames, mels)
        x = standardized(with_deltas(x, n, self.delta_width), n, *self.statistics)  # (batch, frames, mels, 3)
        x = x.permute(0, 3, 1, 2)  # (batch, 3, frames, mels)
        for block in self.blocks:
            x, n = block(x, n)
        x = x.permute(0, 2, 3, 1).flatten(2)  # (batch, frames / 4, mels / 16 * filters)
        x = self._recurrence(self.dropout(x), n)  # (batch, frames / 4, 2 * units)
        x = self.dropout(self.attention(x, n))  # (batch, 2 * units)
        return {task: head(x) for task, head in self.heads.items()}

    def _recurrence(self, x, n):
        if n is None:
            return self.blstm(x)[0]
        packed = nn.utils.rnn.pack_padded_sequence(x, n, batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(self.blstm(packed)[0], batch_first=True, total_length=x.shape[1])[0]


class LogMel(nn.Module):
    """Natural logarithm of the mel-band power; frames are not centred, a short clip is one frame."""

    def __init__(self, layer):
        super().__init__()
        self.fft_size, self.floor = layer.fft_size, layer.floor
        self.window_size = round(layer.window_ms * layer.sample_rate_hz / 1000)
        self.hop_size = round(layer.hop_ms * layer.sample_rate_hz / 1000)
        window = {"hamming": torch.hamming_window, "hann": torch.hann_window}[layer.window]
        self.register_buffer("window", window(self.window_size, periodic=True))
        self.register_buffer("filters", torch.from_numpy(layer._filters))

    def forward(self, waveform, num_samples):
        if num_samples is not None:
            waveform = waveform * valid(num_samples, waveform.shape[1])
            num_samples = (1 + (num_samples - self.fft_size).div(self.hop_size, rounding_mode="floor")).clamp(min=1)
        waveform = nn.functional.pad(waveform, (0, max(0, self.fft_size - waveform.shape[1])))
        spectrum = torch.stft(
            waveform,
            self.fft_size,
            self.hop_size,
            self.window_size,
            self.window,
            center=False,
            return_complex=True,
        )  # (batch, bins, frames)
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.log((power.transpose(1, 2) @ self.filters).clamp(min=self.floor)), num_samples


class ConvBlock(nn.Module):
    """Convolution, batch normalisation, ReLU, max-pooling, dropout; zeros beyond the valid frames."""

    def __init__(self, layer):
        super().__init__()
        kernel = layer.conv.kernel.numpy().transpose(3, 2, 0, 1)  # (filters, channels, frames, bands)
        padding = [size // 2 for size in kernel.shape[2:]]
        self.conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2:], layer.strides, padding, bias=False)
        self.norm = nn.BatchNorm2d(kernel.shape[0], layer.norm.epsilon, 1 - layer.norm.momentum)
        self.pool = nn.MaxPool2d(layer.pool_size, ceil_mode=True) if layer.pool_size else nn.Identity()
        self.dropout = nn.Dropout(layer.dropout)
        self.frame_steps = (layer.strides[0], layer.pool_size[0] if layer.pool_size else 1)
        _set(self.conv.weight, kernel)
        _set(self.norm.weight, layer.norm.gamma)
        _set(self.norm.bias, layer.norm.beta)
        _set(self.norm.running_mean, layer.norm.moving_mean)
        _set(self.norm.running_var, layer.norm.moving_variance)

    def forward(self, x, n):
        x = torch.relu(self.norm(self.conv(x)))
        if n is not None:
            stride, pool = self.frame_steps
            n = (n + stride - 1) // stride
            x = x * valid(n, x.shape[2])[:, None, :, None]
            n = (n + pool - 1) // pool
        return self.dropout(self.pool(x)), n


class AttentionPooling(nn.Module):
    """Mean of the frames, weighted by a softmax over ``v' tanh(W h + b)``."""

    def __init__(self, layer):
        super().__init__()
        self.hidden = nn.Linear(*layer.hidden.shape)
        self.query = nn.Linear(layer.units, 1, bias=False)
        _set(self.hidden.weight, layer.hidden.numpy().T)
        _set(self.hidden.bias, layer.bias)
        _set(self.query.weight, layer.query.numpy().T)

    def forward(self, x, n):
        score = self.query(torch.tanh(self.hidden(x)))[..., 0]
        if n is not None:
            score = score.masked_fill(~valid(n, x.shape[1]), -torch.inf)
        return (torch.softmax(score, -1)[:, None] @ x)[:, 0]


def with_deltas(x, n, width):
    """Stack features, deltas and delta-deltas: ``(batch, frames, mels)`` to ``(batch, frames, mels, 3)``."""
    delta = _regress(x, n, width)
    return torch.stack([x, delta, _regress(delta, n, width)], -1)


def standardized(x, n, axes, epsilon, active_db):
    """Zero mean and unit deviation over the valid frames, or the active ones among them; zero beyond the valid ones."""
    if n is None and active_db is None:
        std, mean = torch.std_mean(x, axes, correction=0, keepdim=True)
        return (x - mean) / (std + epsilon)
    mask = torch.ones(1, x.shape[1], dtype=torch.bool, device=x.device) if n is None else valid(n, x.shape[1])
    weight = mask.float()
    if active_db is not None:  # 1 down to so far below the loudest frame, then falling to 0 over 10 dB
        level_db = torch.logsumexp(x[..., 0], 2) * (10 / math.log(10))
        level_db = level_db.masked_fill(~mask, -1e9)
        weight = (1 - (level_db.amax(1, keepdim=True) - level_db - active_db) / 10).clamp(0, 1)
    weight = weight[:, :, None, None]
    count = weight.sum(1, keepdim=True) * (x.shape[2] if 2 in axes else 1)
    x = x - (x * weight).sum(axes, keepdim=True) / count
    std = ((x.square() * weight).sum(axes, keepdim=True) / count).sqrt()
    x = x / (std + epsilon)
    return x if n is None else x * mask[:, :, None, None]


def valid(lengths, size):
    """Tell the valid positions from the padding: booleans of shape ``(batch, size)``."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def _regress(x, n, width):
    frames = x.shape[1]
    position = torch.arange(-width, frames + width, device=x.device).clamp(min=0)
    if n is None:
        x = x[:, position.clamp(max=frames - 1)]
    else:  # copies of each clip's own last frame follow it
        position = torch.minimum(position[None], n[:, None] - 1)
        x = x.gather(1, position[..., None].expand(-1, -1, x.shape[2]))
    steps = range(1, width + 1)
    total = sum(k * (x[:, width + k : width + k + frames] - x[:, width - k : width - k + frames]) for k in steps)
    return total / (2 * sum(k * k for k in steps))


def _blstm(layer):
    lstm = nn.LSTM(layer.forward.cell.kernel.shape[0], layer.units, batch_first=True, bidirectional=True)
    for suffix, direction in (("", layer.forward), ("_reverse", layer.backward)):
        cell = direction.cell  # both order the gates input, forget, cell, output
        _set(getattr(lstm, f"weight_ih_l0{suffix}"), cell.kernel.numpy().T)
        _set(getattr(lstm, f"weight_hh_l0{suffix}"), cell.recurrent_kernel.numpy().T)
        _set(getattr(lstm, f"bias_ih_l0{suffix}"), cell.bias)
        _set(getattr(lstm, f"bias_hh_l0{suffix}"), np.zeros(4 * layer.units, "float32"))
    return lstm


def _dense(layer):
    linear = nn.Linear(*layer.kernel.shape)
    _set(linear.weight, layer.kernel.numpy().T)
    _set(linear.bias, layer.bias)
    return linear


@torch.no_grad()
def _set(parameter, value):
    parameter.copy_(torch.from_numpy(np.array(value, "float32")))
