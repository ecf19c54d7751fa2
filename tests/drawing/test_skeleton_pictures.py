"""Pictures and videos: what they show, and that they can be read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from PIL import Image

from pyskl.datasets.toy.generator import generate_toy_annotations
from pyskl.drawing.skeleton import Clip
from pyskl.drawing.skeleton.camera import for_stills
from pyskl.drawing.skeleton.drawing import Disc, Line, Text, Triangle, frame_shapes, side_roles
from pyskl.drawing.skeleton.painters import shortened, text_width
from pyskl.drawing.skeleton.palette import palette, rgb
from pyskl.drawing.skeleton.picture import Film, Films, Look, chosen_frames, stacked, strip_svg
from pyskl.drawing.skeleton.scene import Scene, make_scene
from pyskl.drawing.skeleton.streams import stream_clip
from pyskl.drawing.skeleton.video import read_video, write_gif, write_mp4
from pyskl.errors import InputError
from pyskl.skeleton import LAYOUTS

NTU, COCO = LAYOUTS["nturgb+d"], LAYOUTS["coco"]
HOSTILE = "<script>alert(\"x\")</script> & 'y'"


@pytest.fixture(scope="module")
def toy() -> list[dict[str, Any]]:
    """Clips of the synthetic set, the last with two persons."""
    annotations = generate_toy_annotations(num_subjects=4, repetitions=1)["annotations"]
    duets = [sample for sample in annotations if len(sample["keypoint"]) == 2]
    return [*annotations[:3], duets[0]]


def scene_of(sample: dict[str, Any], **changes: Any) -> Scene:
    """Return the scene of a sample of 25 joints."""
    return make_scene(Clip.of_sample(sample, **changes), NTU)


def shapes_of(scene: Scene) -> list[Any]:
    """Return what is drawn of the first frame, in a square of 160 pixels (unit 1)."""
    return frame_shapes(scene, 0, for_stills(scene, 160, 160))


def test_limbs_have_the_colour_of_their_side(toy: list[dict[str, Any]]) -> None:
    roles = side_roles(NTU)
    for joint, name in enumerate(NTU.joint_names):
        side = name.split("_")[0]
        assert roles[joint] == (side if side in ("left", "right") else "text"), name
    limbs = [shape for shape in shapes_of(scene_of(toy[0])) if isinstance(shape, Line)]
    limbs = [limb for limb in limbs if limb.role != "line"]  # the floor
    assert len(limbs) == len(NTU.edges)
    count = {role: sum(limb.role == role for limb in limbs) for role in ("left", "right", "text")}
    assert count == {"left": 10, "right": 10, "text": 4}


def test_persons_can_be_told_apart(toy: list[dict[str, Any]]) -> None:
    shapes = shapes_of(scene_of(toy[3]))
    discs = [shape for shape in shapes if isinstance(shape, Disc)]
    assert [disc.ring > 0 for disc in discs] == [False] * 25 + [True] * 25
    assert [shape.text for shape in shapes if isinstance(shape, Text)] == ["1", "2"]


def test_importance_shows_in_size_and_colour(toy: list[dict[str, Any]]) -> None:
    weights = np.linspace(0, 1, 25)
    discs = [
        shape
        for shape in shapes_of(scene_of(toy[0], importance=weights))
        if isinstance(shape, Disc)
    ]
    assert {disc.role for disc in discs} == {"bad"}
    radii = [disc.radius for disc in discs]
    assert radii == sorted(radii)
    assert radii[-1] > 4 * radii[0]


def test_importance_over_time(toy: list[dict[str, Any]]) -> None:
    frames = toy[0]["total_frames"]
    weights = np.linspace(0, 1, frames)[:, None] * np.ones(25)
    scene = scene_of(toy[0], importance=weights)
    camera = for_stills(scene, 160, 160)
    first, last = (
        [disc.radius for disc in frame_shapes(scene, frame, camera) if isinstance(disc, Disc)]
        for frame in (0, frames - 1)
    )
    assert max(first) < min(last)


def test_uncertain_joints_are_faint() -> None:
    pixels = np.random.default_rng(0).uniform(1, 1000, size=(1, 2, 17, 2))
    score = np.linspace(0.02, 1, 17) * np.ones((1, 2, 1))
    scene = make_scene(Clip(pixels, score=score), COCO)
    alphas = [shape.alpha for shape in shapes_of(scene) if isinstance(shape, Disc)]
    assert alphas == sorted(alphas)
    assert alphas[0] < 0.3
    assert alphas[-1] == pytest.approx(1)


@pytest.mark.parametrize("stream", ["b", "jm", "bm"])
def test_streams_are_arrows(toy: list[dict[str, Any]], stream: Any) -> None:
    clip = stream_clip(Clip.of_sample(toy[0]), NTU, stream)
    scene = make_scene(clip, NTU)
    heads = [shape for shape in shapes_of(scene) if isinstance(shape, Triangle)]
    assert 15 <= len(heads) <= 25
    assert scene.tips is not None
    if stream == "b":  # a bone leads from its parent to its joint
        assert np.allclose(scene.tips, scene.points, atol=1e-5)
    if stream == "jm":  # a motion leads to where the joint is next, if it is not drawn longer
        steps = scene.tips[:, :-1] - scene.points[:, :-1]
        gain = clip.arrow_gain
        assert np.allclose(steps, gain * np.diff(scene.points, axis=1), atol=1e-4 * gain)


def test_small_motions_are_drawn_longer_and_say_so() -> None:
    rng = np.random.default_rng(0)
    still = rng.normal(size=(1, 1, 25, 3)) + 1e-3 * rng.normal(size=(1, 9, 25, 3))
    clip = stream_clip(Clip(still), NTU, "jm")
    assert clip.arrow_gain > 1
    assert f"drawn {clip.arrow_gain:.0f} times as long" in clip.notes[-1]


def test_bones_to_absent_joints_are_not_drawn(toy: list[dict[str, Any]]) -> None:
    keypoint = toy[0]["keypoint"].copy()
    keypoint[0, 0, 7] = 0
    scene = make_scene(stream_clip(Clip(keypoint), NTU, "b"), NTU)
    assert scene.tips is not None
    assert np.isnan(scene.tips[0, 0, 7]).all()


def test_svg_is_well_formed_and_escapes(toy: list[dict[str, Any]]) -> None:
    scene = scene_of(toy[0], title=HOSTILE, notes=[HOSTILE])
    text = strip_svg([scene], number=4)
    assert "<script" not in text
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title").text == HOSTILE  # type: ignore[union-attr]
    lines = root.findall(f".//{space}line")
    assert sum(line.get("stroke") == palette()["left"] for line in lines) == 4 * 10
    assert len(root.findall(f"{space}svg/{space}svg")) == 4


@pytest.mark.parametrize("dark", [False, True])
def test_pictures_show_both_sides_in_their_colours(toy: list[dict[str, Any]], dark: bool) -> None:
    picture = np.asarray(stacked([scene_of(toy[0])], Look(size=240, dark=dark), number=3))
    colours = palette(dark=dark)
    assert tuple(picture[-1, 0]) == rgb(colours["ground"])
    sides = {}
    for role in ("left", "right"):
        distance = np.abs(picture.astype(int) - rgb(colours[role])).sum(axis=2)
        assert (distance < 60).sum() > 200, role
        sides[role] = np.argwhere(distance < 60)[:, 1] % (picture.shape[1] // 3)
    assert sides["right"].mean() < sides["left"].mean()  # of who faces the reader


def test_strips_are_as_large_as_said(toy: list[dict[str, Any]]) -> None:
    scenes = [scene_of(toy[0]), scene_of(toy[1])]
    picture = stacked(scenes, Look(size=100), number=5)
    assert f'width="{picture.width}" height="{picture.height}"' in strip_svg(
        scenes, Look(size=100), number=5
    )
    assert picture.height > 200
    assert chosen_frames(scenes[0], 3)[0] == 0
    assert chosen_frames(scenes[0], 3)[-1] == scenes[0].num_frames - 1
    assert chosen_frames(scenes[0], 10**6) == list(range(scenes[0].num_frames))


def test_long_titles_are_cut() -> None:
    assert shortened("short", 15, 200) == "short"
    cut = shortened("word " * 100, 15, 200)
    assert cut.endswith("...")
    assert text_width(cut, 15) <= 200


def test_gif_and_mp4_have_all_frames(toy: list[dict[str, Any]], tmp_path: Path) -> None:
    film = Film(scene_of(toy[3]), Look(size=96))
    write_gif(tmp_path / "a.gif", film, 25)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == len(film)  # type: ignore[attr-defined]
        assert gif.info["duration"] == 40
        assert gif.size == (film.width, film.height)
    write_mp4(tmp_path / "a.mp4.partial", film, 25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "a.mp4.partial"]
    (tmp_path / "a.mp4.partial").rename(tmp_path / "a.mp4")
    frames, size, fps = read_video(tmp_path / "a.mp4")
    assert len(frames) == len(film)
    assert size == (film.height, film.width)
    assert fps == pytest.approx(25)
    assert np.abs(frames[0].astype(int) - film[0]).mean() < 8
    small, _, _ = read_video(tmp_path / "a.mp4", width=50)
    assert small[0].shape[1] == 50


def test_films_side_by_side_begin_again(toy: list[dict[str, Any]]) -> None:
    films = [
        Film(scene_of(toy[0], notes=["a line"]), Look(size=64)),
        Film(make_scene(Clip(toy[0]["keypoint"][:, :5]), NTU), Look(size=64)),
    ]
    both = Films(films)
    assert len(both) == len(films[0])
    assert both[6].shape == (both.height, both.width, 3)
    assert np.array_equal(both[6][-films[1].height :, films[0].width :], films[1][1])
    with pytest.raises(IndexError):
        both[len(both)]


def test_a_gif_that_would_fill_the_memory_is_refused(
    toy: list[dict[str, Any]], tmp_path: Path
) -> None:
    film = Film(scene_of(toy[0]), Look(size=64))
    film.width = 10**8
    with pytest.raises(InputError, match=r"too much for a GIF; write an \.mp4"):
        write_gif(tmp_path / "a.gif", film, 25)


def test_files_that_are_no_videos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such video"):
        read_video(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(InputError, match="finds no video"):
        read_video(tmp_path / "text.mp4")


def test_skeletons_lie_where_they_are_in_the_image() -> None:
    keypoint = np.full((1, 2, 17, 2), [50.0, 25.0])
    images = [np.full((100, 200, 3), 90, np.uint8)] * 2
    # Annotated at 400 x 200, the video is half as large.
    scene = make_scene(Clip(4 * keypoint, images=images, image_size=(400, 800)), COCO)
    film = Film(scene, Look(size=100))
    assert film.width == 200
    places = film.camera.project(scene.points)[0, 0]
    assert np.allclose(places[:, 0], 50)
    assert np.allclose(places[:, 1], 25 * film.below / 100, atol=1)
    assert tuple(film[0][-3, 3]) == (90, 90, 90)
    assert "data:image/jpeg;base64," in strip_svg([scene])


def test_opencv_is_there_with_the_dependencies() -> None:
    assert cv2.VideoWriter.fourcc(*"mp4v") > 0
