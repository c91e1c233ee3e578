"""Curves as inline SVG whose colours follow the page: dark on light, light on dark."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEXT, LINES = "#fe01fe", "#fe02fe"  # stand-ins, replaced by the page's own colours
SERIES = "#fe00{:02x}"
COLOURS = 8
MOST_POINTS = 300  # of a curve; more are averaged
SIZE = (5.4, 2.9)  # inches


@dataclass(frozen=True)
class Curve:
    """One run's values over images seen. group: number of its colour."""

    group: int
    images: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Plot:
    """Some curves of one quantity; level: a line to hold them against (what real pictures reach)."""

    title: str
    curves: Sequence[Curve]
    level: float | None = None


def svg(plot: Plot) -> str:
    """The plot as an <svg> element without a size, so that it fills its place; no address in it is fetched."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    style: Any = {"svg.fonttype": "none", "svg.hashsalt": plot.title, "text.color": TEXT, "axes.edgecolor": LINES}
    style |= {"axes.labelcolor": TEXT, "xtick.color": TEXT, "ytick.color": TEXT, "grid.color": LINES}
    style |= {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9.0}
    with rc_context(style):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        draw(axes, plot)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format")))
    return themed(file.getvalue(), plot.title)


def draw(axes: "Axes", plot: Plot) -> None:
    """Thin lines for single runs, a thick one for the median of several seeds."""
    from matplotlib.ticker import EngFormatter

    for number in dict.fromkeys(curve.group for curve in plot.curves):
        curves = [curve for curve in plot.curves if curve.group == number]
        colour = SERIES.format(number % COLOURS)
        middle = median_curve(curves)
        for curve in curves:
            thin: Any = {"linewidth": 0.9, "alpha": 0.45} if len(curves) > 1 else {"linewidth": 1.8}
            marker = "o" if len(curve.images) < 3 else ""
            axes.plot(*thinned(curve), color=colour, marker=marker, markersize=4, **thin)
        if middle is not None:
            axes.plot(middle.images, middle.values, color=colour, linewidth=2.2)
    if plot.level is not None:
        axes.axhline(plot.level, color=TEXT, linewidth=0.9, linestyle=(0, (4, 3)), alpha=0.7)
    axes.grid(axis="y", linewidth=0.6)
    axes.tick_params(length=0)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("images seen")
    axes.margins(x=0.01)
    axes.set_xlim(left=0)


def thinned(curve: Curve) -> tuple[list[float], list[float]]:
    """Windows' means, where a curve has more points than a screen shows."""
    step = -(-len(curve.values) // MOST_POINTS)
    starts = range(0, len(curve.values), step or 1)
    windows = [slice(start, start + step) for start in starts]
    return [mean(curve.images[each]) for each in windows], [mean(curve.values[each]) for each in windows]


def mean(values: Sequence[float]) -> float:
    """Of one value or more."""
    return sum(values) / len(values)


def median_curve(curves: Sequence[Curve]) -> Curve | None:
    """The median over seeds at the images that all runs have; None for one run, or none in common."""
    if len(curves) < 2:
        return None
    by_images = [dict(zip(*thinned(curve), strict=True)) for curve in curves]
    common = [seen for seen in by_images[0] if all(seen in each for each in by_images)]
    values = [median(each[seen] for each in by_images) for seen in common]
    return Curve(curves[0].group, common, values) if len(common) > 1 else None


def themed(text: str, title: str) -> str:
    """The element alone: scaled by its place, coloured by the page, with a title for screen readers."""
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    head, _, rest = body.partition(">")
    body = re.sub(r'\s(?:xmlns(?::\w+)?|width|height|version)="[^"]*"', "", head) + ">" + rest
    body = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", body)  # names of its parts, the same in every drawing
    body = body.replace("xlink:href", "href").replace(TEXT, "currentColor").replace(LINES, "var(--line)")
    for number in range(COLOURS):
        body = body.replace(SERIES.format(number), f"var(--series-{number})")
    label = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return body.replace("<svg", f'<svg role="img" aria-label="{label}"', 1).strip()
