"""What the doctor costs: seconds of its checks beside seconds of the training around them, in one process.

    python -m benchmarks.doctor_cost [--out benchmarks/results]

Every training runs once, with the doctor's default interval; its own seconds are taken out of the whole, so that both
sides see the same noise of the machine.
"""

import argparse
import json
import os
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import torch

from ganctl.callbacks.doctor import Doctor
from ganctl.config.preparation import compose, prepare
from ganctl.training import start

ROWS = (
    ("dcgan digits 16 px", ("model=dcgan", "dataset=digits", "dataset.size=16"), 30_000),
    ("dcgan mnist 32 px", ("model=dcgan", "dataset=mnist"), 10_000),
    ("gan ring8", ("model=gan", "dataset=ring8"), 30_000),
)


def measure(overrides: tuple[str, ...], images: int) -> dict[str, Any]:
    """Seconds inside and outside the doctor's hook; the opening of the data counts on neither side."""
    common = [f"images={images}", "device=cpu", "trainer.threads=1", "sample_every=null", "checkpoint_every=null"]
    settings = prepare(compose([*overrides, *common]))
    spent: list[float] = []
    examine = Doctor.examine

    def timed(self: Doctor, *arguments: Any) -> None:
        began = time.process_time()
        examine(self, *arguments)
        spent.append(time.process_time() - began)

    Doctor.examine = timed  # type: ignore[method-assign]
    began = time.process_time()
    try:
        start.train(settings)
    finally:
        Doctor.examine = examine  # type: ignore[method-assign]
    whole = time.process_time() - began
    return {"checks": len(spent), "seconds": round(whole, 1), "share": round(sum(spent) / (whole - sum(spent)), 4)}


def main() -> None:
    """Measure every row, print it, write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    choice = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as outputs:
        os.environ["GANCTL_OUTPUTS"] = outputs
        for name, overrides, images in ROWS:
            rows.append({"training": name, "images": images, **measure(overrides, images)})
            print(rows[-1], flush=True)
    choice.out.mkdir(parents=True, exist_ok=True)
    path = choice.out / f"doctor_cost-{date.today().isoformat()}.json"
    content = {"torch": torch.__version__, "clock": "process time, one thread", "rows": rows}
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()
