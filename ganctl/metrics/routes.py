"""Ways into a domain: which pictures set out, and which they should be like when they arrive."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganctl.data.batch import Unpaired
from ganctl.data.dataset import Description, Table
from ganctl.data.unpaired import UnpairedTable
from ganctl.errors import UserError
from ganctl.games.game import Game, Task
from ganctl.metrics.reals import Reals

MOST = 1_000  # training pictures of a domain


@dataclass(frozen=True)
class Route:
    """From pictures of other domains into one."""

    name: str  # a2b, or the domain's
    sources: Reals
    rows: Tensor  # of the sources
    domain: Reals  # training pictures
    domain_rows: Tensor
    number: int  # of the domain, as a classifier of domains counts
    direction: str | None = None  # of games that know two; else the domain's number is the target ...
    asked: Tensor | None = None  # ... or attributes [K] to show: 1, 0, or NaN for those that stay as they are
    column: int = 0  # of a table of attributes; each has a classifier of its own

    def task(self, count: int) -> Task:
        """What the game is asked for `count` pictures."""
        if self.direction is not None:
            return Task(self.direction)
        if self.asked is not None:
            return Task(target=self.asked.expand(count, -1))
        return Task(target=torch.full((count,), self.number))


def routes_of(game: Game, table: Table, facts: Description, name: str, most: int | None = None) -> tuple[Route, ...]:
    """All ways that a game knows: both directions, into every class, or to every attribute.

    most: sources of each, None: MOST. They are held-out pictures where there are some. The game was judged by `offer`;
    raises UserError for data that shows one domain.
    """
    aside = table.held_out()
    split = "sources of training" if aside is None else "sources held out"
    labelled = to_attributes if facts.attributes else into_classes
    ways = both_ways if issubclass(game.batches, Unpaired) else labelled
    found = ways(table, aside or table, facts, name, split, most or MOST)
    if len(found) < 2:
        raise UserError("metrics: there are pictures of one domain only, and translations need two")
    return found


def both_ways(table: Table, aside: Table, facts: Description, name: str, split: str, most: int) -> tuple[Route, ...]:
    """a2b and b2a."""
    assert isinstance(table, UnpairedTable)
    assert isinstance(aside, UnpairedTable)
    made = []
    for way, leave, arrive, number in (("a2b", aside.a, table.b, 1), ("b2a", aside.b, table.a, 0)):
        start, end = Reals(name, split, facts, leave), Reals(name, "all", facts, arrive)
        made.append(Route(way, start, start.order()[:most], end, end.order()[:MOST], number, way))
    return tuple(made)


def into_classes(table: Table, aside: Table, facts: Description, name: str, split: str, most: int) -> tuple[Route, ...]:
    """Into every class, the pictures of all others."""
    sources, domain = Reals(name, split, facts, aside), Reals(name, "all", facts, table)
    (starts, of_starts), (ends, of_ends) = classes_in(sources), classes_in(domain)
    names = facts.names or tuple(map(str, range(facts.classes)))
    made = []
    for number, title in enumerate(names):
        leave, arrive = starts[of_starts != number], ends[of_ends == number]
        if len(leave) and len(arrive):
            made.append(Route(title, sources, leave[:most], domain, arrive[:MOST], number))
    return tuple(made)


def to_attributes(
    table: Table, aside: Table, facts: Description, name: str, split: str, most: int
) -> tuple[Route, ...]:
    """To every attribute the pictures that lack it; whatever else they show is to stay."""
    sources, domain = Reals(name, split, facts, aside), Reals(name, "all", facts, table)
    (starts, of_starts), (ends, of_ends) = classes_in(sources), classes_in(domain)
    made = []
    for column, wishes in enumerate(wishes_of(facts)):
        for number, (title, asked) in enumerate(wishes.items()):
            leave, arrive = starts[~shows(of_starts, asked)], ends[shows(of_ends, asked)]
            if len(leave) and len(arrive):
                made.append(
                    Route(title, sources, leave[:most], domain, arrive[:MOST], number, asked=asked, column=column)
                )
    return tuple(made)


def wishes_of(facts: Description) -> Iterator[dict[str, Tensor]]:
    """Of each column what can be asked for, by name: its words, or an attribute and (with a minus) its absence."""
    names = facts.names or tuple(map(str, range(facts.classes)))
    begin = 0
    for size in facts.groups or (1,) * facts.classes:
        own = slice(begin, begin + size)
        titles = names[own] if size > 1 else (f"-{names[begin]}", names[begin])
        asked = torch.full((len(titles), facts.classes), torch.nan)
        asked[:, own] = torch.eye(size) if size > 1 else torch.tensor([[0.0], [1.0]])
        yield dict(zip(titles, asked, strict=True))
        begin += size


def shows(labels: Tensor, asked: Tensor) -> Tensor:
    """Which of the attributes [N, K] are as asked [K] wherever it asks for something, [N]."""
    return ((labels == asked) | asked.isnan()).all(1)


def classes_in(reals: Reals) -> tuple[Tensor, Tensor]:
    """Rows in their fixed order [N], and the class [N] or the attributes [N, K] of each. Raises UserError."""
    order = reals.order()
    label = reals.labels(order)
    if label is None:
        raise UserError("metrics: pictures without labels tell no domains apart")
    return order, label


def labelled_by_route(routes: Sequence[Route]) -> Iterator[tuple[Tensor, Tensor]]:
    """Training pictures of all domains in turn, with the number of each: for a classifier of domains."""
    parts = [route.domain_rows.split(32) for route in routes]
    for step in range(max(map(len, parts))):
        found = [
            (route.domain.look(rows[step])[0], route.number)
            for route, rows in zip(routes, parts, strict=True)
            if step < len(rows)
        ]
        pixels = torch.cat([each for each, _ in found])
        yield pixels, torch.cat([torch.full((len(each),), number) for each, number in found])
