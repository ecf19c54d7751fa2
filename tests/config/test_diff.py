"""The differences between two configs."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pyskl.config.diff import ABSENT, Difference, config_differences

values = st.recursive(
    st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(values, values)
def test_only_differences_are_listed(a: Any, b: Any) -> None:
    assert config_differences(a, a) == []
    found = config_differences({"x": a, "same": 1}, {"x": b, "same": 1})
    assert all(one.key.split(".")[0] == "x" and one.a != one.b for one in found)
    assert found or a == b


def test_keys_are_dotted_and_pipelines_aligned() -> None:
    def pipeline(*extra: dict, theta: float = 0.3) -> list[dict]:
        return [{"type": "A"}, *extra, {"type": "RandomRot", "theta": theta}, {"type": "B"}]

    a = {"optimizer": {"lr": 0.1, "nesterov": True}, "data": [{"pipeline": pipeline()}]}
    b = {
        "optimizer": {"lr": 0.2},
        "data": [{"pipeline": pipeline({"type": "Flip"}, theta=0.5)}],
        "seed": 3,
    }
    assert config_differences(a, b) == [
        Difference("optimizer.lr", "0.1", "0.2"),
        Difference("optimizer.nesterov", "True", ABSENT),
        Difference("data.0.pipeline.1", ABSENT, "{'type': 'Flip'}"),
        Difference("data.0.pipeline.2.theta", "0.3", "0.5"),
        Difference("seed", ABSENT, "3"),
    ]
    assert config_differences(float("nan"), float("nan")) == []
