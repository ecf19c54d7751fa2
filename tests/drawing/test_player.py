"""The player of skeletons: what it holds, and how it behaves in a browser."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyskl.datasets.toy.generator import generate_toy_annotations
from pyskl.drawing.page import Section, page
from pyskl.drawing.skeleton import Clip, player_html, player_tag
from pyskl.drawing.skeleton.camera import PITCH, YAW, player_camera
from pyskl.drawing.skeleton.player import (
    MISSING,
    coordinate_step,
    encode_coordinates,
    encode_shares,
)
from pyskl.drawing.skeleton.scene import make_scene
from pyskl.errors import InputError
from pyskl.skeleton import LAYOUTS

NTU = LAYOUTS["nturgb+d"]
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    """Of one person, of two, with importance, and as arrows."""
    annotations = generate_toy_annotations(num_subjects=4, repetitions=1)["annotations"]
    duo = next(sample for sample in annotations if len(sample["keypoint"]) == 2)
    one = annotations[3]
    weights = np.linspace(0, 1, 25)
    arrows = np.full_like(one["keypoint"], 0.1)
    return [
        Clip.of_sample(one, notes=["label 3"]),
        Clip.of_sample(duo),
        Clip.of_sample(one, title="weighed", importance=weights),
        Clip.of_sample(one, title="arrows", arrows=arrows),
    ]


def page_of(clips: list[Clip], layout: Any = NTU, **options: Any) -> str:
    """Return a page of players."""
    fragment, scripts, styles, data = player_html(clips, layout, **options)
    return page("Players", [Section("Clips", fragment)], scripts=scripts, styles=styles, data=data)


def decode(text: str, step: float) -> np.ndarray:
    """Return encoded coordinates as ``player.js`` decodes them; flat, float64."""
    whole = np.frombuffer(base64.b64decode(text), dtype="<i2").astype(np.float64)
    return np.where(whole == MISSING, np.nan, whole * step)


Open = Callable[..., Any]


@pytest.fixture
def opened(open_page: Open) -> Open:
    """A function that opens a page of players and waits for the first one; motion is reduced."""

    def opened(text: str, **options: Any) -> Any:
        shown = open_page(text, **{"reduced_motion": "reduce", **options})
        shown.wait_for_selector(".skeleton-player canvas")
        return shown

    return opened


def pixels(shown: Any, index: int = 0) -> str:
    """Return what a player's canvas shows."""
    return shown.evaluate(
        "i => document.querySelectorAll('.skeleton-player canvas')[i].toDataURL()", index
    )


def count(shown: Any, index: int = 0) -> str:
    """Return the frame number that a player shows."""
    return shown.locator(".skeleton-player .count").nth(index).inner_text()


def until(shown: Any, expression: str) -> None:
    """Wait until an expression is true; playwright's own way is forbidden by the page's policy."""
    deadline = time.monotonic() + 30
    while not shown.evaluate(expression):
        assert time.monotonic() < deadline, expression
        shown.wait_for_timeout(20)


# --- coordinates as int16 in base64 ---------------------------------------------------------------

points = arrays(
    np.float64, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=st.floats(-1e4, 1e4)
)


@given(points, st.data())
@example(np.array([[5e-324]]), None)
def test_coordinates_are_off_by_half_a_step_at_most(
    values: np.ndarray, data: st.DataObject | None
) -> None:
    if data is not None:
        values = np.where(data.draw(arrays(np.bool_, values.shape)), np.nan, values)
    step = coordinate_step(values)
    text = encode_coordinates(values, step)
    assert len(base64.b64decode(text)) == 2 * values.size
    found = decode(text, step)
    assert np.array_equal(np.isnan(found), np.isnan(values.ravel()))
    assert np.nan_to_num(np.abs(found - values.ravel())).max() <= step / 2 * (1 + 1e-9)
    greatest = np.nanmax(np.abs(values), initial=0)
    assert greatest <= 1e-300 or step <= greatest / 32767 * (1 + 1e-9)


def test_values_out_of_range_are_clipped() -> None:
    found = decode(encode_coordinates(np.array([1e9, -1e9, 0.0]), 1.0), 1.0)
    assert found.tolist() == [32767, -32767, 0]
    shares = base64.b64decode(encode_shares(np.array([-1, 0, 0.5, 1, 7, np.nan])))
    assert list(shares) == [0, 0, 128, 255, 255, 0]


