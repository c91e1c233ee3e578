"""How well a categorical code of an InfoGAN separates the classes of its data, by a classifier trained on the data.

    python -m benchmarks.code_separation RUN [--code digit] [--n 2000]

For every value of the code the classes of its samples are counted. A value stands for the class it draws most;
`purity` is the share of samples that agree with their value's class (chance: about the largest class), and `classes`
how many different classes the values stand for.
"""

import argparse
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

import ganctl
from ganctl.metrics.choice import choose
from ganctl.metrics.reals import Reals
from ganctl.pictures import to_bytes
from ganctl.training import parts


def counts(run: str, code: str, n: int) -> tuple[Tensor, float]:
    """Samples of each class for each value of the code, [values, classes], and the classifier's own accuracy."""
    sampler = ganctl.load(run)
    values = int(sampler.columns(n, code=code) or 0)
    pictures = sampler.sample(n // values * values, seed=0, code=code)
    classifier: Any = classifier_of(sampler.config)
    with torch.no_grad():
        logits = torch.cat([classifier(to_bytes(part)).logits for part in pictures.split(250)])
    found = torch.zeros(values, logits.shape[1], dtype=torch.int64)
    chosen = torch.arange(len(logits)) % values
    found.index_put_((chosen, logits.argmax(1)), torch.tensor(1), accumulate=True)
    return found, float(classifier.accuracy)


def classifier_of(config: Mapping[str, Any]) -> Any:
    """Trained on the run's own data."""
    dataset = parts.dataset_of(dict(config))
    facts = dataset.describe()
    reals = Reals("data", "train", facts, dataset.open(torch.device("cpu")))
    return choose("classifier", channels=facts.shape[0], labelled=reals.labelled, classes=facts.classes)


def main() -> None:
    """Print the table and its summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--code", default="digit")
    parser.add_argument("--n", type=int, default=2000)
    choice = parser.parse_args()
    found, accuracy = counts(choice.run, choice.code, choice.n)
    print("value  samples of each class")
    for value, row in enumerate(found.tolist()):
        print(f"{value:>5}  " + " ".join(f"{count:>4}" for count in row))
    share = found.max(1).values.sum().item() / found.sum().item()
    print(f"purity {share:.3f}, classes {found.argmax(1).unique().numel()} (classifier {accuracy:.3f})")


if __name__ == "__main__":
    main()
