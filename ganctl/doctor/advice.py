"""One thing to change for each verdict, as an override that the run's own config accepts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ganctl.doctor.rules import Verdict
from ganctl.doctor.signals import Facts

Settings = Mapping[str, Any]
FAIR = 10  # times more parameters on one side are no longer a fair game


@dataclass(frozen=True)
class Advice:
    """`override` is what to type behind the command that trained the run."""

    override: str
    words: str


def advise(verdict: Verdict, settings: Settings, facts: Facts) -> Advice | None:
    """What to change first; None where nothing needs to."""
    remedy = REMEDIES.get(verdict.name)
    return None if remedy is None or verdict.level == "green" else remedy(settings, facts)


def against_collapse(settings: Settings, facts: Facts) -> Advice:
    """A gradient penalty where the discriminator can bear one, else augmentation, else a slower generator."""
    if not penalised(settings) and free_of_batch_norm(settings) and offers(settings, "loss"):
        return Advice("loss=r1", "a gradient penalty keeps the discriminator's word useful for every picture")
    if offers_augmentation(settings):
        return Advice("augment=diffaugment", "a discriminator that sees altered pictures cannot fix on a few")
    return slower("generator", settings, 2, "a slower generator does not run after the one picture that pays just now")


def against_strong_discriminator(settings: Settings, facts: Facts) -> Advice:
    """A loss that speaks where the discriminator is sure (Goodfellow et al. 2014, section 3); else time, or steps."""
    if str(adversarial(settings)).endswith(".Minimax") and offers(settings, "loss"):
        return Advice("loss=non_saturating", "minimax leaves no gradient where the discriminator is sure")
    if critic_only(settings):
        return slower("generator", settings, 1 / 4, "this critic is meant to be ahead; larger steps follow it sooner")
    if (settings["model"].get("every") or {}).get("generator", 1) > 1:
        return Advice("model.every.generator=1", "let the generator play in every round")
    factor = max(4.0, ratio(settings))
    return slower("discriminator", settings, factor, "a slower discriminator leaves the generator a direction")


def against_weak_discriminator(settings: Settings, facts: Facts) -> Advice:
    """More discriminator: as wide as the generator, or as fast."""
    ours, theirs = facts.weights.get("discriminator", 0), facts.weights.get("generator", 0)
    width = (settings["model"]["game"].get("discriminator") or {}).get("width")
    wide = (settings["model"]["game"].get("generator") or {}).get("width")
    if isinstance(width, int) and isinstance(wide, int) and width < wide and ours * FAIR < theirs:
        return Advice(f"model.game.discriminator.width={wide}", "a discriminator as wide as the generator sees more")
    factor = max(4.0, 1 / ratio(settings)) if ratio(settings) < 1 else 4.0
    return slower("discriminator", settings, 1 / factor, "a faster discriminator learns what is wrong in time")


def against_explosion(settings: Settings, facts: Facts) -> Advice:
    """Cut the largest steps."""
    clip = settings["trainer"].get("clip")
    return Advice(f"trainer.clip={clip / 10 if clip else 1:g}", "no single round can then undo many")


def against_divergence(settings: Settings, facts: Facts) -> Advice:
    """The faster side first."""
    optimizers = settings["model"]["optimizers"]
    turn = max(optimizers, key=lambda name: float(optimizers[name].get("lr", 0)))
    return slower(turn, settings, 10, "steps this large lead away from what was learned")


def against_learning_by_heart(settings: Settings, facts: Facts) -> Advice:
    """Augmentation, or the end."""
    if offers_augmentation(settings):
        return Advice("augment=diffaugment", "altered pictures cannot be learned by heart (Zhao et al. 2020)")
    return Advice(f"images={max(1, int(settings['images']) // 2)}", "stop before the pictures are known by heart")


def against_bad_data(settings: Settings, facts: Facts) -> Advice:
    """More pictures are the cure; what a key can do until then."""
    if facts.spread is not None and facts.spread <= 0:
        return Advice(
            "dataset=digits", "in place of yours: shows whether the model trains at all; then look at your pictures"
        )
    if offers_augmentation(settings):
        return Advice("augment=diffaugment", "makes the most of few pictures; more pictures help better")
    return Advice(
        "dataset=digits", "in place of yours: shows whether the model trains at all; then collect more pictures"
    )


def against_standstill(settings: Settings, facts: Facts) -> Advice:
    """Smaller steps."""
    return slower("generator", settings, 2, "smaller steps settle where larger ones go back and forth")


REMEDIES: dict[str, Callable[[Settings, Facts], Advice]] = {
    "mode collapse": against_collapse,
    "discriminator dominates": against_strong_discriminator,
    "generator dominates": against_weak_discriminator,
    "gradient vanishes": against_strong_discriminator,  # for it is sure of itself
    "gradients explode": against_explosion,
    "diverged": against_divergence,
    "overfitting": against_learning_by_heart,
    "no longer improving": against_standstill,
    "data problem": against_bad_data,
}


def slower(turn: str, settings: Settings, factor: float, words: str) -> Advice:
    """That turn's learning rate divided; the first turn's where there is no such turn."""
    optimizers = settings["model"]["optimizers"]
    name = turn if turn in optimizers else next(iter(optimizers))
    rate = float(optimizers[name].get("lr", 1e-3))
    return Advice(f"model.optimizers.{name}.lr={rate / factor:.3g}", words)


def ratio(settings: Settings) -> float:
    """The discriminator's learning rate over the generator's; 1 where a side is missing."""
    optimizers = settings["model"]["optimizers"]
    ours, theirs = (float((optimizers.get(name) or {}).get("lr", 0)) for name in ("discriminator", "generator"))
    return ours / theirs if ours and theirs else 1.0


def adversarial(settings: Settings) -> Any:
    """The class of the adversarial loss."""
    return (settings["model"]["game"].get("adversarial") or {}).get("_target_")


def critic_only(settings: Settings) -> bool:
    """Whether the loss wants a critic that is ahead (Arjovsky et al. 2017, section 3)."""
    return str(adversarial(settings)).endswith(".Wasserstein")


def penalised(settings: Settings) -> bool:
    """Whether the loss has a penalty already."""
    return bool(settings["model"]["game"].get("penalties"))


def free_of_batch_norm(settings: Settings) -> bool:
    """As far as the config says: penalties on single pictures need it."""
    critic = settings["model"]["game"].get("discriminator") or {}
    return critic.get("norm") == "none" or not str(critic.get("_target_")).endswith(("DCGANDiscriminator", "Clipped"))


def offers(settings: Settings, group: str) -> bool:
    """Whether the model takes that group at all."""
    return "adversarial" in settings["model"]["game"] if group == "loss" else "augment" in settings["model"]["game"]


def offers_augmentation(settings: Settings) -> bool:
    """Whether augmentation is possible (pictures, not points) and not in use."""
    augment = settings["model"]["game"].get("augment") or {}
    shape = settings["description"]["shape"]
    return str(augment.get("_target_")).endswith(".NoAugment") and shape[1] * shape[2] > 1