# --- what a page holds ----------------------------------------------------------------------------


def test_clips_are_small_and_hold_what_they_were_given(clips: list[Clip]) -> None:
    _, scripts, styles, data = player_html(clips[:2], NTU)
    assert len(scripts) == len(styles) == 1
    content = data["skeletons"]["clips"]
    for clip, held in zip(clips, content):
        size = clip.keypoint.size
        assert len(json.dumps(held)) < 2.7 * size + 500
        scene = make_scene(clip, NTU, up="y")
        points = decode(held["points"], held["step"]).reshape(held["size"])
        assert np.abs(points - scene.points).max() <= held["step"] * 0.51
        assert held["total"] == clip.num_frames


def test_long_clips_are_thinned_out(clips: list[Clip]) -> None:
    whole = clips[0]
    _, _, _, data = player_html([whole], NTU, max_frames=16)
    (held,) = data["skeletons"]["clips"]
    assert held["size"][1] == 16
    assert held["total"] == whole.num_frames
    assert 16 / held["fps"] == pytest.approx(whole.num_frames / whole.fps, rel=0.1)


def test_what_is_up_is_guessed_from_all_clips_together(clips: list[Clip]) -> None:
    keypoint = clips[0].keypoint.astype(np.float64)
    lying = Clip(keypoint @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]).T)

    def head_over_foot(index: int, **options: Any) -> float:
        _, _, _, data = player_html([clips[0], clips[1], lying], NTU, **options)
        held = data["skeletons"]["clips"][index]
        points = decode(held["points"], held["step"]).reshape(held["size"])
        return float((points[0, :, 3, 1] - points[0, :, 15, 1]).mean())

    assert head_over_foot(2) < 0.5 < head_over_foot(0)
    assert head_over_foot(2, guess_together=False) > 1


def test_titles_of_strangers_stay_text(clips: list[Clip]) -> None:
    hostile = clips[0].replaced(title=HOSTILE, notes=[HOSTILE])
    text = page_of([hostile])
    assert "<img" not in text
    assert HOSTILE not in text
    tag = player_tag(4, "<b>")
    assert tag == '<div class="skeleton-player" data-clip="4" aria-label="&lt;b&gt;"></div>'


def test_a_layout_that_does_not_fit_is_refused(clips: list[Clip]) -> None:
    with pytest.raises(InputError):
        player_html(clips, "coco")


# --- in a browser ---------------------------------------------------------------------------------


def test_it_plays_and_stops(opened: Open, clips: list[Clip]) -> None:
    shown = opened(page_of(clips[:1]))
    total = clips[0].num_frames
    assert count(shown) == f"1 / {total}"
    before = pixels(shown)
    button = shown.get_by_role("button", name="Play")
    button.click()
    until(shown, "document.querySelector('.skeleton-player').player.frame > 2")
    shown.get_by_role("button", name="Pause").click()
    stopped = count(shown)
    assert stopped != f"1 / {total}"
    assert pixels(shown) != before
    shown.wait_for_timeout(200)
    assert count(shown) == stopped
    shown.get_by_role("combobox", name="Speed").select_option("0.5")
    assert shown.evaluate("document.querySelector('.skeleton-player').player.speed") == 0.5


def test_it_scrubs(opened: Open, clips: list[Clip]) -> None:
    shown = opened(page_of(clips[:1]))
    before = pixels(shown)
    slider = shown.get_by_role("slider", name="Frame")
    slider.fill("10")
    assert count(shown) == f"11 / {clips[0].num_frames}"
    assert pixels(shown) != before
    slider.fill("0")
    assert pixels(shown) == before
    slider.focus()
    shown.keyboard.press("End")
    assert count(shown) == f"{clips[0].num_frames} / {clips[0].num_frames}"


