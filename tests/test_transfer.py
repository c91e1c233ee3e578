"""What is handed from the CPU to a device; a GPU is pretended."""

from typing import Any

import torch
from torch import Tensor

from ganctl.transfer import constant, handed

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


def test_a_gpu_copies_from_pinned_memory_and_nobody_waits(monkeypatch):
    sent: list[Any] = []
    monkeypatch.setattr(Tensor, "pin_memory", lambda value: sent.append("pinned") or value)
    monkeypatch.setattr(Tensor, "to", lambda value, *place, **how: sent.append((place, how)) or value)
    value = torch.arange(3)
    handed(value, GPU)
    assert sent == ["pinned", ((GPU,), {"non_blocking": True})]


def test_elsewhere_a_tensor_is_simply_brought():
    value = torch.arange(3)
    assert handed(value, CPU) is value
    assert handed(value, torch.device("meta")).is_meta


def test_fixed_numbers_are_made_once_and_can_be_learned_from():
    with torch.inference_mode():
        made = constant((1.5, 2.5), torch.float32, CPU)
    assert constant((1.5, 2.5), torch.float32, CPU) is made
    assert constant((1.5, 2.5), torch.float64, CPU).dtype == torch.float64
    weight = torch.ones(2, requires_grad=True)
    (made * weight).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [1.5, 2.5]
