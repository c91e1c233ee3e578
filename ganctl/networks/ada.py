"""ADA: augmentation that grows with the discriminator's overfitting (Karras et al. 2020, "Limited Data")."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

from ganctl.networks.augment import Augment
from ganctl.precision import full_precision
from ganctl.schedules import Schedule, value_at
from ganctl.transfer import constant

LOG2 = math.log(2)
CROSS = ((0.0, -1.0, 1.0), (1.0, 0.0, -1.0), (-1.0, 1.0, 0.0))  # product with (1, 1, 1)


class ADA(Augment):
    """Appendix B, first three groups ("bgc"), each change made to each picture with probability `strength`.

    The order is the paper's: flip, quarter turns, whole-pixel shift; scale, turn, stretch, turn, shift; brightness,
    contrast, luma flip, hue, saturation. Each group undoes by one inverse, and as long as the untouched picture is
    the most frequent one, the discriminator can tell upright from turned: changes do not leak into what is
    generated (section 2.2, appendix C). Near 1 they do, so strength stops at `limit`.

    Strength rises while E[sign D(real)] exceeds `target` and falls otherwise, one unit in `ramp_images` (eq. 1 and
    section 3.1), decided every `interval` looks at reals: one a round, or two where two discriminators share it. Where
    a score's sign tells nothing (Wasserstein, relativistic), `target: null` leaves `strength` as it is given: a
    number, or a schedule.
    Pictures are resampled once, bilinearly, where the paper filters with a wavelet; their border is mirrored.
    """

    strength: Tensor
    sign_sum: Tensor
    sign_count: Tensor
    rounds: Tensor
    changed_at: Tensor

    def __init__(
        self,
        target: float | None = 0.6,
        strength: float | Schedule = 0.0,
        ramp_images: float = 500_000,
        interval: int = 4,
        limit: float = 0.8,
    ) -> None:
        super().__init__()
        first = value_at(strength, images_seen=0)
        if not 0 <= first <= limit <= 1:
            raise ValueError(f"strength: {first}, limit: {limit}; must be 0 <= strength <= limit <= 1")
        if isinstance(strength, Schedule) and target is not None:
            raise ValueError(f"target: {target}; a strength on a schedule follows no target, set target=null")
        if interval < 1 or ramp_images <= 0:
            raise ValueError(f"interval: {interval}, ramp_images: {ramp_images}; must be more than 0")
        self.target, self.ramp_images, self.interval, self.limit = target, ramp_images, interval, limit
        self.given, self.reads_sign = strength, target is not None
        self.register_buffer("strength", torch.tensor(float(first)))
        self.register_buffer("sign_sum", torch.tensor(0.0))
        self.register_buffer("sign_count", torch.tensor(0.0))
        self.register_buffer("rounds", torch.tensor(0))  # observed since the last decision
        self.register_buffer("changed_at", torch.tensor(-1))  # images seen at the last decision; -1: none yet

    def forward(self, image: Tensor) -> Tensor:
        if image.device.type == "cpu" and not self.strength:  # elsewhere the question would wait for the device
            return image
        with full_precision(image.device):
            changed = recoloured(resampled(image.float(), self.strength), self.strength)
        return changed.to(image.dtype)

    @torch.no_grad()
    def observe(self, real_score: Tensor) -> None:
        self.sign_sum += real_score.sign().float().sum()
        self.sign_count += real_score.numel()
        self.rounds += 1

    @torch.no_grad()
    def advance(self, images_seen: int) -> None:
        if self.target is None:
            self.strength.fill_(min(value_at(self.given, images_seen), self.limit))
            return
        self.changed_at.copy_(torch.where(self.changed_at < 0, images_seen, self.changed_at))
        due = self.rounds >= self.interval  # stays on the device: nobody waits for it
        step = (images_seen - self.changed_at) / self.ramp_images * torch.sign(self.overfitting() - self.target)
        self.strength.copy_(torch.where(due, (self.strength + step).clamp(0, self.limit), self.strength))
        self.changed_at.copy_(torch.where(due, images_seen, self.changed_at))
        for count in (self.sign_sum, self.sign_count, self.rounds):
            count *= ~due

    def watched(self) -> dict[str, Tensor]:
        return {"augment": self.strength}

    def overfitting(self) -> Tensor:
        """r_t of eq. 1, in [-1, 1], over all devices since the last decision."""
        both = torch.stack((self.sign_sum, self.sign_count))
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(both)
        return both[0] / both[1].clamp(min=1)


def chosen(values: Tensor, otherwise: float, probability: Tensor) -> Tensor:
    """values [B], each kept with the probability, else replaced."""
    return torch.where(torch.rand_like(values) < probability, values, otherwise)


def resampled(image: Tensor, strength: Tensor) -> Tensor:
    """Pixel blitting and geometry in one resampling, [B, C, H, W]."""
    height, width = image.shape[2:]
    to_pixels = constant((width / 2, height / 2, 1.0), torch.float32, image.device)
    back = source_map(image, strength)  # [B, 3, 3]: centred pixels of the result -> of the picture
    theta = back * to_pixels[None, None, :] / to_pixels[None, :, None]
    grid = affine_grid(theta[:, :2], list(image.shape), align_corners=False)
    return grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def source_map(image: Tensor, strength: Tensor) -> Tensor:
    """For each picture where its pixels come from, [B, 3, 3] in centred pixels; changes are listed first to last."""
    height, width = image.shape[2:]
    nothing = torch.zeros(len(image), device=image.device)
    draw, coin = torch.randn_like, torch.rand_like
    turn_once = 1 - (1 - strength).sqrt()  # twice this makes `strength` of at least one turn

    flip = chosen(1 - 2 * torch.round(coin(nothing)), 1.0, strength)
    quarters = chosen(torch.floor(coin(nothing) * 4), 0.0, strength) if height == width else nothing
    whole = [chosen((coin(nothing) * 2 - 1) * 0.125, 0.0, strength) for _ in range(2)]
    size = chosen(torch.exp(draw(nothing) * 0.2 * LOG2), 1.0, strength)
    first = chosen((coin(nothing) * 2 - 1) * math.pi, 0.0, turn_once)
    stretch = chosen(torch.exp(draw(nothing) * 0.2 * LOG2), 1.0, strength)
    second = chosen((coin(nothing) * 2 - 1) * math.pi, 0.0, turn_once)
    part = [chosen(draw(nothing) * 0.125, 0.0, strength) for _ in range(2)]

    # The result is asked where it came from, so that every matrix is an inverse and the first change stands first.
    return (
        scaling(flip, torch.ones_like(flip))
        @ rotation(quarters * (math.pi / 2))
        @ shift(torch.round(whole[0] * width), torch.round(whole[1] * height))
        @ scaling(1 / size, 1 / size)
        @ rotation(first)
        @ scaling(1 / stretch, stretch)
        @ rotation(second)
        @ shift(part[0] * width, part[1] * height)
    )


def matrices(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Entries [B] -> [B, 3, 3]."""
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def scaling(x: Tensor, y: Tensor) -> Tensor:
    """Factors [B] of both axes -> [B, 3, 3]."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return matrices((x, zero, zero), (zero, y, zero), (zero, zero, one))


def rotation(angle: Tensor) -> Tensor:
    """Angles [B] in radians -> [B, 3, 3]."""
    zero, one, cos, sin = torch.zeros_like(angle), torch.ones_like(angle), torch.cos(angle), torch.sin(angle)
    return matrices((cos, -sin, zero), (sin, cos, zero), (zero, zero, one))


def shift(x: Tensor, y: Tensor) -> Tensor:
    """Distances [B] in pixels -> [B, 3, 3]."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return matrices((one, zero, x), (zero, one, y), (zero, zero, one))


