"""Dumped configs are read as data, and compared."""

from __future__ import annotations

import math
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from pyskl.config import config_text, known_part, load_config
from pyskl.config.diff import ABSENT, Difference, config_differences
from pyskl.config.dumped import read_dumped_config
from pyskl.errors import ConfigError

# Keys that are names of variables are written as such, and Python reads those in this form.
keys = st.text(max_size=4).map(lambda key: unicodedata.normalize("NFKC", key))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["model", "data", "optimizer"]), values))
def test_what_is_dumped_is_read(content: dict[str, Any]) -> None:
    text = config_text(Config(dict(content)))
    assert read_dumped_config(text, "a.py") == Config(dict(content)).to_dict()


def test_a_shipped_config(repo_root: Path) -> None:
    config = load_config(repo_root / "configs/stgcn/stgcn_hdm05/b.py")
    assert read_dumped_config(config_text(config), "b.py") == known_part(config).to_dict()


def test_numbers_that_are_no_literals() -> None:
    found = read_dumped_config("a = [inf, -inf, nan, -1]\n", "a.py")["a"]
    assert found[:2] == [math.inf, -math.inf]
    assert math.isnan(found[2])


def test_trust_is_not_taken_from_a_dumped_config() -> None:
    text = "data = dict(test=[{'trusted': True, 'a': dict(trusted=True, b=1)}])\n"
    assert read_dumped_config(text, "a.py") == {"data": {"test": [{"a": {"b": 1}}]}}


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "a = open('x')",
        "a = __import__('os').getcwd()",
        "a = dict(*[1])",
        "a = dict(**b)",
        "a = b",
        "a = 1 + 1",
        "a = {**{}}",
        "a = {[]: 1}",
        "a = [x for x in 'ab']",
        "a, b = 1, 2",
        "a.b = 1",
        "a = -'x'",
        "a = (",
        "a = " + "[" * 500 + "]" * 500,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.py: it is no config that a run wrote down"):
        read_dumped_config(text, "a.py")


# --- differences ----------------------------------------------------------------------------------


@given(values, values)
def test_only_what_differs_is_listed(a: Any, b: Any) -> None:
    assert config_differences(a, a) == []
    found = config_differences({"x": a, "same": 1}, {"x": b, "same": 1})
    assert all(one.key.split(".")[0] == "x" and one.a != one.b for one in found)
    mirrored = config_differences({"x": b, "same": 1}, {"x": a, "same": 1})
    assert len(mirrored) == len(found)


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
