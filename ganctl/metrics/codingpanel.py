"""Scores an autoencoder: what it draws from its prior as any generator, and how well it gives pictures back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from ganctl.errors import NotFinite
from ganctl.games.coding import Coding
from ganctl.games.game import Generative
from ganctl.metrics.baselines import whole_bytes
from ganctl.metrics.contract import Contract
from ganctl.metrics.fidelity import Measured
from ganctl.metrics.keys import ON_Y, RETURNED
from ganctl.metrics.pairs import l1, psnr, ssim
from ganctl.metrics.panel import Panel
from ganctl.precision import repeatable


class CodingPanel(Panel):
    """PSNR, SSIM and L1 of as many of the reference pictures as there are samples, against what comes back of them."""

    beyond: ClassVar = RETURNED

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for key in super().keys if key not in ON_Y)

    def contract_of(self, key: str) -> Contract:
        if key in RETURNED:
            given, count = self.contract, len(self.given_back)
            return replace(given, count=count, extractor="reconstructions", extractor_id="", resizer="none")
        return super().contract_of(key)

    @property
    def given_back(self) -> Tensor:
        """Rows of the pictures that are to come back."""
        return self.rows[: self.count]

    def measure_game(self, game: Generative) -> Mapping[str, Measured]:
        """Means over pictures. Raises NotFinite where one comes back as no number."""
        assert isinstance(game, Coding)  # the panel was chosen for it
        wanted = {key: measure for key, measure in (("psnr", psnr), ("ssim", ssim), ("l1", l1)) if key in self.metrics}
        sums = dict.fromkeys(wanted, 0.0)
        for pixels, _ in self.reals.batches(self.given_back) if wanted else ():
            target = pixels.to(self.device).float() / 255
            with torch.no_grad(), repeatable(), torch.autocast(self.device.type, enabled=False):
                output = game.reconstruct(target * 2 - 1)
            if not output.isfinite().all():
                raise NotFinite("a reconstruction is not finite; nothing was scored")
            for key, measure in wanted.items():
                sums[key] += len(target) * measure(whole_bytes(output), target)
        return {key: Measured(total / len(self.given_back)) for key, total in sums.items()}
