"""Videos, with a pose estimator of the same kind as those of rtmlib."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pyskl.errors import InputError
from pyskl.inference import ReadSettings, read_sequences
from pyskl.inference.video import read_video, rtmlib_estimator
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


def test_videos_that_can_not_be_used(film: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(film.read_bytes()[:100])
    for path, estimator in (
        (film, lambda image: (np.zeros((0, 17, 2)), np.zeros((0, 17)))),
        (film, lambda image: (np.zeros((17, 2)) + 1, np.zeros(17))),
        (broken, body),
    ):
        with pytest.raises(RecordingError) as caught:
            read_video(path, estimator)
        assert caught.value.file == str(path)


def test_videos_are_inputs_like_others(film: Path) -> None:
    made: list[int] = []

    def make_estimator() -> Any:
        made.append(1)
        return body

    reading = ReadSettings(LAYOUTS["coco"], make_estimator=make_estimator)
    first, _ = read_sequences([film, film], reading)
    assert made == [1]  # for both videos
    assert first.sample["keypoint_score"].shape == (1, FRAMES, 17)
    assert first.sample["img_shape"] == (HEIGHT, WIDTH)
    (wrong,) = read_sequences(
        [film], ReadSettings(LAYOUTS["nturgb+d"], make_estimator=lambda: body)
    )
    assert isinstance(wrong.error, RecordingError)
    (without,) = read_sequences([film], ReadSettings())
    assert isinstance(without.error, RecordingError)


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
        print("load it")  # as rtmlib does
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


def test_missing_or_damaged_weights(
    rtmlib: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    with pytest.raises(InputError) as caught:
        rtmlib_estimator(None)
    names = ("det-m.onnx", "pose-m.onnx")
    assert [one.file for one in caught.value.errors] == [str(rtmlib / name) for name in names]
    with pytest.raises(InputError) as caught:
        rtmlib_estimator(LAYOUTS["nturgb+d"])
    assert caught.value.found == "nturgb+d"
    weights = tmp_path / "a.onnx"
    for content in (None, b"no network"):
        if content is not None:
            weights.write_bytes(content)
        with pytest.raises(InputError) as caught:
            rtmlib_estimator(None, weights=[weights, weights])
        assert caught.value.file == str(weights)
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    with pytest.raises(InputError, match="pip install rtmlib"):
        rtmlib_estimator(LAYOUTS["coco"])


def test_cached_weights_are_used(rtmlib: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    assert (out, err) == ("", "load it\n")  # standard output is for the lines of results
