"""`ganctl evaluate`: how good a run's samples are, how varied, and which classes are missing."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ganctl.commands.arguments import option, parse, words
from ganctl.metrics import keys

if TYPE_CHECKING:
    from ganctl.metrics.contract import Score
    from ganctl.metrics.evaluation import Evaluation
    from ganctl.trained.evaluating import Evaluated

BAR = 24  # characters of the longest bar of a histogram
MOST_CLASSES = 30  # shown one a line
SHARES = ("covered", "modes")


@dataclass
class Arguments:
    """Score a run's samples against its data, e.g.  ganctl evaluate run=outputs/first n=10k metrics=fd,coverage

    Beside each score stands what other real pictures reach; of models that make pictures from pictures, what simple
    means do. Results go into RUN/evaluations.jsonl.
    """

    run: str | None = option(None, "a run folder, its name, or a checkpoint file; the newest run when not given")
    ckpt: str = option("last", "last, best, or the images seen of a numbered checkpoint, such as 300k")
    metrics: str | None = option(
        None,
        "with commas, of fd kd is pr coverage conditional diversity memorisation points fid kid, "
        "of autoencoders also psnr ssim l1; of pairs: psnr ssim l1 lpips fd kd; of domains: fd kd conditional",
    )
    n: int | None = option(
        None, "samples; else 10,000 pictures, 26,000 stacked digits, 2,500 points or all pairs", least=1
    )
    extractor: Literal["auto", "inception", "classifier", "random", "dinov2"] = option(
        "auto", "what looks at the pictures; only inception's score is the FID of papers"
    )
    weights: str | None = option(None, "Inception's weights in a file of yours")
    download: bool = option(False, "fetch weights that are not here")
    test: str | None = option(None, "a folder of other test pictures, such as Set14; for super-resolution")
    seed: int = option(0, "of the samples", least=0)
    ema: bool = option(True, "with the averaged weights; false: those of the last round")
    device: int | str = option("auto", "auto, cpu, cuda, mps, idle or the number of a GPU")
    plugins: str = option("", "modules of your own that the run's classes come from, with commas")


def run(argv: list[str]) -> int:
    """Evaluate, print a table, write the scores. Returns the exit code."""
    arguments = parse(Arguments, argv, "evaluate")
    names, extractor = keys.with_papers_names(arguments.metrics, arguments.extractor)
    metrics = keys.parse(names)
    from ganctl.logs import aloud
    from ganctl.metrics.panels import Wanted
    from ganctl.trained.evaluating import evaluate

    wanted = Wanted(
        metrics=metrics,
        count=arguments.n,
        extractor=extractor,
        weights=Path(arguments.weights).expanduser() if arguments.weights else None,
        download=arguments.download,
        seed=arguments.seed,
        averaged=arguments.ema,
        test=arguments.test,
    )
    plugins = words(arguments.plugins)
    with aloud():
        found = evaluate(arguments.run, arguments.ckpt, wanted, device=arguments.device, plugins=plugins)
    print(report(found))
    for path in found.write():
        print(f"  {path}")
    return 0


def report(found: "Evaluated") -> str:
    """What was scored, a line a score, and the classes."""
    evaluation = found.evaluation
    lines = [f"{found.path}  ({evaluation.images_seen:,} images seen)"]
    if evaluation.scores:
        terms = evaluation.scores[0].contract
        weights = "averaged weights" if terms.averaged else "weights of the last round"
        lines.append(
            f"{terms.count:,} samples (seed {terms.seed}, {weights}) against {terms.reference_count:,} of "
            f"{terms.reference}, {terms.split}"
        )
    return "\n".join([*lines, "", *table(evaluation), *classes(evaluation)])


def table(evaluation: "Evaluation") -> list[str]:
    """The scores, aligned."""
    rows = [("score", "value", evaluation.beside, "better")]
    for score in evaluation.scores:
        spread = f" ± {shown(score, score.spread)}" if score.spread is not None else ""
        floor = "" if score.floor is None else shown(score, score.floor)
        better = "near 1" if score.key in keys.NEAR_ONE else "lower" if score.lower_is_better else "higher"
        rows.append((score.name, shown(score, score.value) + spread, floor, better))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def shown(score: "Score", value: float) -> str:
    """Four digits, counts whole."""
    return f"{value:,.0f}" if score.key in SHARES or abs(value) >= 1_000 else f"{value:.4g}"


def classes(evaluation: "Evaluation") -> list[str]:
    """The class histogram as bars, and which classes are missing."""
    histogram, expected = evaluation.histogram, evaluation.expected
    if not histogram:
        return []
    from ganctl.metrics.coverage import is_covered

    missing = [name for name, share in histogram.items() if not is_covered(share, expected[name])]
    lines = ["", f"  missing: {', '.join(missing)}" if missing else "  all classes are drawn"]
    if len(histogram) > MOST_CLASSES:
        return lines
    top, width = max(*histogram.values(), *expected.values()), max(map(len, histogram))
    for name, share in histogram.items():
        bar = "█" * round(share / top * BAR)
        lines.append(f"  {name:<{width}}  {share:6.1%} (data {expected[name]:.1%})  {bar}".rstrip())
    return lines
