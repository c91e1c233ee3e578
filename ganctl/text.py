"""Captions as numbers: UTF-8 bytes, padded with zeros. No vocabulary file is needed to read them later."""

import unicodedata
from collections.abc import Sequence

import torch
from torch import Tensor


def tidied(text: str) -> str:
    """One line without surplus spaces, in composed form (NFC), so that what looks equal is equal."""
    return " ".join(unicodedata.normalize("NFC", text.replace("\0", " ")).split())


def cut(text: str, longest: int) -> bytes:
    """Its UTF-8 bytes, at most `longest` of them, ending with a whole character."""
    return text.encode("utf-8", "replace")[:longest].decode("utf-8", "ignore").encode()


def as_bytes(texts: Sequence[str], longest: int | None = None) -> Tensor:
    """[B, L] int64: a text a row, tidied; L as the longest needs it (1 or more), or `longest`."""
    rows = [cut(tidied(text), longest or len(text.encode("utf-8", "replace"))) for text in texts]
    captions = torch.zeros(len(rows), longest or max(1, *map(len, rows)), dtype=torch.int64)
    for row, data in enumerate(rows):
        captions[row, : len(data)] = torch.tensor(list(data), dtype=torch.int64)
    return captions


def as_texts(captions: Tensor) -> list[str]:
    """[B, L] bytes back to words; what is no UTF-8 becomes a question mark in a diamond."""
    return [bytes(row).rstrip(b"\0").decode("utf-8", "replace") for row in captions.cpu().tolist()]


def folded(captions: Tensor) -> Tensor:
    """[B, L] bytes without capitals (A to Z): "A red circle" and "a red circle" say the same."""
    return torch.where((captions >= ord("A")) & (captions <= ord("Z")), captions + 32, captions)
