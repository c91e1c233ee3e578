"""The signals in words: what each is called, its value, and what is normal."""

from dataclasses import dataclass

from ganctl.doctor.signals import Facts, Signals


@dataclass(frozen=True)
class Row:
    """One signal as it is shown."""

    name: str
    value: str
    normal: str


def rows(signals: Signals, facts: Facts) -> list[Row]:
    """Those that were measured."""
    found = [
        row("variety of samples", signals.diversity, "{:.0%}", "85-110 % of the data's"),
        row("distance to the nearest other sample", signals.neighbours, "{:.0%}", "80-150 % of the data's"),
        row("near copies among samples", signals.duplicates, "{:.0%}", "under 5 %"),
        row("distance to the nearest real picture", signals.nearest, "{:.0%}", "100-200 % of the data's own"),
        row("contrast within samples", signals.contrast, "{:.0%}", "85-110 % of the data's"),
        row("gap to the data", signals.gap, "{:.3f}", "falling, at last under 0.05"),
        row("discriminator wins", signals.wins, "{:.1%}", "70-100 %, by itself no sign of anything"),
        row("... on pictures it never saw", signals.unseen_wins, "{:.1%}", "at most 5 points under the next line"),
        row("... on training pictures", signals.seen_wins, "{:.1%}", ""),
    ]
    for turn, norm in signals.gradients.items():
        found.append(row(f"gradient of the {turn}", norm, "{:.3g}", "a tenth to 100 times its own past"))
    if facts.names and signals.shares:
        covered = len(facts.names) - len(missing(signals, facts))
        found.append(Row("classes drawn", f"{covered} of {len(facts.names)}", "all"))
    return [each for each in found if each is not None]


def row(name: str, value: float | None, form: str, normal: str) -> Row | None:
    """None for what was not measured."""
    return None if value is None else Row(name, form.format(value), normal)


def missing(signals: Signals, facts: Facts) -> list[str]:
    """Classes that are drawn less than a tenth as often as they occur."""
    from ganctl.metrics.coverage import is_covered

    pairs = zip(facts.names, signals.shares, facts.expected, strict=False)
    return [name for name, share, real in pairs if real > 0 and not is_covered(share, real)]
