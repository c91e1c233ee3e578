"""A small text encoder that needs no vocabulary: words are hashed, so that a new one is no error."""

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from ganctl.networks.interfaces import TextEncoder
from ganctl.networks.layers import at_least_one
from ganctl.text import folded
from ganctl.transfer import constant

FACTORS = (257, 65_599)  # of two hashes, so that two words hardly ever share both
MODULUS = 2**31 - 1  # sums of thousands of smaller numbers fit int64


class HashedWords(TextEncoder):
    """Words with places through one convolution, the mean over words, one linear map; brought to mean 0, variance 1.

    Each word is the sum of two rows of a table, chosen by two hashes of its bytes (Svenstrup et al. 2017). The
    convolution sees three neighbours and where they stand, so "red on blue" is not "blue on red".

    buckets: rows of the table; words: of a caption, later ones are not read; width: numbers of a word.
    """

    def __init__(self, text_size: int = 64, width: int = 64, buckets: int = 4096, words: int = 32) -> None:
        super().__init__()
        at_least_one(text_size=text_size, width=width, buckets=buckets, words=words)
        self.text_size, self.buckets, self.words = text_size, buckets, words
        self.table = nn.Embedding(buckets + 1, width, padding_idx=0)
        self.places = nn.Parameter(torch.randn(words, width) / sqrt(width))
        self.around = nn.Conv1d(width, width, 3, padding=1)
        self.last = nn.Linear(width, text_size)

    def forward(self, caption: Tensor) -> Tensor:
        rows = hashed_words(caption, self.words, self.buckets)  # [2, B, words]
        there = (rows[0] > 0)[:, :, None]  # [B, words, 1]
        words = (self.table(rows).sum(0) + self.places) * there
        seen = self.around(words.mT).relu().mT * there  # [B, words, width]
        mean = seen.sum(1) / there.sum(1).clamp(min=1)
        return layer_norm(self.last(mean).float(), (self.text_size,))


def letters(caption: Tensor) -> Tensor:
    """Which bytes belong to words: digits, letters, and all that is not ASCII."""
    digit = (caption >= ord("0")) & (caption <= ord("9"))
    return digit | ((caption >= ord("a")) & (caption <= ord("z"))) | (caption >= 128)


def hashed_words(caption: Tensor, words: int, buckets: int) -> Tensor:
    """[B, L] bytes -> [2, B, words] rows 1 to `buckets` of each word by two hashes; 0: no more words.

    A hash is the sum of byte * factor^place over the word's bytes, modulo a prime, modulo `buckets`.
    """
    caption = folded(caption)
    inside = letters(caption)
    begins = inside & ~torch.cat((torch.zeros_like(inside[:, :1]), inside[:, :-1]), 1)
    word = begins.cumsum(1) - 1  # that a byte belongs to
    column = torch.arange(caption.shape[1], device=caption.device).expand_as(caption)
    place = column - torch.where(begins, column, 0).cummax(1).values  # in its word, from 0
    kept = inside & (word < words)
    rows = [hashed(caption, torch.where(kept, word, words), place, words, factor) for factor in FACTORS]
    count = torch.where(kept, word + 1, 0).amax(1, keepdim=True)  # [B, 1]
    there = torch.arange(words, device=caption.device) < count
    return (torch.stack(rows) % buckets + 1) * there


def hashed(caption: Tensor, word: Tensor, place: Tensor, words: int, factor: int) -> Tensor:
    """[B, words] hashes below MODULUS; bytes whose word is number `words` are left out."""
    powers = constant(powers_of(factor, caption.shape[1]), torch.int64, caption.device)
    terms = caption * powers[place] % MODULUS
    sums = torch.zeros(len(caption), words + 1, dtype=torch.int64, device=caption.device)
    return sums.scatter_add_(1, word, terms)[:, :words] % MODULUS


def powers_of(factor: int, count: int) -> tuple[int, ...]:
    """factor^0, factor^1, ... modulo MODULUS."""
    powers = [1]
    while len(powers) < count:
        powers.append(powers[-1] * factor % MODULUS)
    return tuple(powers)
