"""Configs are written as Python and read back as data."""

from __future__ import annotations

import math
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from pyskl.config import config_text, known_part, load_config, read_config
from pyskl.config.text import read_config_text
from pyskl.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs" / "stgcn").glob("*/j.py"))

# Keys that are names of variables are written as such, and Python reads those in this form.
names = st.text(max_size=4).map(lambda key: unicodedata.normalize("NFKC", key))
keys = names | st.sampled_from(["lr", "class", "two words", "type", 3])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values)
def test_any_value_reads_back(value: Any) -> None:
    config = Config({"optimizer": {"inside": value}, "helper": 1})
    text = config_text(config)
    found: dict[str, Any] = {}
    exec(text, {"inf": math.inf}, found)
    assert found == known_part(config) == read_config_text(text, "a.py")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.parent.name)
def test_shipped_configs_read_back_and_have_short_lines(path: Path) -> None:
    config = load_config(path)
    text = config_text(config)
    assert text == config_text(read_config(config, ()))
    assert read_config_text(text, "j.py") == known_part(config)
    assert max(map(len, text.splitlines())) <= 110


def test_numbers_that_are_no_literals() -> None:
    found = read_config_text("a = [inf, -inf, nan, -1]\n", "a.py")["a"]
    assert found[:2] == [math.inf, -math.inf]
    assert math.isnan(found[2])


def test_a_written_config_can_not_trust_files() -> None:
    text = "data = dict(test=[{'trusted': True, 'a': dict(trusted=True, b=1)}])\n"
    assert read_config_text(text, "a.py") == {"data": {"test": [{"a": {"b": 1}}]}}


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
    with pytest.raises(ConfigError) as caught:
        read_config_text(text, "a.py")
    assert caught.value.file == "a.py"
