"""From signals to a verdict: pure functions over the checks made so far; the first that applies tells."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ganctl.doctor import thresholds as at
from ganctl.doctor.view import View

Level = Literal["green", "yellow", "red"]
DATA_PROBLEM = "data problem"


@dataclass(frozen=True)
class Verdict:
    """What ails the training, how grave it is, and the number that shows it beside its normal range."""

    name: str
    level: Level
    words: str

    @property
    def hopeless(self) -> bool:
        """Whether going on is in vain; little data is a reason to warn, and none to stop."""
        return self.level == "red" and self.name != DATA_PROBLEM


Rule = Callable[[View], Verdict | None]


def diagnose(view: View) -> Verdict:
    """The verdict at the last check."""
    found = (rule(view) for rule in RULES)
    return next((verdict for verdict in found if verdict is not None), healthy(view))


def lost_numbers(view: View) -> Verdict | None:
    """A loss, gradient, weight or sample is not finite."""
    if view.last.finite:
        return None
    return Verdict("diverged", "red", "Losses, weights or samples are no longer numbers; nothing is learned from here.")


def bad_data(view: View) -> Verdict | None:
    """Facts of the data come first: nothing that training does can mend them."""
    facts = view.facts
    if facts.spread is None:
        return None
    if facts.pictures < at.SCARCE_PICTURES:
        words = f"Only {counted(facts.pictures)} to learn from (usual: 1,000 and more): they will be learned by heart."
        return Verdict(DATA_PROBLEM, "red", words)
    if facts.spread < at.SAME:
        return Verdict(DATA_PROBLEM, "red", "All training pictures are the same: there is nothing to learn.")
    return None


def too_early(view: View) -> Verdict | None:
    """Noise, grey and half a picture are how every training begins."""
    if view.last.rounds >= at.WARM_ROUNDS and view.last.images_seen >= at.WARM_SHARE * view.images:
        return None
    until = f"{at.WARM_ROUNDS} rounds and {at.WARM_SHARE:.0%} of the training"
    return Verdict("too early", "green", f"{view.last.rounds} rounds played; a verdict comes after {until}.")


def explosion(view: View) -> Verdict | None:
    """Against their own past: healthy recipes differ a hundredfold from each other."""
    for turn, times in view.growth_of_gradients(since_the_first=view.above("gap", at.BAD_GAP)).items():
        if times > at.EXPLODED:
            words = (
                f"The gradient of the {turn} is {times:,.0f} times its past (normal: up to {at.EXPLODED:.0f} times)."
            )
            return Verdict("gradients explode", "red", words)
    return None


def divergence(view: View) -> Verdict | None:
    """Blank pictures, wild ones, or what was learned lost again."""
    gap, best = view.recent("gap"), view.best_gap
    if view.below("contrast", at.BLANK):
        words = f"Samples are blank: their contrast is {view.recent('contrast'):.0%} of the data's (normal: 85-110 %)."
        return Verdict("diverged", "red", words)
    if gap is None or best is None or gap <= at.BAD_GAP:
        return None
    if gap > at.APART * best and (gap > at.FAR_OFF or not view.below("diversity", at.NO_VARIETY)):
        words = f"What was learned is lost: the gap to the data is {gap:.2f}, and was {best:.2f} (normal: falling)."
        return Verdict("diverged", "red", words)
    if view.above("diversity", at.WILD) and (not view.improving or view.too_slow):
        words = f"Samples run wild: their variety is {view.recent('diversity'):.0%} of the data's (normal: 85-110 %)."
        return Verdict("diverged", "red", words)
    if gap > at.FAR_OFF and view.above("contrast", at.GLARING) and not view.below("wins", at.FEW_WINS):
        words = (
            f"Samples are glaring and far from all data: their contrast is {view.recent('contrast'):.0%} of the data's "
            f"(normal: 85-110 %), the gap {gap:.2f} (about 1 for a single good picture)."
        )
        return Verdict("diverged", "red", words)
    return None


def weak_discriminator(view: View) -> Verdict | None:
    """It guesses; that is well only where the pictures are."""
    wins, gap = view.recent("wins"), view.recent("gap")
    if wins is None or gap is None or wins >= at.FEW_WINS or gap <= at.GOOD_GAP:
        return None
    words = (
        f"The discriminator is guessing: it wins {wins:.0%} of the time (normal: 70-100 %), although the samples are "
        f"far from the data (gap {gap:.2f}, normal: under {at.GOOD_GAP}); the generator learns nothing true from it."
    )
    sure = gap > at.HOPELESS_GAP or (gap > at.BAD_GAP and (wins < at.LOST_WINS or not view.improving))
    if sure:
        return Verdict("generator dominates", "red", words)
    slow = gap > 2 * at.GOOD_GAP and (view.too_slow or not view.improving)
    return Verdict("generator dominates", "yellow", words) if slow else None


def copies(view: View) -> Verdict | None:
    """Samples that are all but equal: most, or some that stay, as where each class has few pictures."""
    alike = view.above("duplicates", at.MOSTLY_COPIES) or view.below("neighbours", at.PRESSED)
    alike = alike or view.below("diversity", at.ALL_ALIKE)
    crowded = view.above("duplicates", at.COPIES) or view.below("neighbours", at.CROWDED)
    if not alike and (view.improving or not crowded):
        return None
    share = view.recent("duplicates")
    near = "" if share is None else f"{share:.0%} of the samples have a near copy (normal: under 5 %), "
    variety = f"their variety is {view.recent('diversity'):.0%} of the data's (normal: 85-110 %)"
    words = f"The generator repeats itself: {near}{variety}{view.missing_words()}."
    return Verdict("mode collapse", "red" if alike else "yellow", words)


def vanishing(view: View) -> Verdict | None:
    """Arjovsky and Bottou 2017, section 2: what minimax does once the discriminator is sure."""
    faded = view.fading_of("generator")
    if faded is None or faded >= at.FADED or not view.above("gap", at.BAD_GAP):
        return None
    if view.improving and not (faded < at.GONE and view.above("wins", at.ALL_WINS)):
        return None
    words = (
        f"The generator's gradient has shrunk to {faded:.1%} of what it was (normal: 10 % and more), and the gap to "
        f"the data is {view.recent('gap'):.2f} (normal: under {at.GOOD_GAP})."
    )
    return Verdict("gradient vanishes", "red", words)


def strong_discriminator(view: View) -> Verdict | None:
    """Winning always is normal; winning with nothing left to learn, or while the generator is stuck, is not."""
    gap, sure = view.recent("gap"), view.certainty()
    if gap is None or gap <= 2 * at.GOOD_GAP or not view.above("wins", at.ALL_WINS):
        return None
    wins = f"The discriminator wins {view.recent('wins'):.1%} of the time"
    words = (
        f"{wins} and has nothing left to learn, while the gap of the samples to the data is {gap:.2f} "
        f"(normal: under {at.GOOD_GAP}){view.missing_words()}."
    )
    if sure is not None and sure < at.SURE:
        return Verdict("discriminator dominates", "red" if gap > at.BAD_GAP else "yellow", words)
    if view.stuck:
        return Verdict("discriminator dominates", "red" if view.stuck_for_long else "yellow", words)
    if view.too_slow:
        words = (
            f"{wins}, and the generator learns too slowly: the gap of the samples to the data is {gap:.2f}, and at "
            f"this pace {view.gap_at_the_end:.2f} when the training ends (normal: under {at.GOOD_GAP})."
        )
        return Verdict("discriminator dominates", "yellow", words)
    return None


def collapse(view: View) -> Verdict | None:
    """Little variety that does not grow, or classes that stay away."""
    variety, share = view.recent("diversity"), view.missing_share
    if variety is None or view.improving:
        return None
    words = f"The samples' variety is {variety:.0%} of the data's (normal: 85-110 %){view.missing_words()}."
    if variety < at.NO_VARIETY or share >= at.HALF_THE_CLASSES:
        return Verdict("mode collapse", "red", words)
    if variety < at.LITTLE_VARIETY or share > 0:
        return Verdict("mode collapse", "yellow", words)
    return None


def learned_by_heart(view: View) -> Verdict | None:
    """The generator paints training pictures, or the discriminator knows them."""
    near, better = view.recent("nearest"), view.seen_better
    if near is not None and near < at.BY_HEART:
        words = f"Samples lie {near:.0%} as far from training pictures as those from each other (normal: 100-200 %)."
        return Verdict("overfitting", "red", words)
    if better is None or better <= at.SEEN_BETTER:
        return None
    words = (
        f"The discriminator knows its {view.facts.pictures:,} training pictures by heart: it wins {better * 100:.0f} "
        "points more often on them than on held-out ones (normal: under 5)."
    )
    return Verdict("overfitting", "red" if better > at.SEEN_FAR_BETTER else "yellow", words)


def standstill(view: View) -> Verdict | None:
    """The best is long past, and it was better."""
    gap, best = view.recent("gap"), view.best_gap
    if gap is None or best is None or gap <= max(at.GOOD_GAP, at.WORSE * best) or view.since_best < at.STALE_SHARE:
        return None
    words = (
        f"No better since {view.best_at:,} images: the gap to the data was {best:.3f} then and is {gap:.3f} "
        f"(normal: falling, at last under {at.GOOD_GAP})."
    )
    return Verdict("no longer improving", "yellow", words)


def little_data(view: View) -> Verdict | None:
    """Said only where nothing worse is found."""
    if view.facts.spread is None or view.facts.pictures >= at.FEW_PICTURES:
        return None
    words = f"Only {counted(view.facts.pictures)} to learn from (1,000 and more are usual); nothing else is wrong."
    return Verdict("data problem", "yellow", words)


def counted(pictures: int) -> str:
    """So many pictures, in words."""
    return f"{pictures:,} picture{'' if pictures == 1 else 's'}"


def healthy(view: View) -> Verdict:
    """What was seen, where nothing was found."""
    gap, variety = view.recent("gap"), view.recent("diversity")
    if gap is None or variety is None:
        return Verdict("healthy", "green", "Numbers are finite, gradients within their past; samples were not judged.")
    trend = "and falling " if view.improving else ""
    words = f"The samples' variety is {variety:.0%} of the data's; their gap to the data is {gap:.3f} {trend}"
    return Verdict("healthy", "green", words + f"(normal: falling, at last under {at.GOOD_GAP}).")


RULES: tuple[Rule, ...] = (
    lost_numbers,
    bad_data,
    too_early,
    explosion,
    divergence,
    weak_discriminator,
    copies,
    vanishing,
    strong_discriminator,
    collapse,
    learned_by_heart,
    standstill,
    little_data,
)
