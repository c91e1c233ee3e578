"""Captions through a pretrained sentence embedding, never trained here: an optional extra."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Protocol

import torch
from torch import Tensor

from ganctl.networks.interfaces import TextEncoder
from ganctl.networks.layers import at_least_one
from ganctl.text import as_texts
from ganctl.transfer import handed

KEPT = 100_000  # vectors remembered, at most


class Embedder(Protocol):
    """What is asked of sentence-transformers."""

    def encode(self, sentences: Sequence[str], **settings: Any) -> Tensor:
        """[N, text_size]."""


class Sentences(TextEncoder):
    """A model of the library sentence-transformers (Reimers and Gurevych 2019): by its name there, or from a folder.

    The model is loaded at the first caption; it is no part of checkpoints, which so need it again. Each caption is
    embedded once and remembered.
    """

    def __init__(self, model: str = "all-MiniLM-L6-v2", text_size: int = 384) -> None:
        super().__init__()
        at_least_one(text_size=text_size)
        if find_spec("sentence_transformers") is None:
            raise ValueError(
                "the library sentence-transformers is not installed; install it with "
                "pip install 'sentence-transformers>=5', "
                "or take the built-in encoder, ganctl.networks.text.HashedWords"
            )
        self.model, self.text_size = model, text_size
        self.known: dict[str, Tensor] = {}
        self.loaded: list[Embedder] = []  # in a list, so that its weights do not become this module's

    def forward(self, caption: Tensor) -> Tensor:
        texts = as_texts(caption)
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            if len(self.known) + len(new) > KEPT:
                self.known.clear()
                new = list(dict.fromkeys(texts))
            self.known.update(zip(new, self.embedded(new), strict=True))
        return handed(torch.stack([self.known[text] for text in texts]), caption.device)

    def embedded(self, texts: Sequence[str]) -> Tensor:
        """[N, text_size] on the CPU, each with mean square 1. Raises ValueError where the model is of another size."""
        if not self.loaded:
            from sentence_transformers import SentenceTransformer

            self.loaded.append(SentenceTransformer(self.model, device="cpu"))
        with torch.no_grad():
            found = self.loaded[0].encode(texts, convert_to_tensor=True, show_progress_bar=False)
        found = found.detach().float().cpu().clone()
        if found.shape[1] != self.text_size:
            raise ValueError(f"text_size: {self.text_size}; {self.model} gives {found.shape[1]}; set it to that")
        return found / found.square().mean(1, keepdim=True).sqrt().clamp(min=1e-6)
