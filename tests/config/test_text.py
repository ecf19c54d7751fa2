from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from pyskl.config import config_text, known_part, load_config

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs" / "stgcn").glob("*/j.py"))

keys = st.sampled_from(["lr", "class", "two words", "type", 3, ""])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40) | st.just(0.1),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=30,
)


def read_back(text: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(text, {}, names)
    return names


@given(values)
def test_any_value_reads_back(value: object) -> None:
    config = Config({"optimizer": {"inside": value}, "helper": 1})
    assert read_back(config_text(config)) == known_part(config).to_dict()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.parent.name)
def test_shipped_configs_read_back_and_have_short_lines(path: Path) -> None:
    config = load_config(path)
    text = config_text(config)
    assert read_back(text) == known_part(config).to_dict()
    assert max(map(len, text.splitlines())) <= 110
