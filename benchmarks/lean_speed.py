"""Images per second of `ganctl train` against a lean hand-written loop of the same networks, side by side.

    python -m benchmarks.lean_speed [--blocks 8] [--models tiny wgan_gp stylegan2 r3gan] [--out benchmarks/results]

The lean loop holds nothing but the method: pictures in memory, fused Adam, each fake made once a round, the
discriminator frozen while the generator learns; no average, no logs, no checks. ganctl runs through
`ganctl.training.start.train` with all of these on. `tiny` is an MLP so small that only the loop around it costs time;
in `tiny_loop` no sheets are drawn and no doctor looks, so that the loop and its logs are alone.
The share of a penalty is what the lean loop saves without it.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from benchmarks.train_speed import Interleaved, timed
from ganctl.config.preparation import compose, prepare
from ganctl.training import parts, start

Penalty = Callable[["LeanLoop", "Judged"], Tensor]


@dataclass(frozen=True)
class Judged:
    """Pictures [B, C, H, W] and their scores [B]."""

    real: Tensor
    fake: Tensor
    real_score: Tensor
    fake_score: Tensor


@dataclass(frozen=True)
class Method:
    """A GAN as its paper writes it down; weights and intervals are those of the YAML that ganctl trains by."""

    critic: Callable[[Tensor, Tensor], Tensor]  # scores of reals, of fakes -> loss
    generator: Callable[[Tensor, Tensor], Tensor]  # scores of fakes, of reals -> loss
    penalty: Penalty | None = None
    slopes_at: Sequence[str] = ()  # the pictures whose slopes it reads from the pass that judges them: real, fake
    on_generator: Callable[["LeanLoop"], Tensor] | None = None
    relativistic: bool = False  # the generator's loss compares pairs
    overrides: Sequence[str] = ()


def slope(score: Tensor, image: Tensor) -> Tensor:
    """Gradients of the scores, [B, C*H*W]."""
    return torch.autograd.grad(score.sum(), image, create_graph=True)[0].flatten(1)


def gradient_penalty(loop: "LeanLoop", judged: Judged) -> Tensor:
    share = torch.rand(len(judged.real), 1, 1, 1)
    between = torch.lerp(judged.fake, judged.real, share).requires_grad_()
    return (slope(loop.discriminator(between), between).norm(dim=1) - 1).square().mean()


def r1(loop: "LeanLoop", judged: Judged) -> Tensor:
    return slope(judged.real_score, judged.real).square().sum(1).mean() / 2


def r1_r2(loop: "LeanLoop", judged: Judged) -> Tensor:
    real, fake = slope(judged.real_score, judged.real), slope(judged.fake_score, judged.fake)
    return (real.square().sum(1).mean() + fake.square().sum(1).mean()) / 2


def path_length(loop: "LeanLoop") -> Tensor:
    network: Any = loop.generator
    style = network.mapping(torch.randn(loop.batch // 2, network.noise_size))
    styles = style[:, None].expand(-1, network.layers, -1)
    image = network.synthesis(styles)
    y = torch.randn_like(image) / (image.shape[2] * image.shape[3]) ** 0.5
    (gradient,) = torch.autograd.grad((image * y).sum(), styles, create_graph=True)
    lengths = gradient.square().sum(2).mean(1).sqrt()
    loop.mean = loop.mean.lerp(lengths.detach().mean(), 0.01)
    return (lengths - loop.mean).square().mean()


def logistic(real: Tensor, fake: Tensor) -> Tensor:
    return softplus(-real).mean() + softplus(fake).mean()


def towards_real(fake: Tensor, real: Tensor) -> Tensor:
    return softplus(-fake).mean()


TINY = [
    "model=gan",
    "dataset=random",
    "dataset.shape=[1,8,8]",
    "model.game.generator.hidden=[32]",
    "model.game.discriminator.hidden=[32]",
]
METHODS = {
    "tiny": Method(logistic, towards_real, overrides=TINY),
    "tiny_loop": Method(logistic, towards_real, overrides=[*TINY, "sample_every=null", "doctor_every=null"]),
    "wgan_gp": Method(
        lambda real, fake: fake.mean() - real.mean(),
        lambda fake, real: -fake.mean(),
        gradient_penalty,
        overrides=["model=wgan_gp", "dataset=mnist"],
    ),
    "stylegan2": Method(
        logistic,
        towards_real,
        r1,
        slopes_at=["real"],
        on_generator=path_length,
        overrides=["model=stylegan2", "dataset=mnist"],
    ),
    "r3gan": Method(
        lambda real, fake: softplus(fake - real).mean(),
        lambda fake, real: softplus(real - fake).mean(),
        r1_r2,
        slopes_at=["real", "fake"],
        relativistic=True,
        overrides=["model=r3gan", "dataset=mnist"],
    ),
    "hinge": Method(
        lambda real, fake: relu(1 - real).mean() + relu(1 + fake).mean(),
        lambda fake, real: -fake.mean(),
        overrides=["model=dcgan", "loss=hinge", "dataset=mnist"],
    ),
}


class LeanLoop:
    """The method and nothing else."""

    def __init__(self, settings: dict[str, Any], method: Method, penalised: bool = True) -> None:
        game: Any = parts.game_of(settings).to(memory_format=torch.channels_last)
        self.generator, self.discriminator = game.generator, game.discriminator
        self.method, self.penalised, self.rounds, self.mean = method, penalised, 0, torch.zeros(())
        table: Any = parts.dataset_of(settings).open(torch.device("cpu"))
        count = min(len(table), 10_000)
        self.images = table.batch(torch.arange(count), torch.Generator()).image
        self.batch = settings["batch_size"]
        node, optimizers = settings["model"]["game"], settings["model"]["optimizers"]
        self.factor, self.every = lazily(node.get("penalties"), method.penalty)
        self.generator_factor, self.generator_every = lazily(node.get("generator_penalties"), method.on_generator)
        self.critic_rounds = settings["model"]["every"].get("generator", 1)  # to one of the generator
        self.of_generator = adam(self.generator, optimizers["generator"])
        self.of_discriminator = adam(self.discriminator, optimizers["discriminator"])

    def round(self) -> None:
        method, playing = self.method, (self.rounds + 1) % self.critic_rounds == 0
        real = self.images[torch.randint(len(self.images), (self.batch,))]
        with torch.set_grad_enabled(playing):
            fake = self.generator(torch.randn(self.batch, self.generator.noise_size))
        due = self.penalised and method.penalty and self.rounds % self.every == 0
        seen = fake.detach()
        if due:
            real.requires_grad_("real" in method.slopes_at)
            seen.requires_grad_("fake" in method.slopes_at)
        judged = Judged(real, seen, self.discriminator(real), self.discriminator(seen))
        loss = method.critic(judged.real_score, judged.fake_score)
        if due and method.penalty:
            loss = loss + self.factor * method.penalty(self, judged)
        self.step(self.of_discriminator, loss)
        if playing:
            self.generator_turn(real.detach(), fake)
        self.rounds += 1

    def generator_turn(self, real: Tensor, fake: Tensor) -> None:
        method = self.method
        thaw(self.discriminator, False)
        with torch.no_grad():
            of_real = self.discriminator(real) if method.relativistic else real
        loss = method.generator(self.discriminator(fake), of_real)
        if self.penalised and method.on_generator and self.rounds % self.generator_every == 0:
            loss = loss + self.generator_factor * method.on_generator(self)
        self.step(self.of_generator, loss)
        thaw(self.discriminator, True)

    def step(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def lazily(penalties: Sequence[dict[str, Any]] | None, penalty: object) -> tuple[float, int]:
    """The factor and the interval of a config's penalties, of which all have the same; there are some if `penalty`."""
    ((weight, every),) = {(each["weight"], each.get("every", 1)) for each in penalties or ()} or {(0.0, 1)}
    assert bool(penalties) == (penalty is not None), "the lean loop and the YAML play by other penalties"
    return weight * every, every


