"""Scores a game that leads pictures into other domains: whether what arrives is like the pictures that live there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ganctl.errors import NotFinite
from ganctl.games.game import Game, Translating
from ganctl.metrics.contract import Contract, Score, library_versions
from ganctl.metrics.coverage import conditional_accuracy
from ganctl.metrics.evaluation import Evaluation
from ganctl.metrics.extractors import Extractor, Features
from ganctl.metrics.fidelity import Measured, enough, fewest, fidelity
from ganctl.metrics.isolation import isolated
from ganctl.metrics.keys import LEADING, NAMES, SETS
from ganctl.metrics.routes import Route
from ganctl.metrics.sheets import Batches, Sheet, sheet
from ganctl.pictures import grid, to_bytes
from ganctl.precision import repeatable

BATCH, SHOWN = 16, 8  # pictures translated at once; on the sheet of each way
DETAILED = 4  # ways whose distances are told one by one; of more, their means and who arrived
MEANS = "sources as they came"


class DomainPanel:
    """metrics: of fd, kd, conditional. extractor: for fd and kd; classifiers: of the domains, for conditional.

    There is one classifier for each column of attributes, None where it could not be learnt; else one for all domains.

    Scores stand as the mean of all ways (`kd`) and for each (`kd/a2b`; of more than DETAILED ways only conditional).
    Beside them: the sources untranslated.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        name: str,
        metrics: Sequence[str],
        extractor: Extractor,
        classifiers: Sequence[Extractor | None],
        *,
        device: torch.device | str = "cpu",
        averaged: bool = True,
    ) -> None:
        self.routes, self.device = tuple(routes), torch.device(device)
        self.metrics, self.extractor, self.classifiers = tuple(metrics), extractor, tuple(classifiers)
        domains = [self.look(route, route.domain.batches(route.domain_rows)) for route in self.routes]
        self.domains = [each.seen[0] for each in domains]
        self.contract = Contract(
            reference=name,
            reference_id=" ".join(each.identity for each in domains),
            split=self.routes[0].sources.split,
            reference_count=sum(len(each) for each in domains),
            count=sum(len(route.rows) for route in self.routes),
            extractor=extractor.name,
            extractor_id=extractor.identity,
            resizer=extractor.resizer,
            precision="float32",
            averaged=averaged,
            seed=0,
            versions=library_versions(),
        )
        self.latest: np.ndarray | None = None  # what was scored last: a row of sources, a row of what became of them
        with isolated():
            self.floors = self.measure([route.sources.batches(route.rows) for route in self.routes])

    @property
    def keys(self) -> tuple[str, ...]:
        """Of the scores that an evaluation gives."""
        return tuple(self.floors)

    def evaluate(self, game: Game, images_seen: int) -> Evaluation:
        """Translate and score. Random states are left as they were. Raises NotFinite where a picture is not."""
        shown: list[Tensor] = []
        with isolated():
            found = self.measure([self.made(game, route, shown) for route in self.routes])
        self.latest = grid(torch.cat(shown) / 127.5 - 1, SHOWN)
        return Evaluation(images_seen, self.scores(found), beside=MEANS)

    def pictures(self, game: Game) -> Mapping[str, np.ndarray]:
        """Sources scored last, with what became of them."""
        return {} if self.latest is None else {"translated": self.latest}

    def made(self, game: Game, route: Route, shown: list[Tensor]) -> Batches:
        """What becomes of a route's sources, as bytes; the first ones go on the sheet, below their sources."""
        assert isinstance(game, Translating)  # the panel was chosen for it
        sources, outputs = [], []
        for rows in route.rows.split(BATCH):
            source = route.sources.look(rows)[0].to(self.device)
            task = route.task(len(source))
            task = task if task.target is None else replace(task, target=task.target.to(self.device))
            with torch.no_grad(), repeatable(), torch.autocast(self.device.type, enabled=False):
                output = game.translate(source.float() / 127.5 - 1, task)
            if not output.isfinite().all():
                raise NotFinite("a translated picture is not finite; nothing was scored")
            sources.append(source[:SHOWN].cpu())
            outputs.append(to_bytes(output).cpu())
            yield outputs[-1], None
        shown += [filled_row(sources), filled_row(outputs)]

    def look(self, route: Route, pictures: Batches) -> Sheet:
        """Pictures as the extractor and the route's classifier see them; `seen` has that one last."""
        classifier = self.classifiers[route.column]
        eyes = dict.fromkeys((self.extractor, *([classifier] if classifier else [])))
        return sheet(pictures, list(eyes), self.device)

    def measure(self, ways: Sequence[Batches]) -> dict[str, Measured]:
        """All values of the pictures that arrive on each route: means first, then each way's."""
        of_ways = {
            route.name: self.measure_one(route, self.look(route, way).seen, domain)
            for route, way, domain in zip(self.routes, ways, self.domains, strict=True)
        }
        found: dict[str, Measured] = {}
        for metric in self.metrics:
            values = {name: values[metric] for name, values in of_ways.items() if metric in values}
            found[metric] = Measured(sum(each.value for each in values.values()) / len(values))
            if metric == "conditional" or len(values) <= DETAILED:
                found |= {f"{metric}/{name}": value for name, value in values.items()}
        return found

    def measure_one(self, route: Route, seen: Sequence[Features], domain: Features) -> Mapping[str, Measured]:
        """The values of one route."""
        distances = [metric for metric in self.metrics if metric != "conditional"]
        values = fidelity(seen[0], domain, distances, tell=route is self.routes[0]) if distances else {}
        logits = seen[-1].logits
        if "conditional" in self.metrics and self.classifiers[route.column] is not None and logits is not None:
            right = conditional_accuracy(logits.argmax(1), torch.full((len(logits),), route.number))
            values["conditional"] = Measured(right)
        return values

    def scores(self, found: Mapping[str, Measured]) -> tuple[Score, ...]:
        """With names and conditions, the sources' beside them."""
        made = []
        for key, measured in found.items():
            metric, _, way = key.partition("/")
            of_classes = metric == "conditional"
            name = NAMES[metric] if of_classes else self.extractor.title(NAMES[metric])
            contract = self.contract
            if of_classes:
                eyes = self.judges(way)
                identity = " ".join(eye.identity for eye in eyes)
                contract = replace(contract, extractor=eyes[0].name, extractor_id=identity, resizer=eyes[0].resizer)
            title = f"{name}: {way}" if way else name
            made.append(Score(key, title, measured.value, contract, self.floors[key].value, measured.spread))
        return tuple(made)

    def judges(self, way: str) -> list[Extractor]:
        """The classifiers that say who arrived there; with no way: anywhere."""
        columns = dict.fromkeys(route.column for route in self.routes if way in ("", route.name))
        return [eye for column in columns if (eye := self.classifiers[column]) is not None]


def possible_on(routes: Sequence[Route], extractor: Extractor, classified: bool) -> tuple[str, ...]:
    """Those metrics that there are pictures enough for on every route; says which are left out."""
    fewer = min(min(len(route.rows), len(route.domain_rows)) for route in routes)
    needed = {metric: fewest(metric, extractor.feature_size) for metric in SETS}
    allowed = {metric: enough(metric, each, fewer, "pictures on every way") for metric, each in needed.items()}
    return tuple(metric for metric in LEADING if allowed.get(metric, classified))


def filled_row(batches: Sequence[Tensor]) -> Tensor:
    """The first SHOWN pictures, repeated from the start where there are fewer."""
    pictures = torch.cat(list(batches))
    return pictures[torch.arange(SHOWN) % len(pictures)]
