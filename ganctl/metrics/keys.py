"""Names: what can be asked for by metrics=, and what each score is called. Imports nothing heavy."""

from collections.abc import Collection, Sequence
from typing import Literal

from ganctl.errors import UserError
from ganctl.nearest import hint

ExtractorName = Literal["auto", "inception", "classifier", "random", "dinov2"]
FEATURES = ("fd", "kd", "is", "pr")  # on an extractor's features
CLASSES = ("coverage", "conditional")  # on a classifier's classes
PIXELS = ("diversity", "memorisation")  # straight on pixels
POINTS = ("points",)
PAIRS = ("psnr", "ssim", "l1", "lpips")
SETS = ("fd", "kd")  # of features: one set of pictures against another
LEADING = (*SETS, "conditional")  # of games that lead pictures into other domains
METRICS = {
    "fd": "Frechet distance: FID with extractor=inception",
    "kd": "kernel distance: KID with extractor=inception",
    "is": "Inception score",
    "pr": "precision and recall",
    "coverage": "which classes are drawn, and how often",
    "conditional": "whether the wished class is the one drawn",
    "diversity": "variety, and copies among the samples",
    "memorisation": "nearness to the training pictures",
    "points": "modes, high-quality share and KL of ring8 and grid25",
    "psnr": "peak signal-to-noise ratio in dB, of pictures with a target",
    "ssim": "structural similarity, of pictures with a target",
    "l1": "mean absolute difference, of pictures with a target",
    "lpips": "perceptual distance, of pictures with a target",
}
NAMES = {
    "fd": "FD",
    "kd": "KD",
    "is": "IS",
    "precision": "precision",
    "recall": "recall",
    "covered": "classes covered",
    "modes": "modes seen",
    "kl": "reverse KL",
    "conditional": "conditional accuracy",
    "diversity": "diversity ratio",
    "neighbours": "nearest-neighbour ratio",
    "duplicates": "duplicate share",
    "memorised": "nearest-training ratio",
    "high_quality": "high-quality share",
    "psnr": "PSNR",
    "psnr_y": "PSNR on Y",
    "ssim": "SSIM",
    "ssim_y": "SSIM on Y",
    "l1": "L1",
    "lpips": "LPIPS",
}
GROUPS = {
    "precision": "pr",
    "recall": "pr",
    "covered": "coverage",
    "modes": "coverage",
    "kl": "coverage",
    "neighbours": "diversity",
    "duplicates": "diversity",
    "memorised": "memorisation",
    "high_quality": "points",
    "psnr_y": "psnr",
    "ssim_y": "ssim",
}  # score -> the metric that takes it, where the two differ in name
PAPERS = {"fid": "fd", "kid": "kd"}
LOWER_IS_BETTER = frozenset({"fd", "kd", "kl", "l1", "lpips", "duplicates"})


def scores_of(metrics: Sequence[str]) -> tuple[str, ...]:
    """Keys of the scores that these metrics give."""
    return tuple(key for key in NAMES if GROUPS.get(key, key) in metrics)


def parse(text: str | None) -> tuple[str, ...] | None:
    """`fd,coverage` -> (fd, coverage); None stays None: the usual ones. Raises UserError naming every unknown one."""
    if text is None:
        return None
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    demand(names, METRICS, "metrics")
    return names


DOCTOR = "doctor"  # what early_stop= names to watch the doctor's verdict instead of a score


def watching_mistakes(early_stop: str | None, evaluate_every: object, doctor_every: object) -> list[str]:
    """What is wrong with the score that training is to watch, as far as it shows before the data is known."""
    if early_stop == DOCTOR and doctor_every is None:
        return ["early_stop: doctor was given, and it makes no checks; set doctor_every=5k"]
    if early_stop in (None, DOCTOR):
        return []
    if early_stop not in NAMES:
        return [f"early_stop: no score {early_stop!r}{hint(early_stop, NAMES)}; there are {DOCTOR}, {', '.join(NAMES)}"]
    if evaluate_every is None:
        return [f"early_stop: {early_stop} was given, and nothing is evaluated; set evaluate_every=25k"]
    return []


def with_papers_names(metrics: str | None, extractor: ExtractorName) -> tuple[str | None, ExtractorName]:
    """`fid` and `kid` mean Inception: the metrics by their keys here, and the extractor that they ask for.

    Raises UserError where another extractor was chosen.
    """
    words = [] if metrics is None else [part.strip() for part in metrics.split(",")]
    asked = [word for word in words if word in PAPERS]
    if asked and extractor not in ("auto", "inception"):
        raise UserError(
            f"metrics: {asked[0]} is a score of Inception's features, and extractor={extractor} was given; "
            f"write metrics={PAPERS[asked[0]]}, or extractor=inception"
        )
    renamed = None if metrics is None else ",".join(PAPERS.get(word, word) for word in words)
    return renamed, "inception" if asked else extractor


def demand(names: Sequence[str], accepted: Collection[str], option: str) -> None:
    """Raise UserError naming every one that is not accepted."""
    listed = ", ".join(accepted)
    wrong = [name for name in names if name not in accepted]
    mistakes = [f"{option}: no metric {name!r} here{hint(name, accepted)}; there are {listed}" for name in wrong]
    if not names:
        mistakes = [f"{option}: none given; there are {listed}"]
    if mistakes:
        raise UserError(*mistakes)
