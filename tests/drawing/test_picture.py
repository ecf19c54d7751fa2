"""Pictures and videos: what they show, and that they can be read back."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver
from matplotlib.text import Text
from PIL import Image

from pyskl.datasets.toy.generator import generate_toy_annotations
from pyskl.drawing.page import palette
from pyskl.drawing.skeleton import Clip
from pyskl.drawing.skeleton.camera import picture_camera
from pyskl.drawing.skeleton.clip import stream_clip
from pyskl.drawing.skeleton.picture import (
    PictureStyle,
    draw_frame,
    movie_frames,
    save_figure,
    strip_figure,
)
from pyskl.drawing.skeleton.scene import Scene, make_scene
from pyskl.drawing.skeleton.video import read_video, write_gif, write_mp4
from pyskl.errors import InputError
from pyskl.skeleton import LAYOUTS

NTU, COCO = LAYOUTS["nturgb+d"], LAYOUTS["coco"]
HOSTILE = "<script>alert(\"x\")</script> & 'y' $\\frac$"
COLOURS = palette()


@pytest.fixture(scope="module")
def toy() -> list[dict[str, Any]]:
    """Clips of the synthetic set, the last with two persons."""
    annotations = generate_toy_annotations(num_subjects=4, repetitions=1)["annotations"]
    duets = [sample for sample in annotations if len(sample["keypoint"]) == 2]
    return [*annotations[:3], duets[0]]


def scene_of(sample: dict[str, Any], **changes: Any) -> Scene:
    """Return the scene of a sample with 25 joints."""
    return make_scene(Clip.of_sample(sample, **changes), NTU)


def artists(scene: Scene, kind: type, frame: int = 0) -> list[Any]:
    """Return the artists of a class that draw a frame in a square of 160 pixels."""
    axes = Figure().add_axes((0, 0, 1, 1))
    drawn = draw_frame(axes, scene, frame, picture_camera(scene, 160, 160))
    return [artist for artist in drawn if type(artist) is kind]


def test_limbs_have_the_colour_of_their_side(toy: list[dict[str, Any]]) -> None:
    floor, limbs = artists(scene_of(toy[0]), LineCollection)
    assert len(floor.get_segments()) == 10
    colours = limbs.get_colors()[:, :3].tolist()
    counts = {role: colours.count(list(to_rgb(COLOURS[role]))) for role in COLOURS}
    assert (counts["left"], counts["right"], counts["text"]) == (10, 10, 4)
    assert len(colours) == len(NTU.edges)


def test_persons_can_be_told_apart(toy: list[dict[str, Any]]) -> None:
    first, second = artists(scene_of(toy[3]), PathCollection)
    assert not len(first.get_edgecolors())
    assert len(second.get_edgecolors()) == 25
    assert second.get_facecolors()[0, :3].tolist() == list(to_rgb(COLOURS["ground"]))
    assert [text.get_text() for text in artists(scene_of(toy[3]), Text)] == ["1", "2"]


def test_importance_is_drawn_as_size_and_colour(toy: list[dict[str, Any]]) -> None:
    (joints,) = artists(scene_of(toy[0], importance=np.linspace(0, 1, 25)), PathCollection)
    assert np.allclose(joints.get_facecolors()[:, :3], to_rgb(COLOURS["bad"]))
    radii = np.sqrt(joints.get_sizes())
    assert (np.diff(radii) > 0).all()
    assert radii[-1] > 4 * radii[0]


def test_importance_over_time(toy: list[dict[str, Any]]) -> None:
    frames = toy[0]["total_frames"]
    scene = scene_of(toy[0], importance=np.linspace(0, 1, frames)[:, None] * np.ones(25))
    (first,), (last,) = (artists(scene, PathCollection, frame) for frame in (0, frames - 1))
    assert first.get_sizes().max() < last.get_sizes().min()


def test_uncertain_joints_are_faint() -> None:
    pixels = np.random.default_rng(0).uniform(1, 1000, size=(1, 2, 17, 2))
    score = np.linspace(0.02, 1, 17) * np.ones((1, 2, 1))
    (joints,) = artists(make_scene(Clip(pixels, score=score), COCO), PathCollection)
    opacity = joints.get_facecolors()[:, 3]
    assert (np.diff(opacity) > 0).all()
    assert opacity[0] < 0.3
    assert opacity[-1] == pytest.approx(1)


@pytest.mark.parametrize("stream", ["b", "jm", "bm"])
def test_streams_are_arrows(toy: list[dict[str, Any]], stream: Any) -> None:
    clip = stream_clip(Clip.of_sample(toy[0]), NTU, stream)
    scene = make_scene(clip, NTU)
    (arrows,) = artists(scene, Quiver)
    assert 15 <= arrows.N <= 25
    assert scene.tips is not None
    if stream == "b":  # from the parent to the joint
        assert np.allclose(scene.tips, scene.points, atol=1e-5)
    if stream == "jm":  # to where the joint is in the next frame, lengthened
        steps = scene.tips[:, :-1] - scene.points[:, :-1]
        gain = clip.arrow_gain
        assert np.allclose(steps, gain * np.diff(scene.points, axis=1), atol=1e-4 * gain)


def test_small_motions_are_lengthened_and_a_note_says_so() -> None:
    rng = np.random.default_rng(0)
    still = rng.normal(size=(1, 1, 25, 3)) + 1e-3 * rng.normal(size=(1, 9, 25, 3))
    clip = stream_clip(Clip(still), NTU, "jm")
    assert clip.arrow_gain > 1
    assert f"{clip.arrow_gain:.0f} times" in clip.notes[-1]


def test_bones_to_missing_joints_are_not_drawn(toy: list[dict[str, Any]]) -> None:
    keypoint = toy[0]["keypoint"].copy()
    keypoint[0, 0, 7] = 0
    scene = make_scene(stream_clip(Clip(keypoint), NTU, "b"), NTU)
    assert scene.tips is not None
    assert np.isnan(scene.tips[0, 0, 7]).all()


def svg_of(scenes: list[Scene], **options: Any) -> str:
    """Return strips as the text of an SVG file."""
    file = io.BytesIO()
    save_figure(strip_figure(scenes, **options), file, "svg")
    return file.getvalue().decode()


def test_svg_is_well_formed_and_escapes(toy: list[dict[str, Any]]) -> None:
    scene = scene_of(toy[0], title=HOSTILE, notes=[HOSTILE])
    text = svg_of([scene], frames=4)
    assert text == svg_of([scene], frames=4)  # the same bytes each time
    assert "<script" not in text
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title") == HOSTILE
    texts = [element.text for element in root.iter(f"{space}text")]
    assert texts.count(HOSTILE) == 2
    assert sum((line or "").startswith("frame ") for line in texts) == 4


@pytest.mark.parametrize("dark", [False, True])
def test_pictures_show_both_sides_in_their_colours(toy: list[dict[str, Any]], dark: bool) -> None:
    file = io.BytesIO()
    save_figure(strip_figure([scene_of(toy[0])], PictureStyle(dark=dark), frames=3), file, "png")
    picture = np.asarray(Image.open(file).convert("RGB")).astype(int)
    colours = {role: 255 * np.array(to_rgb(code)) for role, code in palette(dark=dark).items()}
    assert np.allclose(picture[-1, 0], colours["ground"])
    columns = {}
    for role in ("left", "right"):
        distance = np.abs(picture - colours[role]).sum(axis=2)
        assert (distance < 60).sum() > 200, role
        columns[role] = np.argwhere(distance < 60)[:, 1] % (picture.shape[1] // 3)
    assert columns["right"].mean() < columns["left"].mean()  # the person faces the viewer


def test_svg_and_png_have_the_same_size_in_pixels(toy: list[dict[str, Any]]) -> None:
    scenes = [scene_of(toy[0]), scene_of(toy[1])]
    file = io.BytesIO()
    save_figure(strip_figure(scenes, PictureStyle(size=100), frames=5), file, "png")
    with Image.open(file) as picture:
        assert picture.height > 200
        size = f'width="{picture.width}" height="{picture.height}"'
    assert size in svg_of(scenes, style=PictureStyle(size=100), frames=5)


def test_long_titles_are_cut(toy: list[dict[str, Any]]) -> None:
    text = svg_of([scene_of(toy[0], title="word " * 100)], style=PictureStyle(size=64), frames=1)
    assert "..." in text
    assert "word " * 12 not in text.partition("</title>")[2]


def test_gif_and_mp4_have_all_frames(toy: list[dict[str, Any]], tmp_path: Path) -> None:
    film = list(movie_frames([scene_of(toy[3])], PictureStyle(size=96)))
    height, width, _ = film[0].shape
    write_gif(tmp_path / "a.gif", film, 25)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == len(film)  # type: ignore[attr-defined]
        assert gif.info["duration"] == 40
        assert gif.size == (width, height)
    write_mp4(tmp_path / "a.mp4.partial", film, 25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "a.mp4.partial"]
    (tmp_path / "a.mp4.partial").rename(tmp_path / "a.mp4")
    frames, size, fps = read_video(tmp_path / "a.mp4")
    assert len(frames) == len(film)
    assert size == (height, width)
    assert fps == pytest.approx(25)
    assert np.abs(frames[0].astype(int) - film[0]).mean() < 8
    small, _, _ = read_video(tmp_path / "a.mp4", width=50)
    assert small[0].shape[1] == 50


def test_shorter_clips_repeat_next_to_longer_ones(toy: list[dict[str, Any]]) -> None:
    short = make_scene(Clip(toy[0]["keypoint"][:, :5]), NTU)
    style = PictureStyle(size=64)
    alone = list(movie_frames([short], style))
    both = list(movie_frames([scene_of(toy[0]), short], style))
    assert len(both) == toy[0]["total_frames"]
    height, width, _ = alone[0].shape
    assert np.array_equal(both[6][-60:, -width:-10], alone[1][-60:, :-10])
    assert both[0].shape[0] == height


def test_a_gif_that_would_fill_the_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("pyskl.drawing.skeleton.video._MAX_GIF_PIXELS", 100)
    with pytest.raises(InputError):
        write_gif(tmp_path / "a.gif", iter([np.zeros((20, 20, 3), np.uint8)]), 25)


def test_files_that_are_no_videos_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    for name in ("none.mp4", "text.mp4"):
        with pytest.raises(InputError) as raised:
            read_video(tmp_path / name)
        assert raised.value.file == str(tmp_path / name)


def test_skeletons_are_drawn_at_their_place_in_the_image() -> None:
    keypoint = np.full((1, 2, 17, 2), [50.0, 25.0])
    images = [np.full((100, 200, 3), 90, np.uint8)] * 2
    # Annotated at 400 x 800 pixels; the video is smaller.
    scene = make_scene(Clip(4 * keypoint, images=images, image_size=(400, 800)), COCO)
    camera = picture_camera(scene, 200, 100)
    assert np.allclose(camera.project(scene.points)[..., :2], keypoint, atol=1e-3)
    frame = next(movie_frames([scene], PictureStyle(size=100)))
    assert frame.shape[1] == 200
    assert frame[-3, 3].tolist() == [90, 90, 90]
    assert "data:image/png;base64," in svg_of([scene])
