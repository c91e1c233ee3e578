"""Which device a run gets, what it is told where there is none, and how the runs of a sweep share GPUs out."""

import os
from functools import cache
from types import SimpleNamespace

import pytest
import torch

from ganctl import devices
from ganctl.config.preparation import compose, prepare
from ganctl.errors import UserError
from ganctl.sweeps import gpulock
from ganctl.sweeps.checking import demand_data
from ganctl.sweeps.plan import Plan
from ganctl.sweeps.run import own_gpu

GIB = 2**30


@pytest.fixture
def three_gpus(monkeypatch, tmp_path):
    """Of which the second has the most memory free, and the last multiplies no bf16; without NVIDIA's tool."""
    free = {0: 2 * GIB, 1: 9 * GIB, 2: 5 * GIB}
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid=f"0000-{number}"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: (free[number], 10 * GIB))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"GPU {number}")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda number: (7, 5) if number == 2 else (8, 0))


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", cache(lambda: False))  # PyTorch asks for what it wraps


@pytest.mark.parametrize("device", ["idle", "auto"])
def test_the_gpu_with_the_most_free_memory_is_taken_and_the_reason_told(device, three_gpus):
    found = devices.place(device)
    assert (found.accelerator, found.devices) == ("cuda", (1,))
    assert found.reason == "GPU 1, the most free memory of 3 (9 GiB)"


def told_by_tool(folder, *lines):
    """NVIDIA's tool, which says these lines."""
    script = folder / "nvidia-smi"
    script.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    script.chmod(0o755)


def test_the_drivers_tool_is_asked_so_that_no_gpu_is_touched(three_gpus, tmp_path, monkeypatch):
    told_by_tool(tmp_path, "GPU-0000-2, 7168", "GPU-0000-0, 1024", "GPU-0000-1, [N/A]", "GPU-0000-9, 9999999")
    assert devices.place("idle").devices == (1,)  # the second is not told of: PyTorch answers for all
    told_by_tool(tmp_path, "GPU-0000-2, 7168", "GPU-0000-0, 1024", "GPU-0000-1, 512", "GPU-0000-9, 9999999")
    monkeypatch.setattr(torch.cuda, "mem_get_info", None)
    found = devices.place("idle")
    assert (found.devices, found.reason) == ((2,), "GPU 2, the most free memory of 3 (7 GiB)")


def test_a_single_gpu_is_asked_for_nothing_but_its_name(three_gpus, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for question in ("mem_get_info", "get_device_properties"):
        monkeypatch.setattr(torch.cuda, question, None)
    assert devices.place("auto").reason == "GPU 0, the only one"


def test_a_sweep_checks_its_devices_without_touching_them(three_gpus, tmp_path, monkeypatch):
    told_by_tool(tmp_path, "GPU-0000-0, 1", "GPU-0000-1, 2", "GPU-0000-2, 3")
    monkeypatch.setattr(torch.cuda, "mem_get_info", None)
    settings = prepare(compose(["dataset=random", "dataset.count=64", "device=idle", "model=gan"]))
    demand_data({"one": settings})


def test_gpus_by_number(three_gpus):
    assert devices.place([0, 2]).devices == (0, 2)
    assert devices.place("cuda").devices == (0,)
    with pytest.raises(UserError, match=r"device: GPU 3 was asked for, and it has 0, 1, 2; set device=auto"):
        devices.place([0, 3])


def test_precision_follows_the_hardware(three_gpus):
    assert devices.precision_of("auto", devices.place([1])) == "bf16-mixed"
    assert devices.precision_of("auto", devices.place([2])) == "32-true"
    assert devices.precision_of("auto", devices.place([1]), (1, 32, 32)) == "bf16-mixed"
    assert devices.precision_of("auto", devices.place([1]), (2, 1, 1)) == "32-true"  # points in the plane
    assert devices.precision_of("bf16", devices.place([1]), (2, 1, 1)) == "bf16-mixed"


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("idle", "device: idle takes the emptiest GPU, and this machine shows no NVIDIA GPU"),
        ("cuda", "device: GPU 0 was asked for, and this machine shows no NVIDIA GPU"),
        ("[0,2]", "device: GPU 0, 2 was asked for, and this machine shows no NVIDIA GPU"),
        ("mps", "device: mps was asked for, and this machine has none"),
    ],
)
def test_a_device_that_is_not_there_is_told_beside_other_mistakes(device, sentence, no_gpu):
    with pytest.raises(UserError) as caught:
        prepare(compose(["dataset=random", "images=-5", f"device={device}"]))
    assert caught.value.mistakes == ("images: -5; must be 1 or more", f"{sentence}; set device=auto or device=cpu")


def test_a_run_for_another_machine_can_be_checked_here(no_gpu):
    assert prepare(compose(["dataset=random", "device=cuda"]))["device"] == "cuda"


def test_runs_of_a_sweep_get_gpus_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(gpulock, "lock_folder", lambda: tmp_path)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    plan = Plan(str(tmp_path), ["a", "b"], [], [], gpus=["3", "5"], pid=os.getpid())
    with own_gpu("auto", plan) as first, own_gpu("cuda", plan) as second, own_gpu("cpu", plan) as third:
        assert first.environment == {"CUDA_VISIBLE_DEVICES": "3"}
        assert second.environment == {"CUDA_VISIBLE_DEVICES": "5"}
        assert len({*first.locks, *second.locks}) == 2  # which the run's process inherits
        assert third.environment == {}
    with own_gpu([1], plan) as chosen:  # numbers of the sweep's GPUs; the run sees them all
        assert chosen.environment == {}
        with own_gpu("auto", plan) as other:
            assert other.environment == {"CUDA_VISIBLE_DEVICES": "3"}


def test_where_slurm_gives_gpus_out_nothing_is_claimed(tmp_path, monkeypatch):
    monkeypatch.setattr(gpulock, "lock_folder", lambda: tmp_path / "locks")
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    with own_gpu("auto", Plan(str(tmp_path), [], [], [], gpus=["0"])) as gpu:
        assert gpu.environment == {}
    assert not (tmp_path / "locks").exists()
