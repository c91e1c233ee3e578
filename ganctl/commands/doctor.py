"""`ganctl doctor`: how a run fares, by which numbers, and the one thing to change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganctl.commands.arguments import option, parse, words

if TYPE_CHECKING:
    from ganctl.doctor.history import Diagnosis


@dataclass
class Arguments:
    """The doctor's verdict on a run, e.g.  ganctl doctor run=outputs/first   (also while it trains)

    Reads what was found while training (RUN/diagnosis.jsonl); a run trained without the doctor is examined now.
    """

    run: str | None = option(None, "a run folder or its name; the newest run when not given", positional=True)
    fresh: bool = option(False, "examine the last checkpoint now, also where training was examined")
    device: int | str = option("auto", "auto, cpu, cuda, mps, idle or the number of a GPU, for an examination now")
    plugins: str = option("", "modules of your own that the run's classes come from, with commas")


def run(argv: list[str]) -> int:
    """Print the verdict. Returns the exit code, 0 for every verdict."""
    arguments = parse(Arguments, argv, "doctor")
    from ganctl.runs.store import find, read_status
    from ganctl.trained.diagnosing import diagnosed, examined

    found = find(arguments.run, needs_checkpoint=False)
    history = [] if arguments.fresh else diagnosed(found)
    if not history:
        plugins = words(arguments.plugins)
        history = examined(found, arguments.device, plugins)
    state = read_status(found)
    print(f"{found.folder}  ({state.state}, {history[-1].images:,} of {state.images:,} images)")
    print(report(history))
    return 0


def report(history: Sequence["Diagnosis"]) -> str:
    """Verdict, advice, the numbers with their normal ranges, and how it came to this."""
    last = history[-1]
    lines = ["", f"  {last.verdict.name} ({last.verdict.level})", f"  {last.verdict.words}"]
    if last.advice:
        lines += [f"  Change one thing: {last.advice.override}", f"  ({last.advice.words})"]
    return "\n".join([*lines, "", *numbers(last), *changes(history)])


def numbers(last: "Diagnosis") -> list[str]:
    """Each signal that was measured, with what is normal; the losses below, which prove nothing."""
    from ganctl.doctor.normal import rows

    found = [(row.name, row.value, row.normal) for row in rows(last.signals, last.facts)]
    widths = [max((len(row[column]) for row in found), default=0) for column in range(3)]
    head = [f"  {'signal':<{widths[0]}}  {'value':<{widths[1]}}  normal"] if found else []
    lines = [f"  {name:<{widths[0]}}  {value:<{widths[1]}}  {normal}" for name, value, normal in found]
    losses = "  ".join(f"{name} {value:.3g}" for name, value in last.signals.losses.items() if value is not None)
    return [*head, *lines, *([f"  losses, which prove nothing either way: {losses}"] if losses else [])]


def changes(history: Sequence["Diagnosis"]) -> list[str]:
    """When the verdict changed."""
    lines, before = [], None
    for each in history:
        if (each.verdict.name, each.verdict.level) != before:
            lines.append(f"  from {each.images:>11,} images: {each.verdict.name} ({each.verdict.level})")
        before = (each.verdict.name, each.verdict.level)
    return ["", *lines] if len(lines) > 1 else []
