"""The three networks of the SAM-edge paper (arXiv:2309.12488), of any size."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import nn


def mlp(inputs: int, outputs: int, *, width: int, hidden: int = 3) -> nn.Module:
    """Return a ReLU network with Glorot normal weights; 784, 10, width=1000 has the paper's 2 797 010 parameters."""
    sizes = [inputs, *[width] * hidden, outputs]
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return _glorot(nn.Sequential(*layers[:-1]))


def cnn(shape: tuple[int, int, int], outputs: int, *, channels: tuple[int, ...]) -> nn.Module:
    """Return blocks of 3x3 convolution, ReLU, layer norm over channels and 2x2 max-pooling, then a dense layer.

    Args:
        shape: (channels, height, width) of an image.
        outputs: Number of classes.
        channels: Channels of each block; (16, 32) on CIFAR-10 has the paper's 25 674 parameters.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise((shape[0], *channels)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), _ChannelNorm(after), nn.MaxPool2d(2)]
    pooled = [length // 2 ** len(channels) for length in shape[1:]]
    return _glorot(nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * prod(pooled), outputs)))


class _ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of every pixel."""

    def forward(self, x: Any) -> Any:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Transformer(nn.Module):
    """A causal pre-norm Transformer on characters; the defaults have the paper's 1 626 496 parameters.

    Args:
        tokens: Size of the alphabet.
        length: Longest sequence.
        width: Numbers that stand for a character.
        layers: Blocks.
        heads: Heads of attention in a block.
        key: Numbers in a key of one head.
    """

    def __init__(
        self, tokens: int = 128, length: int = 64, width: int = 128, layers: int = 6, heads: int = 8, key: int = 32
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(tokens, width)
        self.places = nn.Parameter(torch.empty(length, width))
        self.blocks = nn.Sequential(*(_Block(width, heads, key) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, tokens)
        _glorot(self)
        for table in (self.tokens.weight, self.places):
            nn.init.normal_(table)  # layer norm follows: small ones would have a curvature of 1/std²

    def forward(self, text: Any) -> Any:
        """Return logits of the next character, shape (n, length, tokens), of characters of shape (n, length)."""
        x = self.tokens(text) + self.places[: text.shape[1]]
        return self.head(self.norm(self.blocks(x)))


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, key: int) -> None:
        super().__init__()
        self.attention = _Attention(width, heads, key)
        self.mix = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Any) -> Any:
        x = x + self.attention(self.before(x))
        return x + self.mix(self.between(x))


class _Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, width: int, heads: int, key: int) -> None:
        super().__init__()
        self.heads, self.key = heads, key
        self.project = nn.Linear(width, 3 * heads * key)
        self.merge = nn.Linear(heads * key, width)

    def forward(self, x: Any) -> Any:
        n, length, _ = x.shape
        query, key, value = self.project(x).view(n, length, 3, self.heads, self.key).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.merge(mixed.transpose(1, 2).reshape(n, length, -1))


def _glorot(module: nn.Module) -> nn.Module:
    """Draw the weights of linear layers and convolutions from Glorot's normal law; biases are zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


def squared_error(outputs: Any, targets: Any) -> Any:
    """Return the mean over samples and classes of squared errors, without ½: the paper's loss on images."""
    return ((outputs - targets) ** 2).mean()


def next_character(logits: Any, targets: Any) -> Any:
    """Return the mean over samples and places of the negative log-likelihood of the next character."""
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
