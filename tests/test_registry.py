"""Registries: names to classes, and what they say where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
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


@pytest.fixture
def things() -> Registry:
    """A registry of one thing."""
    registry = Registry("thing", locations=[])
    registry.register_module(module=Thing)
    return registry


def test_names_lead_to_classes(things: Registry) -> None:
    assert things.names() == ["Thing"]
    assert things.get("Thing") is Thing
    assert things.get("pyskl.Thing") is Thing


@pytest.mark.parametrize("name", ["Thinq", "pyskl.Thinq"])
def test_unknown_names_get_the_nearest(things: Registry, name: str) -> None:
    with pytest.raises(ConfigError, match=f"no thing {name!r}; did you mean 'Thing'"):
        things.get(name)


def test_a_name_near_to_nothing_gets_the_list(things: Registry) -> None:
    with pytest.raises(ConfigError, match="no thing 'xyz'; there are Thing"):
        things.build(dict(type="xyz"))


def test_building(things: Registry) -> None:
    cfg = dict(type="Thing", size=3)
    built = things.build(cfg, colour="blue")
    assert (built.size, built.colour) == (3, "blue")
    assert things.build({**cfg, "colour": "green"}, colour="blue").colour == "green"
    assert things.build(dict(type=Thing, size=1)).size == 1
    assert cfg == dict(type="Thing", size=3)


def test_what_is_built_already_is_returned(things: Registry) -> None:
    thing = Thing(1)
    assert things.build(thing) is thing


@pytest.mark.parametrize("cfg", ["Thing", Thing, None, 3, 0.5, ["Thing"], ("Thing",), True])
def test_other_values_are_no_configs(things: Registry, cfg: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"a thing is given as dict\(type=\.\.\., \.\.\.\), found"
    ):
        things.build(cfg)


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (dict(size=3), r"a thing needs the key 'type', found \['size'\]"),
        (dict(type="Thing"), "thing Thing: .*'size'"),
        (dict(type="Thing", size=1, color="red"), "thing Thing takes no 'color'"),
    ],
)
def test_configs_that_do_not_fit(things: Registry, cfg: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        things.build(cfg)


def test_errors_of_constructors_come_through() -> None:
    class Picky:
        def __init__(self) -> None:
            raise KeyError("of its own")

    registry = Registry("thing", locations=[])
    registry.register_module(module=Picky)
    with pytest.raises(KeyError, match="of its own"):
        registry.build(dict(type="Picky"))


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


def test_looking_up_imports_nothing_but_this_package(repo_root: Path) -> None:
    program = (
        "import sys\n"
        "from pyskl.registry import PIPELINES\n"
        "try:\n    PIPELINES.get('Resize')\n"
        "except ValueError:\n    pass\n"
        "print([name for name in ('mmcv', 'mmaction', 'mmdet', 'mmpretrain')\n"
        "       if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=repo_root, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_a_misspelt_argument_is_named_with_the_nearest_right_one() -> None:
    with pytest.raises(ConfigError, match=r"PadTo takes no 'lenght'; did you mean 'length'\?"):
        PIPELINES.build(dict(type="PadTo", lenght=3))
