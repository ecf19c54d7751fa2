"""``tools/visualize.py``: pages, pictures and videos of a sample."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from tool_commands import Commands

from pyskl.drawing.skeleton.video import read_video, write_mp4

pytestmark = pytest.mark.slow

TOOL = "tools/visualize.py"


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """An annotation file of 2D skeletons, and next to it a video of them."""
    rng = np.random.default_rng(0)
    keypoint = rng.uniform(5, 60, size=(2, 6, 17, 2)).astype(np.float32)
    sample = dict(
        frame_dir="<i>two</i>",
        label=1,
        total_frames=6,
        keypoint=keypoint,
        keypoint_score=rng.uniform(0, 1, size=(2, 6, 17)).astype(np.float32),
        img_shape=(64, 96),
    )
    path = tmp_path / "flat.pkl"
    path.write_bytes(pickle.dumps([sample]))
    brighter = [np.full((64, 96, 3), 30 * number, np.uint8) for number in range(6)]
    write_mp4(tmp_path / "film.mp4", brighter, 12.5)
    return path


def test_every_kind_of_file(commands: Commands, tiny_ann_file: Path, tmp_path: Path) -> None:
    out = {kind: tmp_path / f"a.{kind}" for kind in ("html", "png", "svg", "gif", "mp4")}
    waiting = [
        commands.start(TOOL, tiny_ann_file, "--sample", "clip1", "--size", 64, "--out", path)
        for path in out.values()
    ]
    for path, wait in zip(out.values(), waiting):
        done = wait()
        assert done.status == 0, done.err
        assert done.out == f"{path}\n"
        assert "clip1 of" in done.err
    frames = pickle.loads(tiny_ann_file.read_bytes())["annotations"][1]["total_frames"]
    text = out["html"].read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "label 1" in text
    with Image.open(out["gif"]) as gif:
        assert gif.n_frames == frames  # type: ignore[attr-defined]
    assert len(read_video(out["mp4"])[0]) == frames
    svg = ElementTree.parse(out["svg"]).getroot()
    with Image.open(out["png"]) as png:
        assert (str(png.width), str(png.height)) == (svg.get("width"), svg.get("height"))
    assert sorted(tmp_path.iterdir()) == sorted(out.values())  # nothing half-written


def test_without_out_a_page_is_named_after_the_sample(
    commands: Commands, flat: Path, browser: Any
) -> None:
    done = commands.quick(TOOL, flat, "--stream", "bm")
    assert done.status == 0, done.err
    path = commands.scratch / done.out.strip()
    assert re.fullmatch(r"[\w.-]+\.html", path.name)
    shown = browser.new_page()
    problems: list[str] = []
    shown.on("pageerror", lambda error: problems.append(str(error)))
    shown.on("requestfailed", lambda request: problems.append(request.url))
    shown.goto(path.as_uri())
    shown.wait_for_selector(".skeleton-player canvas")
    assert shown.locator(".skeleton-player .title").inner_text() == "<i>two</i>"
    assert "motion of the bones" in shown.locator(".skeleton-player .notes").inner_text()
    shown.close()
    path.unlink()
    assert problems == []


def test_over_a_video(commands: Commands, flat: Path, tmp_path: Path) -> None:
    done = commands.quick(
        *(TOOL, flat, "--video", tmp_path / "film.mp4", "--size", 128),
        *("--out", tmp_path / "both.mp4"),
    )
    assert done.status == 0, done.err
    frames, size, fps = read_video(tmp_path / "both.mp4")
    assert len(frames) == 6
    assert fps == pytest.approx(12.5)  # the video's
    assert size[1] == 192  # in its shape
    corners = [frame[-3, 3].mean() for frame in frames]
    assert corners == pytest.approx([0, 30, 60, 90, 120, 150], abs=12)


@pytest.mark.parametrize("out", ["steps.html", "steps.svg"])
def test_what_the_network_sees(
    commands: Commands, write_tiny_config: Callable[..., Path], tmp_path: Path, out: str
) -> None:
    config = write_tiny_config(tmp_path / "tiny.py")
    done = commands.quick(
        *(TOOL, "--pipeline", config, "--sample", "clip30", "--out", tmp_path / out),
        *("--cfg-options", "data.test.pipeline.1.feats=['b']"),
    )
    assert done.status == 0, done.err
    text = (tmp_path / out).read_text(encoding="utf-8")
    for name in ("PreNormalize3D", "GenSkeFeat", "PoseDecode", "FormatGCNInput"):
        assert name in text
    assert "bones" in text
    assert "2 clips of 8 frames" in text


def test_an_own_layout_from_a_file_and_from_a_config(
    commands: Commands, repo_root: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    sample = dict(frame_dir="arm", label=0, total_frames=4, keypoint=rng.normal(size=(1, 4, 4, 3)))
    (tmp_path / "arm.pkl").write_bytes(pickle.dumps([sample]))
    (tmp_path / "arm.json").write_text(
        '{"name": "arm", "num_joints": 4, "center": 0, "edges": [[1, 0], [2, 1], [3, 2]]}'
    )
    out = tmp_path / "arm.svg"
    done = commands.quick(
        TOOL, tmp_path / "arm.pkl", "--layout", tmp_path / "arm.json", "--out", out, "--frames", 1
    )
    assert done.status == 0, done.err
    assert "arm" in out.read_text()
    done = commands.quick(TOOL, tmp_path / "arm.pkl", "--out", out)
    assert done.status == 2
    assert "no built-in layout has" in done.err
    config = repo_root / "configs/stgcn/stgcn_hdm05/j.py"
    done = commands.quick(TOOL, tmp_path / "arm.pkl", "--config", config, "--out", out)
    assert done.status == 2
    assert "expected 31 joints" in done.err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "nothing to draw"),
        (("{ann}", "--sample", "clip99"), "no such sample 'clip99'"),
        (("{ann}", "--pipeline", "none.py"), "no such config file"),
        (("{ann}", "--stream", "x"), "invalid choice"),
        (("{text}",), "not a readable pickle"),
    ],
)
def test_errors_are_reported_in_one_message(
    commands: Commands, tiny_ann_file: Path, tmp_path: Path, arguments: tuple[str, ...], part: str
) -> None:
    text = tmp_path / "text.pkl"
    text.write_text("not a pickle")
    names = {"ann": tiny_ann_file, "text": text}
    done = commands.quick(TOOL, *(argument.format(**names) for argument in arguments))
    assert done.status == 2
    assert part in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_help_tells_all_options(commands: Commands) -> None:
    done = commands.real("python", TOOL, "--help")
    assert done.status == 0
    for option in ("--out", "--sample", "--stream", "--pipeline", "--video", "--layout", "--up"):
        assert option in done.out


def test_the_example_of_the_docs_runs(repo_root: Path) -> None:
    text = (repo_root / "docs/visualize.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(block, "docs/visualize.md", "exec"), names)
    assert 'data-clip="1" aria-label="backward"' in names["text"]
    help_text = (repo_root / TOOL).read_text(encoding="utf-8")
    for option in re.findall(r"(--[a-z][a-z-]+)", text):
        assert f'"{option}"' in help_text
