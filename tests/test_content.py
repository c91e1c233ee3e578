"""What a checkpoint may hold, and fingerprints."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganctl.runs.checkpoint import fingerprint, load, save

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
TENSORS = st.tuples(
    st.lists(st.integers(0, 3), max_size=3), st.sampled_from([torch.float32, torch.bfloat16, torch.uint8, torch.bool])
).map(lambda drawn: torch.ones(drawn[0]).to(drawn[1]))
PLAIN = st.recursive(
    SCALARS | TENSORS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(PLAIN)
def test_any_plain_content_keeps_its_fingerprint(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.ckpt"
    save(path, {"value": value})
    assert fingerprint(load(path)["value"]) == fingerprint(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], (1, 2)),
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        ("1", 1),
        (None, "None"),
        (["ab", "c"], ["a", "bc"]),
        ([[1], 2], [[1, 2]]),
        ({"a": 1}, {"b": 1}),
        ({1: 0}, {"1": 0}),
        (torch.zeros(2, 3), torch.zeros(3, 2)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.int32)),
        (torch.zeros(2), torch.tensor([0.0, -0.0])),
        (torch.zeros(0, 2), torch.zeros(0, 3)),
    ],
)
def test_different_contents_have_different_fingerprints(one: Any, other: Any) -> None:
    assert fingerprint(one) != fingerprint(other)


def test_order_of_keys_and_memory_layout_do_not_count() -> None:
    image = torch.randn(2, 3, 4, 4)
    assert fingerprint({"a": 1, "b": image}) == fingerprint({"b": image.to(memory_format=torch.channels_last), "a": 1})
    assert fingerprint(OrderedDict(a=1)) == fingerprint({"a": 1})