def test_it_turns_by_dragging_and_by_keys_and_goes_back(opened: Open, clips: list[Clip]) -> None:
    shown = opened(page_of(clips[:1]))
    canvas = shown.locator("canvas")
    before = pixels(shown)
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shown.mouse.move(x, y)
    shown.mouse.down()
    shown.mouse.move(x + 60, y + 20, steps=4)
    shown.mouse.up()
    dragged = pixels(shown)
    assert dragged != before
    shown.mouse.move(x, y, steps=2)  # without the button nothing turns
    assert pixels(shown) == dragged
    shown.get_by_role("button", name="Reset view").click()
    assert pixels(shown) == before
    canvas.focus()
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "+", "-"):
        shown.keyboard.press("Home")
        shown.keyboard.press(key)
        assert pixels(shown) != before, key
    shown.keyboard.press("Home")
    assert pixels(shown) == before
    assert count(shown).startswith("1 /")


def test_keys_play_and_step(opened: Open, clips: list[Clip]) -> None:
    shown = opened(page_of(clips[:1]))
    shown.locator("canvas").focus()
    total = clips[0].num_frames
    for key, expected in ((".", 2), (".", 3), (",", 2), (",", 1), (",", total)):
        shown.keyboard.press(key)
        assert count(shown) == f"{expected} / {total}"
    shown.keyboard.press(" ")
    assert shown.evaluate("document.querySelector('.skeleton-player').player.playing")
    shown.keyboard.press(" ")
    assert not shown.evaluate("document.querySelector('.skeleton-player').player.playing")


def test_a_pixel_is_where_python_has_it(opened: Open, clips: list[Clip]) -> None:
    shown = opened(page_of(clips[:2]))
    for index, clip in enumerate(clips[:2]):
        scene = make_scene(clip, NTU, up="y")
        places, size = shown.evaluate(
            """i => {
              const player = document.querySelectorAll('.skeleton-player')[i].player;
              const [M, , V] = player.clip.size;
              player.frame = 7;
              player.turn(0.5, 0.2);
              const places = [...Array(M).keys()].map(
                (m) => [...Array(V).keys()].map((v) => player.project(m, v)));
              return [places, [player.canvas.clientWidth, player.canvas.clientHeight]];
            }""",
            index,
        )
        camera = player_camera(scene, *size, YAW + 0.5, PITCH + 0.2)
        expected = camera.project(scene.points[:, 7])
        assert np.abs(np.array(places) - expected)[..., :2].max() < 0.1
        assert np.abs(np.array(places) - expected)[..., 2].max() < 0.01


def test_importance_can_be_switched_off(opened: Open, clips: list[Clip]) -> None:
    shown = opened(page_of([clips[0], clips[2]]))
    assert pixels(shown, 1) != pixels(shown, 0)
    box = shown.get_by_role("checkbox", name="importance")
    assert box.count() == 1
    box.uncheck()
    assert pixels(shown, 1) == pixels(shown, 0)


def test_arrows_and_persons_are_drawn(opened: Open, clips: list[Clip]) -> None:
    shown = opened(page_of([clips[0], clips[3], clips[1]]))
    assert len({pixels(shown, index) for index in range(3)}) == 3
    label = shown.locator("canvas").nth(2).get_attribute("aria-label")
    assert label.startswith("Skeleton of 2 persons, 3D.")


def test_joints_are_named_under_the_pointer(opened: Open, clips: list[Clip]) -> None:
    shown = opened(page_of(clips[:1]))
    place = shown.evaluate(
        "document.querySelector('.skeleton-player').player.project(0, 3).slice(0, 2)"
    )
    shown.locator("canvas").hover(position={"x": place[0], "y": place[1]})
    assert shown.locator(".hint").inner_text() == "head"


def test_it_starts_by_itself_only_where_motion_is_welcome(opened: Open, clips: list[Clip]) -> None:
    playing = "document.querySelector('.skeleton-player').player.playing"
    text = page_of(clips[:1])
    assert not opened(text).evaluate(playing)
    assert opened(text, reduced_motion="no-preference").evaluate(playing)
    quiet = page_of(clips[:1], autoplay=False)
    assert not opened(quiet, reduced_motion="no-preference").evaluate(playing)


