"""Videos, with a pose estimator of the same kind as those of rtmlib."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pyskl.errors import InputError
from pyskl.inference import Item, ReadSettings, Unread, read_items
from pyskl.inference.video import estimator_for, read_video, rtmlib_estimator
from pyskl.recordings import RecordingError
from pyskl.skeleton import LAYOUTS

WIDTH, HEIGHT, FRAMES, FPS = 160, 96, 12, 15


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video in which a bright square walks to the right; in the first two frames nobody is."""
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
    path = tmp_path_factory.mktemp("film") / "walk.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, (WIDTH, HEIGHT))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no mp4")
    for frame in range(FRAMES):
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        if frame >= 2:
            image[30:60, 10 * frame : 10 * frame + 20] = 255
        writer.write(image)
    writer.release()
    return path


def body(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the bright square, as 17 joints about its middle; and a ghost of low scores."""
    bright = np.argwhere(image.mean(axis=2) > 128)
    if not len(bright):
        return np.zeros((1, 17, 2)), np.full((1, 17), 0.1)  # what rtmlib makes of nobody
    y, x = bright.mean(axis=0)
    joints = np.stack([np.linspace(x - 8, x + 8, 17), np.linspace(y - 8, y + 8, 17)], axis=1)
    scores = np.full(17, 1.4)  # RTMPose's may be more than 1
    return np.stack([joints, joints * 0]), np.stack([scores, scores * 0])


def test_the_skeletons_of_a_video(film: Path) -> None:
    recording = read_video(film, body)
    assert recording.keypoint.shape == (1, FRAMES, 17, 2)
    assert (recording.name, recording.fps, recording.layout) == ("walk", FPS, "coco")
    assert recording.image_size == (HEIGHT, WIDTH)
    assert not recording.keypoint[0, :2].any()
    middle = recording.keypoint[0, 2:].mean(axis=1)
    np.testing.assert_allclose(middle[:, 0], 10 * np.arange(2, FRAMES) + 9.5, atol=2)
    np.testing.assert_allclose(middle[:, 1], 44.5, atol=2)
    assert recording.score.max() == 1
    assert recording.score[0, :2].max() == 0


def test_what_can_not_be_used_is_told(film: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="nobody was found in any of its 12 frames"):
        read_video(film, lambda image: (np.zeros((0, 17, 2)), np.zeros((0, 17))))
    with pytest.raises(RecordingError, match=r"frame 0.*found \(17, 2\)"):
        read_video(film, lambda image: (np.zeros((17, 2)) + 1, np.zeros(17)))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(film.read_bytes()[:100])
    with pytest.raises(RecordingError, match="no frames"):
        read_video(broken, body)


def test_videos_are_files_like_others(film: Path) -> None:
    made: list[int] = []

    def estimator() -> Any:
        made.append(1)
        return body

    reading = ReadSettings(LAYOUTS["coco"], estimator=estimator)
    first, second = read_items([film, film], reading)
    assert isinstance(first, Item)
    assert isinstance(second, Item)
    assert made == [1]  # for all videos
    assert first.sample["keypoint_score"].shape == (1, FRAMES, 17)
    assert first.sample["img_shape"] == (HEIGHT, WIDTH)
    (wrong,) = read_items([film], ReadSettings(LAYOUTS["nturgb+d"], estimator=estimator))
    assert isinstance(wrong, Unread)
    assert "17 joints (coco), the model takes 25" in str(wrong.error)


class FakeBody:
    """Stands for ``rtmlib.Body``."""

    MODE: ClassVar = {
        "balanced": {
            "det": "https://example.org/det-m.zip",
            "det_input_size": (640, 640),
            "pose": "https://example.org/pose-m.zip",
            "pose_input_size": (192, 256),
        }
    }

    def __init__(self, **arguments: Any) -> None:
        print("load it")  # noqa: T201 - as rtmlib does
        self.arguments = arguments

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return body(image)


@pytest.fixture
def rtmlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The package, with an empty cache; returns where it would keep weights."""
    module = types.ModuleType("rtmlib")
    module.Body = FakeBody  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rtmlib", module)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TORCH_HOME", raising=False)
    return tmp_path / "rtmlib" / "hub" / "checkpoints"


def test_without_the_package_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    with pytest.raises(InputError, match="pip install rtmlib"):
        rtmlib_estimator(LAYOUTS["coco"])


def test_without_weights_it_says_where_they_go(rtmlib: Path) -> None:
    with pytest.raises(InputError, match=r"det-m\.onnx \(from https.*--pose-weights") as found:
        rtmlib_estimator(None)
    assert str(rtmlib / "pose-m.onnx") in str(found.value)
    with pytest.raises(InputError, match=r"the model takes 'nturgb\+d'"):
        rtmlib_estimator(LAYOUTS["nturgb+d"])
    with pytest.raises(InputError, match=r"two \.onnx files"):
        rtmlib_estimator(None, weights=["a.onnx"])
    with pytest.raises(InputError, match="no such weights"):
        rtmlib_estimator(None, weights=["a.onnx", "b.onnx"])


def test_damaged_weights_are_told(rtmlib: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    weights = tmp_path / "a.onnx"
    weights.write_bytes(b"no network")
    with pytest.raises(InputError, match=r"a\.onnx: onnxruntime can't load it"):
        rtmlib_estimator(None, weights=[weights, weights])


def test_weights_that_are_there_are_taken(
    rtmlib: Path, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rtmlib.mkdir(parents=True)
    for name in ("det-m", "pose-m"):
        (rtmlib / f"{name}.onnx").touch()
    found = rtmlib_estimator(None)
    assert found.arguments == {  # type: ignore[attr-defined]
        "det": str(rtmlib / "det-m.onnx"),
        "pose": str(rtmlib / "pose-m.onnx"),
        "det_input_size": (640, 640),
        "pose_input_size": (192, 256),
        "backend": "onnxruntime",
        "device": "cpu",
    }
    out, err = capsys.readouterr()
    assert (out, err) == ("", "load it\n")  # what it prints is none of our lines
    reading = ReadSettings(estimator=estimator_for(None, (), "cpu"))
    (item,) = read_items([film], reading)
    assert isinstance(item, Item)
