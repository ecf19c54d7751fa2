"""Layouts in ``.json`` files and in configs, and everywhere that one may be named."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from layouts import bodies, trees

from pyskl.apis.prepare import prepare
from pyskl.datasets.pipelines import Flip, GenSkeFeat, JointToBone, PreNormalize3D, ToMotion
from pyskl.errors import ConfigError
from pyskl.models.backbones import STGCN
from pyskl.skeleton import (
    LAYOUTS,
    Graph,
    LayoutError,
    SkeletonLayout,
    find_problems,
    inlined,
    layout_to_json,
    resolve_layout,
)

ARM = {"name": "arm", "num_joints": 4, "edges": [(1, 0), (2, 1), (3, 2)], "center": 0}
WriteLayout = Callable[..., str]


@pytest.fixture
def write_layout(tmp_path: Path) -> WriteLayout:
    """A function that writes a layout file: ``write_layout({...}, 'mine.json')``."""

    def write(content: Any, name: str = "mine.json") -> str:
        path = tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@given(layout=trees() | bodies())
def test_a_layout_comes_back_from_json(layout: SkeletonLayout) -> None:
    assert resolve_layout(json.loads(layout_to_json(layout))) == layout


@pytest.mark.parametrize("name", LAYOUTS)
def test_built_in_layouts_come_back_from_a_file(name: str, write_layout: WriteLayout) -> None:
    text = layout_to_json(LAYOUTS[name])
    assert max(map(len, text.splitlines())) <= 100
    path = write_layout(text)
    assert resolve_layout(path) == LAYOUTS[name]
    assert resolve_layout(Path(path)) == LAYOUTS[name]
    assert find_problems(path) == []


def test_names_of_any_script_come_back(write_layout: WriteLayout) -> None:
    layout = SkeletonLayout(**ARM, joint_names=["плечо", "肘", 'a "quoted"', "b\\n"])
    text = layout_to_json(layout)
    assert "肘" in text
    assert resolve_layout(write_layout(text)) == layout


def test_a_file_is_taken_wherever_a_layout_is_named(
    write_layout: WriteLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_layout({**ARM, "left": [], "bones": None}, "Arm.JSON")
    keypoint = np.random.default_rng(0).normal(size=(1, 6, 4, 3)).astype(np.float32)

    def run(layout: Any) -> list[np.ndarray]:
        transforms = [
            GenSkeFeat(dataset=layout, feats=["b"]),
            JointToBone(dataset=layout),
            ToMotion(dataset=layout),
            PreNormalize3D(layout=layout),
            Flip(flip_ratio=1, layout=layout),
        ]
        return [
            transform({"keypoint": keypoint.copy(), "total_frames": 6})["keypoint"]
            for transform in transforms
        ]

    for found, expected in zip(run(path), run(ARM), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(Graph(path).A, Graph(ARM).A)
    assert STGCN(graph_cfg={"layout": path, "mode": "spatial"}, base_channels=4).graph.num_node == 4
    monkeypatch.chdir(os.path.dirname(path))
    assert resolve_layout("Arm.JSON").name == "arm"


def test_a_config_may_name_a_file(
    tiny_config: Callable[..., dict[str, Any]], write_layout: WriteLayout
) -> None:
    path = write_layout(layout_to_json(LAYOUTS["nturgb+d"]))
    config = tiny_config(model__backbone__graph_cfg__layout=path)
    for part in ("train", "val", "test"):
        config["data"][part]["pipeline"][0]["layout"] = path
        config["data"][part]["pipeline"][1]["dataset"] = path
    prepare(config, ["train", "val", "test"])

    broken = write_layout({**ARM, "center": 9}, "broken.json")
    config["model"]["backbone"]["graph_cfg"]["layout"] = broken
    config["data"]["train"]["pipeline"][1]["dataset"] = "absent.json"
    with pytest.raises(ConfigError) as caught:
        prepare(config, ["train"])
    assert f"{broken}: skeleton layout 'arm': center has 9, outside" in str(caught.value)
    assert "absent.json: there is no such skeleton layout file" in str(caught.value)


def test_a_file_may_leave_out_its_name_and_speak_as_the_family(write_layout: WriteLayout) -> None:
    path = write_layout({"num_node": 2, "inward": [[1, 0]], "center": 0}, "forearm.json")
    assert resolve_layout(path).name == "forearm"
    assert resolve_layout(write_layout('﻿{"base": "coco"}')).edges == LAYOUTS["coco"].edges


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON: Expecting property name"),
        ("[1, 2]", "an object with the keys num_joints, edges and center, found an array"),
        ("null", "found null"),
        ("17", "found int"),
        ('{"center": 0, "center": 1}', "the key 'center' appears twice"),
        ('{"center": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "not valid JSON: nested too deeply"),
        ('{"num_joints": 2, "edges": [[1, 0]]}', "skeleton layout 'mine': needs center"),
        (json.dumps({**ARM, "centre": 0}), "unknown key 'centre'; did you mean 'center'"),
        (json.dumps({**ARM, "edges": [[1, 0.5]]}), r"edges is \[\[1, 0.5\]\], expected pairs"),
        (json.dumps({**ARM, "spine": [0, 7]}), "spine has 7, outside the joints 0 to 3"),
        ('{"base": "cocoo"}', "base: there is no skeleton layout 'cocoo'; did you mean 'coco'"),
        ('{"base": "mine.json"}', "base .* is the name of a built-in one, found 'mine.json'"),
        ('{"name": "' + "x" * (1 << 20) + '"}', "bytes; at most 1048576 are read"),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_wrong_with_a_file_is_told_with_its_name(
    write_layout: WriteLayout, content: str, message: str
) -> None:
    path = write_layout(content)
    with pytest.raises(ConfigError, match=message) as caught:
        resolve_layout(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 600


def test_files_that_cannot_be_read(write_layout: WriteLayout, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json: there is no such skeleton layout file"):
        resolve_layout(tmp_path / "none.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(ConfigError, match=r"folder\.json: it can't be read"):
        resolve_layout(tmp_path / "folder.json")
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xe9"}')
    with pytest.raises(ConfigError, match=r"latin\.json: not valid JSON: .*utf-8"):
        resolve_layout(tmp_path / "latin.json")


def test_what_is_kept_may_hold_the_content_in_place_of_the_path(write_layout: WriteLayout) -> None:
    path = write_layout({key: ARM[key] for key in ARM if key != "name"})
    assert resolve_layout(inlined(path)) == resolve_layout(path)
    before = inlined(path)
    write_layout(ARM)
    assert inlined(path) != before
    assert inlined(ARM) is ARM
    assert inlined("coco") == "coco"


# --- names and mappings ---------------------------------------------------------------------------


def test_resolve_takes_names_layouts_and_both_spellings() -> None:
    assert resolve_layout("coco") is LAYOUTS["coco"]
    assert resolve_layout(LAYOUTS["coco"]) is LAYOUTS["coco"]
    ours = resolve_layout({**ARM, "joint_names": list("abcd")})
    family = resolve_layout(
        {
            "name": "arm",
            "num_node": 4,
            "inward": [[1, 0], [2, 1], [3, 2]],
            "center": 0,
            "joints": list("abcd"),
        }
    )
    assert ours == family
    assert hash(ours) == hash(family)
    assert resolve_layout({key: ARM[key] for key in ARM if key != "name"}).name == "custom"


def test_resolve_takes_a_config_of_mmengine() -> None:
    from mmengine.config import ConfigDict

    config = ConfigDict(layout={**ARM, "edges": [[1, 0], [2, 1], [3, 2]]})
    assert resolve_layout(config.layout) == SkeletonLayout(**ARM)


def test_a_base_gives_what_is_not_said() -> None:
    flat = resolve_layout({"base": "mediapipe", "dim": 2})
    assert flat == dataclasses.replace(LAYOUTS["mediapipe"], dim=2)
    named = resolve_layout({"base": "kinect_v2", "name": "mine", "body_center": 0})
    assert (named.name, named.body_center) == ("mine", 0)
    assert named.edges == LAYOUTS["nturgb+d"].edges
    edges = [edge for edge in LAYOUTS["coco"].edges if edge not in {(5, 0), (6, 0)}]
    edges += [(5, 1), (6, 2)]
    rewired = resolve_layout({"base": "coco", "inward": edges})
    assert rewired.bones == (*edges, (0, 0)), "new edges are the bones, too"


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("cocoo", "did you mean 'coco'"),
        ("ntu-rgb+d", r"did you mean 'nturgb\+d'"),
        ("mediapipe_pos", "did you mean 'mediapipe_pose'"),
        ("mine.yaml", r"the path of a \.json file"),
        (17, "found int"),
        ({**ARM, "centre": 0}, "unknown key 'centre'; did you mean 'center'"),
        ({**ARM, "inwards": 0, "lefft": 0}, "'inwards'.*'inward'.*'lefft'.*'left'"),
        ({**ARM, "inward": [(1, 0)]}, "edges is given twice"),
        ({"num_node": 3}, "needs edges, center"),
        ({"base": "coco", "num_joints": 16}, "edges has 16, outside"),
        ({"base": ["coco"]}, "base of a skeleton layout is the name"),
    ],
)
def test_resolve_refuses(layout: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve_layout(layout)  # type: ignore[arg-type]


def test_problems_of_what_a_config_says() -> None:
    assert find_problems("coco") == []
    assert find_problems({**ARM, "center": 7, "colour": 1}) == [
        "unknown key 'colour'; there are base, body_center, bones, center, dim, edges, inward, "
        "joint_names, joints, left, name, num_joints, num_node, rest_pose, right, shoulders, spine"
    ]
    with pytest.raises(ConfigError, match="no skeleton layout") as caught:
        find_problems("cocoo")
    assert not isinstance(caught.value, LayoutError)
