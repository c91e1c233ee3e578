"""Pictures to be judged by a trained game, framed as its own were: a folder's, or the test pictures of its dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ganctl.building.build import build
from ganctl.data.album import album
from ganctl.data.dataset import Dataset, TensorTable
from ganctl.data.folder import Folder, judge
from ganctl.data.roots import instead_of_root, of_a_run
from ganctl.data.selection import Selection
from ganctl.errors import UserError
from ganctl.metrics.reals import Reals
from ganctl.nearest import hint

OWN = "dataset"  # instead of a path: the test pictures of the run's own data


@dataclass(frozen=True)
class Pile:
    """Pictures, and what is known of them."""

    reals: Reals
    rows: torch.Tensor  # [N] int64 of the table
    names: Sequence[str]  # N file names, or numbers where there are none
    classes: Sequence[str] | None  # N, where class subfolders or labels tell
    normal: frozenset[str] | None = None  # classes known to be no anomalies

    def some(self, count: int | None, seed: int) -> "Pile":
        """At most `count` of them, drawn at random, in their order."""
        if count is None or count >= len(self.rows):
            return self
        chosen = torch.randperm(len(self.rows), generator=torch.Generator().manual_seed(seed))[:count].sort().values
        names, classes = ([each[i] for i in chosen] if each else each for each in (self.names, self.classes))
        return replace(self, rows=self.rows[chosen], names=names or (), classes=classes)

    def known_normal(self, normal: Sequence[str]) -> "Pile":
        """With these classes as normal. Raises UserError unless some classes are, and some are not."""
        if self.classes is None:
            raise UserError(f"normal: {','.join(normal)}; the pictures have no classes; put each class in a subfolder")
        there = sorted(set(self.classes))
        if absent := [name for name in normal if name not in there]:
            known = "; there are: " + ", ".join(there)
            raise UserError(*(f"normal: no class {name!r}{hint(name, there) or known}" for name in absent))
        if set(normal) == set(there):
            raise UserError("normal: names all classes; some must be anomalies")
        return replace(self, normal=frozenset(normal))


def gathered(pictures: str, config: Mapping[str, Any], device: torch.device, plugins: Sequence[str] = ()) -> Pile:
    """`pictures`: a folder, a zip, or `dataset`. config: the run's own. Raises UserError."""
    if pictures == OWN:
        return own_tests(config, device, plugins)
    with instead_of_root("in"):
        return of_folder(pictures, config, device)


def own_tests(config: Mapping[str, Any], device: torch.device, plugins: Sequence[str]) -> Pile:
    """The test pictures of the run's dataset, of all classes; all of it where it keeps no test pictures.

    Where the run left classes out, those it was trained on are the normal ones.
    """
    node = dict(config["dataset"])
    selection = Selection(node.pop("only", None), node.pop("without", None) or ())
    if "split" in node:
        node["split"] = "test"
    with of_a_run(node):
        dataset: Dataset = build(node, Dataset, "dataset", plugins)
        description, table = dataset.describe(), dataset.open(device)
    table = table.held_out() or table
    reals = Reals(OWN, str(node.get("split", "all")), description, table)
    rows = torch.arange(len(table))
    labels = reals.labels(rows)
    pile = Pile(reals, rows, [str(row) for row in range(len(table))], None)
    if labels is None or labels.dim() > 1:
        return pile
    pile = replace(pile, classes=[description.names[label] for label in labels.tolist()])
    names = [] if selection.is_all else [description.names[number] for number in selection.kept(description.names)]
    return pile.known_normal(names) if names else pile


def of_folder(place: str, config: Mapping[str, Any], device: torch.device) -> Pile:
    """A folder or zip, cropped and sized as the run's pictures were; those that cannot be read are left out, told."""
    channels, *size = config["description"]["shape"]
    if channels == 2:
        raise UserError("run: its pictures have 2 channels, and picture files have 1, 3 or 4; score its dataset")
    own = config["dataset"]
    framed = {key: own[key] for key in ("crop", "background") if key in own}
    folder = Folder(place, size=size, channels=channels, on_error="skip", **framed)
    pictures = album(folder.source, folder.listing, folder.frame)
    judge(folder.source, folder.listing, pictures, folder.on_error)
    table = TensorTable(pictures.images, None, device)
    classes = None if folder.class_of is None else [folder.class_of[name] for name in pictures.names]
    return Pile(Reals(place, "all", folder.describe(), table), torch.arange(len(table)), pictures.names, classes)