def test_players_out_of_view_wait(opened: Open, clips: list[Clip]) -> None:
    short = clips[0].take(np.arange(4))
    text = page_of([short] * 200)
    shown = opened(text, reduced_motion="no-preference")
    ready = "document.querySelectorAll('.skeleton-player canvas').length"
    assert 0 < shown.evaluate(ready) < 60
    shown.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    last = "document.querySelectorAll('.skeleton-player')[199].player"
    until(shown, f"{last} && {last}.playing")
    first = "document.querySelectorAll('.skeleton-player')[0].player.playing"
    assert not shown.evaluate(first)
    # What the reader stopped does not start again when it comes back into view.
    shown.evaluate(f"{last}.toggle()")
    shown.evaluate("window.scrollTo(0, 0)")
    until(shown, first)
    shown.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    until(shown, f"!({first})")
    assert not shown.evaluate(f"{last}.playing")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_page(opened: Open, clips: list[Clip], scheme: str) -> None:
    shown = opened(page_of(clips[:1]), color_scheme=scheme)
    # How many pixels of the canvas have exactly the page's colours of left and right.
    counted = """() => {
      const shown = document.querySelector('canvas');
      const copy = document.createElement('canvas');
      [copy.width, copy.height] = [shown.width, shown.height];
      const pen = copy.getContext('2d', {willReadFrequently: true});
      pen.drawImage(shown, 0, 0);
      const {data} = pen.getImageData(0, 0, copy.width, copy.height);
      const style = getComputedStyle(document.documentElement);
      return ['--left', '--right'].map((role) => {
        const code = style.getPropertyValue(role).trim();
        const wanted = [1, 3, 5].map((at) => parseInt(code.slice(at, at + 2), 16));
        let found = 0;
        for (let i = 0; i < data.length; i += 4) {
          if (data[i + 3] > 0 && wanted.every((one, k) => Math.abs(data[i + k] - one) < 12)) {
            found += 1;
          }
        }
        return found;
      });
    }"""
    assert min(shown.evaluate(counted)) > 50
    before = pixels(shown)
    shown.get_by_role("button", name="Light or dark").click()
    until(shown, f"document.documentElement.dataset.theme !== '{scheme}'")
    shown.wait_for_timeout(50)
    assert pixels(shown) != before
    assert min(shown.evaluate(counted)) > 50


def test_labels_of_strangers_run_nothing(opened: Open, clips: list[Clip]) -> None:
    hostile = clips[0].replaced(title=HOSTILE, notes=[HOSTILE])
    shown = opened(page_of([hostile]))
    assert shown.locator(".skeleton-player .title").inner_text() == HOSTILE
    assert shown.locator("img").count() == 0
    assert shown.title() == "Players"


def test_2d_steps_by_arrows_and_shows_images(opened: Open) -> None:
    rng = np.random.default_rng(0)
    pixels_of = rng.uniform(10, 90, size=(2, 6, 17, 2))
    images = [np.full((100, 200, 3), 40 * frame, np.uint8) for frame in range(6)]
    plain = Clip(pixels_of, score=rng.uniform(0, 1, size=(2, 6, 17)))
    shown = opened(page_of([plain, plain.replaced(images=images)], "coco"))
    until(shown, "document.querySelectorAll('.skeleton-player')[1].player.images[0].complete")
    assert shown.get_by_role("button", name="Reset view").count() == 0
    canvas = shown.locator("canvas").first
    canvas.focus()
    shown.keyboard.press("ArrowRight")
    assert count(shown) == "2 / 6"
    ratio = shown.evaluate(
        "(c => c.clientWidth / c.clientHeight)(document.querySelectorAll('canvas')[1])"
    )
    assert ratio == pytest.approx(2, rel=0.02)
    assert pixels(shown, 0) != pixels(shown, 1)


def test_one_frame_and_nobody(opened: Open) -> None:
    one = Clip(np.random.default_rng(0).normal(size=(1, 1, 25, 3)), title="one frame")
    nobody = Clip(np.zeros((1, 3, 25, 3)), title="nobody")
    shown = opened(page_of([one, nobody]), reduced_motion="no-preference")
    assert count(shown) == "1 / 1"
    assert shown.get_by_role("slider", name="Frame").first.is_disabled()
    assert shown.locator("canvas").count() == 2


def test_the_head_comment_names_all_that_a_clip_holds(clips: list[Clip]) -> None:
    _, (script,), _, data = player_html(
        [clips[2].replaced(score=np.ones(clips[2].keypoint.shape[:3]), arrows=clips[3].arrows)], NTU
    )
    comment = script[: script.index("*/")]
    (held,) = data["skeletons"]["clips"]
    for key in held:
        assert re.search(rf"\b{key}\b", comment), key
    assert len(base64.b64decode(held["importance"])) == 25
