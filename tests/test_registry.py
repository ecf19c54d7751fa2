"""Registries: names to classes, and the errors for names that are not registered."""

from __future__ import annotations

from typing import Any

import pytest

from pyskl.errors import ConfigError
from pyskl.registry import (
    BACKBONES,
    DATASETS,
    HEADS,
    LOSSES,
    PIPELINES,
    RECOGNIZERS,
    Registry,
)


class Thing:
    """Something to build."""

    def __init__(self, size: int, *, colour: str = "red") -> None:
        self.size, self.colour = size, colour


class Picky:
    """Something that can't be built."""

    def __init__(self) -> None:
        raise KeyError("of its own")


@pytest.fixture
def things() -> Registry:
    """A registry of two things."""
    registry = Registry("thing", locations=[])
    registry.register_module(module=Thing)
    registry.register_module(module=Picky)
    return registry


def test_names_lead_to_classes(things: Registry) -> None:
    assert things.names() == ["Picky", "Thing"]
    assert things.get("Thing") is things.get("pyskl.Thing") is Thing


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Thinq", "did you mean 'Thing'?"),
        ("pyskl.Thinq", "did you mean 'Thing'?"),
        ("xyz", "there are Picky, Thing"),
    ],
)
def test_unknown_names_get_the_nearest_or_the_list(things: Registry, name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        things.get(name)
    assert str(caught.value) == f"there is no thing {name!r}; {hint}"


def test_building(things: Registry) -> None:
    cfg = dict(type="Thing", size=3)
    built = things.build(cfg, colour="blue")
    assert (built.size, built.colour) == (3, "blue")
    assert things.build({**cfg, "colour": "green"}, colour="blue").colour == "green"
    assert things.build(dict(type=Thing, size=1)).size == 1
    assert cfg == dict(type="Thing", size=3)
    assert things.build(built) is built
    with pytest.raises(KeyError, match="of its own"):
        things.build(dict(type="Picky"))


@pytest.mark.parametrize("cfg", ["Thing", Thing, None, 3, 0.5, ["Thing"], ("Thing",), True])
def test_other_values_are_no_configs(things: Registry, cfg: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        things.build(cfg)
    assert caught.value.expected == "dict(type=..., ...)"


@pytest.mark.parametrize(
    ("cfg", "key"),
    [
        (dict(size=3), "type"),
        (dict(type="Thing", size=1, color="red"), "color"),
        (dict(type="Thing"), None),  # size is missing
    ],
)
def test_configs_that_do_not_fit(things: Registry, cfg: dict[str, Any], key: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        things.build(cfg)
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("registry", "name"),
    [
        (BACKBONES, "STGCN"),
        (HEADS, "GCNHead"),
        (LOSSES, "CrossEntropyLoss"),
        (RECOGNIZERS, "RecognizerGCN"),
        (DATASETS, "PoseDataset"),
        (PIPELINES, "PreNormalize3D"),
    ],
)
def test_built_in_classes_are_there_without_an_import(registry: Registry, name: str) -> None:
    assert name in registry.names()
    assert registry.get(name).__name__ == name