def adam(network: nn.Module, options: dict[str, Any]) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=options["lr"], betas=tuple(options["betas"]), fused=True)


def thaw(network: nn.Module, yes: bool) -> None:
    for parameter in network.parameters():
        parameter.requires_grad_(yes)


class Both:
    """The lean loop, and the same without penalties, taking turns within a block."""

    def __init__(self, settings: dict[str, Any], method: Method, rounds: int) -> None:
        self.full = LeanLoop(settings, method)
        self.bare = LeanLoop(settings, method, penalised=False) if method.penalty else None
        self.rounds, self.saved = rounds, list[float]()

    def compare(self, seconds: float) -> None:
        if self.bare is not None:
            self.saved.append(1 - timed(self.bare.round, self.rounds) / self.rounds / seconds)


class SideBySide(Interleaved):
    """Also times the loop without penalties, in the same minutes."""

    def __init__(self, both: Both, rounds: int) -> None:
        super().__init__(both.full, rounds)  # type: ignore[arg-type]
        self.both = both

    def on_train_batch_end(self, trainer: Any, module: Any, *rest: Any) -> None:
        before = len(self.theirs)
        super().on_train_batch_end(trainer, module, *rest)
        if len(self.theirs) > before:
            self.both.compare(self.theirs[-1])
            self.began = time.perf_counter()


def measure(name: str, blocks: int, rounds: int) -> dict[str, Any]:
    """One row of the table."""
    method, batch = METHODS[name], 64
    images = (blocks + 1) * rounds * batch
    as_in_a_long_one = ["sample_every=25k", "checkpoint_every=25k"]  # else a tenth of these few images
    fixed = [f"images={images}", f"batch_size={batch}", "precision=32", "device=cpu", *as_in_a_long_one]
    words = dict(word.split("=", 1) for word in (*fixed, *method.overrides))  # the method's own stand last and win
    settings = prepare(compose([f"{key}={value}" for key, value in words.items()]))
    both = Both(settings, method, rounds)
    watch = SideBySide(both, rounds)
    with tempfile.TemporaryDirectory() as outputs, suppress(KeyboardInterrupt):
        os.environ["GANCTL_OUTPUTS"] = outputs
        start.train(settings, callbacks=[watch])
    ours, theirs = watch.ours[1:], watch.theirs[1:]  # the first block warms up
    ratios = sorted(lean / mine for mine, lean in zip(ours, theirs, strict=True))
    row: dict[str, Any] = {
        "model": name,
        "ganctl": round(batch / statistics.median(ours)),
        "lean": round(batch / statistics.median(theirs)),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_range": [round(ratios[0], 2), round(ratios[-1], 2)],
    }
    if both.saved:
        row["penalty_share"] = round(statistics.median(both.saved[1:]), 2)
    return row


def main() -> None:
    """Measure every row, print it and write all as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=32)
    parser.add_argument(
        "--models", nargs="+", choices=METHODS, default=["tiny", "tiny_loop", "wgan_gp", "stylegan2", "r3gan"]
    )
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    choice = parser.parse_args()
    rows = []
    for name in choice.models:
        rows.append(measure(name, choice.blocks, choice.rounds * (16 if name.startswith("tiny") else 1)))
        print(rows[-1], flush=True)
    choice.out.mkdir(parents=True, exist_ok=True)
    content = {"date": date.today().isoformat(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    path = choice.out / f"lean_speed-{content['date']}.json"
    path.write_text(json.dumps({**content, "rows": rows}, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()