def recoloured(image: Tensor, strength: Tensor) -> Tensor:
    """Colour changes as one affine map of each picture's channels, [B, C, H, W]."""
    colours = colour_map(image, strength)  # [B, C, C + 1]
    flat = image.flatten(2)  # [B, C, H*W]
    return torch.baddbmm(colours[:, :, -1:], colours[:, :, :-1], flat).view_as(image)


def colour_map(image: Tensor, strength: Tensor) -> Tensor:
    """For each picture new = map[:, :-1] @ old + map[:, -1:]; hue and saturation only where there are 3 channels."""
    channels = image.shape[1]
    nothing = torch.zeros(len(image), device=image.device)
    draw, coin = torch.randn_like, torch.rand_like
    add = chosen(draw(nothing) * 0.2, 0.0, strength)[:, None, None]
    times = chosen(torch.exp(draw(nothing) * 0.5 * LOG2), 1.0, strength)[:, None, None]
    flip = chosen(torch.round(coin(nothing)), 0.0, strength)[:, None, None]

    same = torch.eye(channels, device=image.device)
    luma = torch.full_like(same, 1 / channels)  # projection to the grey axis
    result = pad(same.expand(len(image), -1, -1), (0, 1)) + pad(add.expand(-1, channels, -1), (channels, 0))
    result = (same - 2 * flip * luma) @ (times * result)
    if channels != 3:
        return result
    angle = chosen((coin(nothing) * 2 - 1) * math.pi, 0.0, strength)[:, None, None]
    saturation = chosen(torch.exp(draw(nothing) * LOG2), 1.0, strength)[:, None, None]
    hue = luma + torch.cos(angle) * (same - luma) + torch.sin(angle) * around_grey(image)
    return (luma + saturation * (same - luma)) @ (hue @ result)


def around_grey(image: Tensor) -> Tensor:
    """Cross product with the grey axis (1, 1, 1) / sqrt(3), for Rodrigues' rotation."""
    return constant(CROSS, torch.float32, image.device) / math.sqrt(3)
