"""Before a run begins: what its data has to say is said once, and what cannot work is told before a folder is made."""

import logging
from pathlib import Path

import pytest
from picture_samples import encoded, plain

from ganctl import cli

SMALL = ["model.width=4", "images=8", "batch_size=2", "device=cpu", "precision=32", "trainer.threads=1"]
SMALL += ["trainer.preview=2", "sample_every=null", "doctor_every=null"]
DCGAN = ["model=dcgan", "model.noise_size=4", "dataset=folder", "dataset.root=d", "dataset.size=8", *SMALL]


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANCTL_CACHE", str(tmp_path / "cache"))
    for name in ("GANCTL_OUTPUTS", "GANCTL_CONF", "GANCTL_DATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "outputs"


def put(root: str, good: int, bad: int = 0) -> None:
    """A folder with so many pictures, and with so many files that are none."""
    Path(root).mkdir(parents=True)
    for number in range(good + bad):
        content = encoded(plain((number, 0, 0))) if number < good else b"no picture"
        Path(root, f"{number:03d}.png").write_bytes(content)


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The sentences on stderr."""
    return capsys.readouterr().err.splitlines()


# ---- once


def test_files_without_a_partner_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    put("a", 4)
    put("b", 3)
    data = ["model=pix2pix", "dataset=pairs", "dataset.root=a", "dataset.root_b=b", "dataset.size=16"]
    with caplog.at_level(logging.WARNING):
        assert cli.main(["train", *data, "dataset.on_error=skip", *SMALL]) == 0
    found = [each for each in caplog.messages if "without a partner" in each]
    assert found == [
        "1 file of 'a' and 'b' without a partner of the same name: '003.png' (not in 'b'); left out",
    ]
