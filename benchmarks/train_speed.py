"""Images per second of `ganctl train` against a plain loop of the same networks, side by side in one process.

    python benchmarks/train_speed.py [--blocks 8] [--rounds 40] [--out benchmarks/results]

The plain loop is organised as PyTorch's DCGAN example is: a DataLoader with per-image transforms and two workers, BCE
on sigmoids, separate backward passes for real and fake, `.item()` each step. ganctl runs as `ganctl train` would, with
logging and progress on and the usual length, of which the first rounds are timed. Every `--rounds` rounds it is halted
and the plain loop runs the same number, so that both see the same noise of the machine. Printed are medians over the
blocks, their ratio, and the share of the matrix-multiply peak that this machine reached in the same minutes.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from ganctl.config.preparation import compose, prepare
from ganctl.training import parts, start

BATCH = 64


class PerImage(Dataset[Tensor]):
    """MNIST as the example loads it: one picture at a time, transformed in Python."""

    def __init__(self, settings: dict[str, Any], size: int) -> None:
        original = parts.dataset_of({**settings, "dataset": {**settings["dataset"], "size": 28}})
        batch = original.open(torch.device("cpu")).batch(torch.arange(20_000), torch.Generator())
        self.pixels = ((batch.image + 1) * 127.5).round().byte().contiguous()
        self.change = v2.Compose(
            [
                v2.ToPILImage(),
                v2.Resize(size),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize((0.5,), (0.5,)),
            ]
        )

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        return self.change(self.pixels[index])


class PlainLoop:
    """The example's loop over the same generator and discriminator."""

    def __init__(self, settings: dict[str, Any], size: int) -> None:
        game = parts.game_of(settings)
        self.generator, self.discriminator = game.generator, game.discriminator
        make = lambda network: torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))  # noqa: E731
        self.of_generator, self.of_discriminator = make(self.generator), make(self.discriminator)
        self.loader = DataLoader(PerImage(settings, size), BATCH, shuffle=True, num_workers=2, drop_last=True)
        self.batches = self.endless()
        self.loss = nn.BCELoss()

    def endless(self) -> Iterator[Tensor]:
        while True:
            yield from self.loader

    def judge(self, image: Tensor, truth: float) -> Tensor:
        score = torch.sigmoid(self.discriminator(image))
        return self.loss(score, torch.full_like(score, truth))

    def round(self) -> None:
        real = next(self.batches)
        self.discriminator.zero_grad()
        of_real = self.judge(real, 1.0)
        of_real.backward()
        fake = self.generator(torch.randn(len(real), self.generator.noise_size))
        of_fake = self.judge(fake.detach(), 0.0)
        of_fake.backward()
        (of_real + of_fake).item()
        self.of_discriminator.step()
        self.generator.zero_grad()
        of_generator = self.judge(fake, 1.0)
        of_generator.backward()
        of_generator.item()
        self.of_generator.step()


class Interleaved(pl.Callback):
    """Halts ganctl after `rounds` rounds, when it next looks up, to let the other loop run as many; keeps both times.

    The times are of one round. After `blocks` of them, where given, the training is over, long before its length: so
    sheets and checkpoints come as seldom as in one that goes to its end.
    """

    def __init__(self, other: PlainLoop, rounds: int, blocks: int | None = None) -> None:
        self.other, self.rounds, self.blocks = other, rounds, blocks
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self.peak: list[float] = []

    def on_train_start(self, *_: Any) -> None:
        self.began, self.played = time.perf_counter(), 0

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        rounds = module.rounds - self.played
        if rounds < self.rounds:
            return
        self.ours.append((time.perf_counter() - self.began) / rounds)
        self.theirs.append(timed(self.other.round, rounds) / rounds)
        self.played = module.rounds
        self.peak.append(matmul_peak(torch.float32))
        trainer.should_stop = trainer.should_stop or len(self.ours) == self.blocks
        self.began = time.perf_counter()


def timed(work: Any, times: int) -> float:
    """Seconds for `times` calls."""
    began = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - began


def matmul_peak(dtype: torch.dtype, side: int = 1536) -> float:
    """Floating-point operations per second of a large square product."""
    a = torch.randn(side, side).to(dtype)
    return 2 * side**3 * 3 / timed(lambda: a @ a, 3)


def round_operations(settings: dict[str, Any]) -> float:
    """Operations of one round of ganctl, counted by PyTorch: fakes made once, the discriminator frozen in G's turn."""
    from torch.utils.flop_counter import FlopCounterMode

    from ganctl.data.batch import Images
    from ganctl.games.game import Clock

    game = parts.game_of(settings)
    shape = settings["description"]["shape"]
    with FlopCounterMode(display=False) as counter:
        round = game.deal(Images(torch.randn(BATCH, *shape)), frozenset({"discriminator", "generator"}), Clock(0, 0))
        game.discriminator_loss(round).total.backward()
        game.discriminator.requires_grad_(False)
        game.generator_loss(round).total.backward()
    return float(counter.get_total_flops())


def measure(size: int, precision: str, blocks: int, rounds: int) -> dict[str, Any]:
    """One row of the table."""
    overrides = ["model=dcgan", "dataset=mnist", f"dataset.size={size}", f"precision={precision}"]
    settings = prepare(compose([*overrides, f"batch_size={BATCH}", "device=cpu"]))
    other = Interleaved(PlainLoop(settings, size), rounds, blocks + 1)
    with tempfile.TemporaryDirectory() as outputs, suppress(KeyboardInterrupt):
        os.environ["GANCTL_OUTPUTS"] = outputs
        start.train(settings, callbacks=[other])
    ours, theirs = other.ours[1:], other.theirs[1:]  # the first block warms up
    speed = [BATCH / seconds for seconds in ours]
    plain = [BATCH / seconds for seconds in theirs]
    ratios = sorted(mine / yours for mine, yours in zip(speed, plain, strict=True))
    share = statistics.median(speed) / BATCH * round_operations(settings) / statistics.median(other.peak)
    return {
        "size": size,
        "precision": precision,
        "ganctl": round(statistics.median(speed)),
        "plain": round(statistics.median(plain)),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_range": [round(ratios[0], 2), round(ratios[-1], 2)],
        "share_of_fp32_matmul_peak": round(share, 2),
        "fp32_matmul_gflops": round(statistics.median(other.peak) / 1e9),
    }


def main() -> None:
    """Measure every row, print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--precisions", nargs="+", default=["32", "bf16"])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    choice = parser.parse_args()
    rows = []
    for size, precision in product(choice.sizes, choice.precisions):
        rows.append(measure(size, precision, choice.blocks, choice.rounds))
        print(rows[-1], flush=True)
    choice.out.mkdir(parents=True, exist_ok=True)
    content = {"date": date.today().isoformat(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    path = choice.out / f"train_speed-{content['date']}.json"
    path.write_text(json.dumps({**content, "rows": rows}, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()
