"""Names: what can be asked for by metrics=, and what each score is called. Imports nothing heavy."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ganctl.errors import UserError
from ganctl.nearest import hint

ExtractorName = Literal["auto", "inception", "classifier", "random", "dinov2"]
FEATURES = ("fd", "kd", "is", "pr")  # on an extractor's features
CLASSES = ("coverage", "conditional")  # on a classifier's classes
PIXELS = ("diversity", "memorisation")  # straight on pixels
POINTS = ("points",)
PAIRS = ("psnr", "ssim", "l1", "lpips")
RETURNED = ("psnr", "ssim", "l1")  # of pictures that an autoencoder gives back
SETS = ("fd", "kd")  # of features: one set of pictures against another
LEADING = (*SETS, "conditional")  # of games that lead pictures into other domains
QUICK = ("fd", "coverage", "conditional", "diversity")  # of pictures, while training
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
    "psnr": "peak signal-to-noise ratio in dB, of pictures with a target; of autoencoders, of what they give back",
    "ssim": "structural similarity, likewise",
    "l1": "mean absolute difference, likewise",
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
OF_POINTS = ("modes", "high_quality", "kl")  # scores
ON_Y = ("psnr_y", "ssim_y")  # scores of enlarged colour pictures only
PAPERS = {"fid": "fd", "kid": "kd"}
NEAR_ONE = ("diversity", "neighbours", "memorised")  # neither high nor low is good: no best is named
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


@dataclass(frozen=True)
class Offer:
    """What a game on a dataset can be scored by."""

    metrics: Sequence[str]  # as `metrics=` names them
    scores: Sequence[str]  # that these give, as `early_stop=` and `search=` name them
    usual: Sequence[str]  # those of the scores that are taken while training without being watched
    refused: Mapping[str, str] = field(default_factory=dict)  # metric of such data -> what it needs that is not here

    def demand(self, metrics: Sequence[str]) -> None:
        """Raise UserError naming every metric that is not offered."""
        mistakes = [f"metrics: {each} {self.refused[each]}; leave it out" for each in metrics if each in self.refused]
        others = [each for each in metrics if each not in self.refused]
        if others or not metrics:
            mistakes += strangers(others, self.metrics, "metrics")
        if mistakes:
            raise UserError(*mistakes)

    def mistakes(self, option: str, score: str, others: Sequence[str] = ()) -> list[str]:
        """Why `option` cannot name this score; others: what it may name beside scores."""
        if score in self.scores:
            return []
        there = ", ".join((*others, *self.scores))
        if reason := self.refused.get(GROUPS.get(score, score)):
            return [f"{option}: {score} {reason}; choose one of {there}"]
        if score in NAMES:
            return [f"{option}: {score} is never taken of this model on this dataset; choose one of {there}"]
        return [f"{option}: no score {score!r}{hint(score, (*others, *self.scores))}; there are {there}"]


DOCTOR = "doctor"  # what early_stop= names to watch the doctor's verdict instead of a score
ANY = Offer(tuple(METRICS), tuple(NAMES), tuple(NAMES))  # where game or data are not known


def watching_mistakes(early_stop: str | None, evaluate_every: object, doctor_every: object, known: Offer) -> list[str]:
    """What is wrong with the score that training is to watch."""
    if early_stop == DOCTOR and doctor_every is None:
        return ["early_stop: doctor was given, and it makes no checks; set doctor_every=5k"]
    if early_stop in (None, DOCTOR):
        return []
    idle = f"early_stop: {early_stop} was given, and nothing is evaluated; set evaluate_every=25k"
    return known.mistakes("early_stop", early_stop, [DOCTOR]) or ([idle] if evaluate_every is None else [])


def searching_mistakes(search: str, early_stop: str | None, evaluate_every: object, known: Offer) -> list[str]:
    """What is wrong with the score that a search goes by."""
    if mistakes := known.mistakes("search", search):
        return mistakes
    if search != early_stop and search not in known.usual:
        mistakes = [
            f"search: {search} is taken while training only where it is watched, and early_stop={early_stop} was "
            f"given; leave early_stop out, or choose one of {', '.join(known.usual)}"
        ]
    idle = f"search: {search} was given, and nothing is evaluated; leave evaluate_every=null out"
    return mistakes + ([idle] if evaluate_every is None else [])


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
    if mistakes := strangers(names, accepted, option):
        raise UserError(*mistakes)


def strangers(names: Sequence[str], accepted: Collection[str], option: str) -> list[str]:
    """A sentence for every one that is not accepted, or for none at all."""
    listed = ", ".join(accepted)
    if not names:
        return [f"{option}: none given; there are {listed}"]
    wrong = [name for name in names if name not in accepted]
    return [f"{option}: no metric {name!r} here{hint(name, accepted)}; there are {listed}" for name in wrong]
