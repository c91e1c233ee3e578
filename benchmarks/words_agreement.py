"""How often a picture shows the colour and shape that were asked for, by a classifier of easy-VQA's 24 pairs of both.

    python -m benchmarks.words_agreement RUN EASYVQA_ZIP [--n 1000]

RUN was trained on easyvqa64.zip: `captions` (StackGAN) is asked for every colour and shape in words; a translator
between colours (StarGAN) is given test pictures and asked for every other colour, and should leave the shape alone.
Chance: 1 of 8 colours, 1 of 3 shapes.
"""

import argparse
import csv
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import ganctl
from ganctl.data.folder import Folder
from ganctl.metrics.choice import choose
from ganctl.metrics.reals import Reals
from ganctl.pictures import to_bytes
from ganctl.trained.loading import load_game
from ganctl.trained.translating import load_translator

COLOURS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
SHAPES = ("circle", "rectangle", "triangle")


def by_class(archive: Path, part: str, folder: Path) -> Path:
    """Unpack `part` into one folder for each colour and shape."""
    with zipfile.ZipFile(archive) as files:
        table = next(name for name in files.namelist() if name.endswith(f"{part}/attributes.csv"))
        for line in csv.DictReader(files.read(table).decode().splitlines()):
            place = folder / f"{COLOURS.index(line['color'])}-{SHAPES.index(line['shape'])}"
            place.mkdir(parents=True, exist_ok=True)
            (place / Path(line["file"]).name).write_bytes(files.read(f"{Path(table).parent}/{line['file']}"))
    return folder


def classes_of(classifier: Any, pictures: Tensor) -> Tensor:
    """[B, 2]: colour and shape."""
    with torch.no_grad():
        found = torch.cat([classifier(to_bytes(part)).logits.argmax(1) for part in pictures.split(250)])
    return torch.stack((found // len(SHAPES), found % len(SHAPES)), 1).cpu()


def pictures_in_words(run: str, n: int) -> tuple[Tensor, Tensor]:
    """Samples of every colour and shape in words: pictures, and what was asked for [B, 2]."""
    sampler = ganctl.load(run)
    each = max(1, n // (len(COLOURS) * len(SHAPES)))
    pictures, asked = [], []
    for colour, name in enumerate(COLOURS):
        for shape, figure in enumerate(SHAPES):
            seed = len(asked)
            pictures.append(sampler.sample(each, seed=seed, text=f"a {name} {figure}"))
            asked += [(colour, shape)] * each
    return torch.cat(pictures), torch.tensor(asked)


def pictures_recoloured(run: str, table: Any, n: int) -> tuple[Tensor, Tensor]:
    """Test pictures in every colour: pictures, and colour asked for and shape of the source [B, 2]."""
    translator = load_translator(run)
    batch = table.batch(torch.arange(min(n // len(COLOURS), len(table))), torch.Generator())
    shape = batch.label % len(SHAPES)
    pictures = [translator.translate(batch.image, target=name) for name in COLOURS]
    asked = [torch.stack((torch.full_like(shape, colour), shape), 1) for colour in range(len(COLOURS))]
    return torch.cat(pictures), torch.cat(asked)


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--n", type=int, default=1000)
    choice = parser.parse_args()
    config = load_game(choice.run).config
    size = config["description"]["shape"][1:]
    with tempfile.TemporaryDirectory() as folder:
        train = Folder(str(by_class(choice.archive, "train", Path(folder) / "train")), size=size)
        test = Folder(str(by_class(choice.archive, "test", Path(folder) / "test")), size=size)
        facts = train.describe()
        reals = Reals("easy-VQA", "train", facts, train.open(torch.device("cpu")))
        classifier: Any = choose("classifier", channels=3, labelled=reals.labelled, classes=facts.classes)
        held_out = test.open(torch.device("cpu"))
        if "text_encoder" in config["model"]["game"]:
            pictures, asked = pictures_in_words(choice.run, choice.n)
        else:
            pictures, asked = pictures_recoloured(choice.run, held_out, choice.n)
    right = classes_of(classifier, pictures) == asked
    print(f"{len(right):,} pictures (classifier {classifier.accuracy:.3f})")
    print(f"colour {right[:, 0].float().mean():.3f}, shape {right[:, 1].float().mean():.3f}, ", end="")
    print(f"both {right.all(1).float().mean():.3f}")


if __name__ == "__main__":
    main()
