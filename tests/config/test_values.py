"""Do values fit type hints, and how are hints worded?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import pytest
from torch import nn

from pyskl.config.values import describe, matches
from pyskl.registry import PIPELINES, TransformConfig


class _Readable(Protocol):
    def read(self) -> str: ...


class _Reader:
    def read(self) -> str:
        return ""


_T = TypeVar("_T")


@pytest.mark.parametrize(
    ("hint", "fit", "unfit"),
    [
        (int, [0, -3], [0.5, True, "3", None, [3]]),
        (float, [0.5, 3], [True, "0.5", None]),
        (bool, [True, False], [0, 1, "True", None]),
        (str, ["a", Path("a")], [3, None, ["a"]]),
        (Path, ["a", Path("a")], [3]),
        (None, [None], [0, False, ""]),
        (type(None), [None], [0]),
        (Any, [None, 3, "a", [1]], []),
        (object, [None, 3], []),
        (int | None, [3, None], ["3", 0.5]),
        (int | Sequence[int], [3, [3, 4], (3,), []], [[0.5], "34", {"a": 1}]),
        (list, [[1], (1,)], ["ab", 3, {1: 2}]),
        (Sequence, [[1], (1,)], ["ab", 3]),
        (Sequence[str], [["a"], ()], ["a", [3], {"a": 1}]),
        (list[float], [[1, 0.5]], [["a"], 0.5]),
        (dict, [{}, {"a": 1}], [[], "a"]),
        (Mapping[str, int], [{"a": 1}, {}], [{"a": "b"}, {1: 1}, [("a", 1)]]),
        (tuple[int, str], [(1, "a"), [1, "a"]], [(1,), (1, 2), (1, "a", 3), 1]),
        (tuple[int, ...], [(), (1, 2, 3), [1]], [("a",), 1]),
        (tuple[float, float], [(0.5, 1)], [(0.5, True), 0.5]),
        (Sequence[tuple[str, int]], [[("train", 1)], [["train", 1]]], [["train", 1]]),
        (Literal["a", 1], ["a", 1], ["b", True, 1.0, None]),
        (TransformConfig, [{"type": "PoseDecode"}], ["PoseDecode", None]),
        (_Readable, [_Reader()], ["a", 3, None, [1], {}]),
        (nn.Module, [nn.ReLU()], ["relu", None, {}]),
        (nn.Module | None, [nn.ReLU(), None], ["relu"]),
        (Callable[[int], int], [abs, int], ["abs", 3, None]),
        (_T, [3, "anything"], []),
        (complex, [1j, 3], []),
    ],
)
def test_matches(hint: Any, fit: list[Any], unfit: list[Any]) -> None:
    assert [value for value in fit if not matches(value, hint)] == []
    assert [value for value in unfit if matches(value, hint)] == []


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "int"),
        (None, "None"),
        (int | None, "int or None"),
        (int | Sequence[float], "int or list of float"),
        (Mapping[str, Any], "dict"),
        (Mapping, "dict"),
        (dict, "dict"),
        (tuple[int, str], "(int, str)"),
        (tuple[int, ...], "(int, ...)"),
        (Literal["step", "fixed"], "'step' or 'fixed'"),
        (TransformConfig, "dict"),
        (Sequence[TransformConfig | str], "list of dict or str"),
        (PIPELINES.__class__, "Registry"),
    ],
)
def test_describe(hint: Any, words: str) -> None:
    assert describe(hint) == words
