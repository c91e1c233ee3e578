"""Scores a game that makes pictures from their pairs: each against its own, and all of them against all.

PSNR, SSIM, L1, LPIPS, and the distances of the two sets; beside them those of simple means.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ganctl.data.batch import Pairs
from ganctl.data.crops import Crops
from ganctl.data.dataset import Table
from ganctl.errors import NotFinite, UserError
from ganctl.games.game import Game, Task, Translating
from ganctl.metrics.baselines import Compared, baseline, means_of, whole_bytes
from ganctl.metrics.contract import Contract, Score, library_versions
from ganctl.metrics.evaluation import Evaluation
from ganctl.metrics.extractors import Extractor, Features, fingerprint
from ganctl.metrics.fidelity import Measured, enough, fewest, fidelity
from ganctl.metrics.isolation import isolated
from ganctl.metrics.keys import NAMES, PAIRS, SETS
from ganctl.metrics.pairs import Channel, l1, lacks, lpips, prepare_pair, psnr, ssim
from ganctl.metrics.sheets import join
from ganctl.pictures import grid, to_bytes
from ganctl.precision import repeatable

log = logging.getLogger("ganctl")
BATCH, SEED = 16, 0
SHOWN, SIDE = 6, 128  # pictures on the sheet, and the most pixels of a side of theirs


class PairPanel:
    """Held-out pairs, or those of training where none are held out.

    Super-resolution is judged on whole pictures, also on Y, without `factor` pixels at the borders (Ledig et al. 2017).
    metrics: of psnr, ssim, l1, lpips, fd, kd; None: all that can be taken. count: pairs at most; None: all.
    extractor: for fd and kd, the distances of all outputs from all targets.
    """

    def __init__(
        self,
        table: Table,
        name: str,
        metrics: Sequence[str] | None = None,
        *,
        extractor: Extractor,
        count: int | None = None,
        download: bool = False,
        device: torch.device | str = "cpu",
        averaged: bool = True,
    ) -> None:
        aside = table.held_out()
        if aside is None:
            log.info("No pictures are held out of training: those that it saw are scored")
        self.table, self.download, self.device = aside or table, download, torch.device(device)
        self.extractor = extractor
        self.count = min(len(self.table), count or len(self.table))
        self.border = self.table.factor if isinstance(self.table, Crops) else 0
        self.metrics = self.possible() if metrics is None else tuple(metrics)
        if self.sets and self.border:
            raise UserError(f"metrics: {self.sets[0]} compares sets of pictures of one size; leave it out")
        self.means = means_of(next(self.pairs()))
        self.contract = self.terms(name, "training pictures" if aside is None else "held out", averaged)
        self.latest: np.ndarray | None = None  # sheet of what was scored last: baseline, output, target
        with isolated():
            self.floors = self.score(baseline(pairs, self.means) for pairs in self.pairs())

    @property
    def keys(self) -> tuple[str, ...]:
        """Of the scores that an evaluation gives."""
        return tuple(self.floors)

    @property
    def sets(self) -> tuple[str, ...]:
        """Those of the metrics that compare all outputs with all targets."""
        return tuple(metric for metric in self.metrics if metric in SETS)

    def pairs(self) -> Iterator[Pairs]:
        """What is scored, the same each time: [B, C, H, W] on the table's device."""
        if isinstance(self.table, Crops):
            yield from self.table.wholes(self.count)
            return
        for rows in torch.arange(self.count).split(BATCH):
            found = self.table.batch(rows, torch.Generator().manual_seed(SEED + int(rows[0])))
            assert isinstance(found, Pairs)  # the panel was chosen for it
            yield found

    def possible(self) -> tuple[str, ...]:
        """The metrics that these pictures and this machine allow; says why others are left out."""
        sizes = [(min(pairs.target.shape[2:]) - 2 * self.border, pairs.target.shape[1]) for pairs in self.pairs()]
        side, channels = min(sizes)
        lacking = lacks(side, channels, self.download, self.border)
        for metric, why in lacking.items():
            log.info("%s is left out: it %s", NAMES[metric], why)
        needed = {metric: fewest(metric, self.extractor.feature_size) for metric in SETS if not self.border}
        of_sets = [metric for metric, each in needed.items() if enough(metric, each, self.count, "pairs")]
        return (*(metric for metric in PAIRS if metric not in lacking), *of_sets)

    def terms(self, name: str, split: str, averaged: bool) -> Contract:
        """The conditions of all scores."""
        return Contract(
            reference=name,
            reference_id=fingerprint(*(to_bytes(pairs.target) for pairs in self.pairs())),
            split=split,
            reference_count=self.count,
            count=self.count,
            extractor="pairs",
            extractor_id="",
            resizer=f"none; {self.border} pixels at each border left out" if self.border else "none",
            precision="float32",
            averaged=averaged,
            seed=SEED,
            versions=library_versions(),
        )

    def evaluate(self, game: Game, images_seen: int) -> Evaluation:
        """Translate and score. Random states are left as they were. Raises NotFinite where a picture is not."""
        with isolated():
            found = self.score(self.made(game))
        return Evaluation(images_seen, self.scores(found), beside=self.means)

    def pictures(self, game: Game) -> Mapping[str, np.ndarray]:
        """Pairs scored last, with what was made of them."""
        return {} if self.latest is None else {"pairs": self.latest}

    def made(self, game: Game) -> Iterator[Compared]:
        """The game's pictures beside those that they should be; the first ones go on the sheet."""
        assert isinstance(game, Translating)  # the panel was chosen for it
        rows: list[Tensor] = []
        for pairs in self.pairs():
            with torch.no_grad(), repeatable(), torch.autocast(self.device.type, enabled=False):
                output = game.translate(pairs.source.to(self.device), Task())
            if not output.isfinite().all():
                raise NotFinite("a picture made of a held-out one is not finite; nothing was scored")
            compared = Compared(whole_bytes(output), whole_bytes(pairs.target.to(self.device)))
            if len(rows) < SHOWN:
                rows += triples(baseline(pairs, self.means).output.to(self.device), compared)
            yield compared
        self.latest = sheet(rows[:SHOWN])

    def score(self, batches: Iterator[Compared]) -> dict[str, Measured]:
        """Means over pictures, by key, and the distances of the sets."""
        sums, pictures = dict[str, float](), 0
        outputs, targets = list[Features](), list[Features]()
        for compared in batches:
            size = len(compared.target)
            for key, value in self.measure(compared).items():
                sums[key] = sums.get(key, 0.0) + size * value
            pictures += size
            if self.sets:
                outputs.append(self.seen(compared.output))
                targets.append(self.seen(compared.target))
        found = {key: Measured(value / pictures) for key, value in sums.items()}
        return found | (fidelity(join(outputs), join(targets), self.sets) if self.sets else {})

    def seen(self, pictures: Tensor) -> Features:
        """Of pictures in [0, 1]."""
        eye = self.extractor.to(self.device).eval()
        with torch.no_grad(), repeatable():
            found: Features = eye((pictures * 255).round().to(self.device, torch.uint8))
        return found.map(lambda value: value.float().cpu())

    def measure(self, compared: Compared) -> dict[str, float]:
        """The scores of a batch."""
        values = self.on("rgb", compared)
        if self.border and compared.target.shape[1] == 3:
            values |= {f"{key}_y": value for key, value in self.on("y", compared).items() if key != "l1"}
        if "lpips" in self.metrics:
            values["lpips"] = lpips(compared.output, compared.target, self.download)
        return values

    def on(self, channel: Channel, compared: Compared) -> dict[str, float]:
        """PSNR, SSIM and L1 as far as they are wanted, on all channels or on Y."""
        output, target = (prepare_pair(each, channel, self.border) for each in (compared.output, compared.target))
        measures = {"psnr": psnr, "ssim": ssim, "l1": l1}
        return {key: measure(output, target) for key, measure in measures.items() if key in self.metrics}

    def scores(self, found: Mapping[str, Measured]) -> tuple[Score, ...]:
        """With names and conditions, the baseline's beside them."""
        eye = self.extractor
        of_sets = replace(self.contract, extractor=eye.name, extractor_id=eye.identity, resizer=eye.resizer)
        made = []
        for key, measured in found.items():
            name, contract = (eye.title(NAMES[key]), of_sets) if key in SETS else (NAMES[key], self.contract)
            made.append(Score(key, name, measured.value, contract, self.floors[key].value, measured.spread))
        return tuple(made)


def triples(beside: Tensor, compared: Compared) -> list[Tensor]:
    """For each picture the middle of baseline, output and target: [3, C, h, w] in [0, 1]."""
    stacked = torch.stack((beside, compared.output, compared.target), 1)
    height, width = (min(SIDE, side) for side in stacked.shape[3:])
    top, left = (stacked.shape[3] - height) // 2, (stacked.shape[4] - width) // 2
    return list(stacked[..., top : top + height, left : left + width].cpu())


def sheet(rows: Sequence[Tensor]) -> np.ndarray:
    """A row for each picture; smaller ones on white."""
    height, width = (max(row.shape[axis] for row in rows) for axis in (2, 3))
    same = [pad(row, (0, width - row.shape[3], 0, height - row.shape[2]), value=1.0) for row in rows]
    return grid(torch.cat(same) * 2 - 1, columns=3)
