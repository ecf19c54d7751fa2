"""Draw a skeleton sequence, its streams, or what a pipeline makes of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.config import load_config
from pyskl.datasets.dataset_tree import first_with
from pyskl.drawing.page import Section, page, table
from pyskl.drawing.skeleton.clip import Clip, Up
from pyskl.drawing.skeleton.picture import Film, Films, Look, stacked, strip_svg
from pyskl.drawing.skeleton.player import player_html
from pyskl.drawing.skeleton.scene import Scene, make_scene
from pyskl.drawing.skeleton.source import Source, choose_layout, open_source, source_of_config
from pyskl.drawing.skeleton.steps import Step, in_words, trace
from pyskl.drawing.skeleton.steps_page import steps_page
from pyskl.drawing.skeleton.streams import Stream, stream_clip
from pyskl.drawing.skeleton.video import read_video, write_gif, write_mp4
from pyskl.errors import InputError
from pyskl.files.atomic import replace_with, unwritable
from pyskl.logging.log import get_logger, setup_logging
from pyskl.reports.report_file import refuse_overwriting
from pyskl.skeleton import SkeletonLayout

SUFFIXES = (".html", ".png", ".svg", ".gif", ".mp4")

DEFAULT_FPS = 30.0

# Width that the frames of a video are made as small as for a page, pixels.
_PAGE_IMAGE_WIDTH = 480


@dataclass
class DrawSettings:
    """What the command line decides about a drawing.

    Attributes:
        out: The file; its suffix says what is drawn. By default a page named after the sample, in
            the current folder.
        sample: Which sample of an annotation file; see
            :func:`pyskl.drawing.skeleton.source.open_source`.
        split: Choose within this split.
        stream: ``'j'`` joints, ``'b'`` bones, ``'jm'`` and ``'bm'`` their motions.
        pipeline: A config whose pipeline the sample is sent through, step by step.
        use: Whose: ``data.train``, ``data.val`` or ``data.test``; test mode but for the first.
        layout: Name or ``.json`` file of the layout.
        config: A config whose model says the layout.
        video: A video to lie under 2D skeletons.
        size: Height of the picture of a skeleton, pixels; by default 480 in ``.gif`` and
            ``.mp4``, 240 in strips.
        frames: Frames of a strip (``.png``, ``.svg``).
        fps: Frames per second; by default as the file or the video says, else 30.
        up: The axis of 3D data that points upward; by default guessed.
        yaw: Turn of 3D pictures about the upright axis, degrees.
        pitch: How far from above they are seen, degrees.
        dark: Draw pictures on a dark ground; pages follow the reader's system.
        seed: Of ``sample='random'`` and of transforms that draw at random.
        cfg_options: ``key=value`` overrides of the configs.
        trusted: Load annotations with plain pickle, which runs what they say.
    """

    out: str | Path | None = None
    sample: str | None = None
    split: str | None = None
    stream: Stream = "j"
    pipeline: str | Path | None = None
    use: str = "test"
    layout: str | None = None
    config: str | Path | None = None
    video: str | Path | None = None
    size: int | None = None
    frames: int = 6
    fps: float | None = None
    up: Up | None = None
    yaw: float | None = None
    pitch: float | None = None
    dark: bool = False
    seed: int | None = None
    cfg_options: Sequence[str] = ()
    trusted: bool = False

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.size is not None and not 32 <= self.size <= 4096:
            raise InputError(f"size should be 32 to 4096 pixels, found {self.size}")
        if not 1 <= self.frames <= 100:
            raise InputError(f"frames should be 1 to 100, found {self.frames}")
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise InputError(f"fps should be above 0 and at most 1000, found {self.fps}")


def visualize(source: str | Path | None, settings: DrawSettings | None = None) -> Path:
    """Do what ``tools/visualize.py`` does.

    Args:
        source: An annotation file or a recording; None for the data set of the config.
        settings: What the command line decides.

    Returns:
        The file that was written.

    Raises:
        InputError: for faults of the input, or a file that can't be written.

    Example:
        >>> visualize('data/mine.pkl', DrawSettings(sample='clip3', out='clip3.gif'))
        ... # doctest: +SKIP
        PosixPath('clip3.gif')
    """
    settings = settings or DrawSettings()
    setup_logging()
    if settings.pipeline is not None and settings.stream != "j":
        raise InputError(
            "--stream is for drawings without --pipeline: there GenSkeFeat's feats say the stream "
            "(--cfg-options overrides them)"
        )
    if settings.pipeline is not None and settings.video is not None:
        raise InputError(
            "--video is for drawings without --pipeline, whose transforms leave the image"
        )
    cfg = None
    if settings.pipeline is not None or settings.config is not None:
        cfg = load_config(settings.pipeline or settings.config or "", settings.cfg_options)
    found = _source(source, cfg, settings)
    out = _out(source, found, settings)
    layout = choose_layout(found, settings.layout, cfg)
    get_logger().info("%s of %s, layout %s", found.name, found.file, layout.name)
    if settings.pipeline is not None:
        _draw_steps(
            found, list(first_with(cfg or {}, settings.use)["pipeline"]), layout, out, settings
        )
    else:
        _draw_clip(found, layout, out, settings)
    return out


def _source(source: str | Path | None, cfg: Any, settings: DrawSettings) -> Source:
    which: dict[str, Any] = {
        "sample": settings.sample,
        "split": settings.split,
        "seed": settings.seed,
        "trusted": settings.trusted,
    }
    if source is not None:
        return open_source(source, **which)
    if cfg is None:
        raise InputError("nothing to draw: give an annotation file or recording, or a config")
    return source_of_config(cfg, settings.use, **which)


def _out(source: str | Path | None, found: Source, settings: DrawSettings) -> Path:
    """Return the file to write, once it is clear that it can be one."""
    if settings.out is None:
        name = re.sub(r"[^\w.-]+", "_", found.name).strip("._") or "skeleton"
        return Path(f"{name[:100]}.html")
    out = Path(settings.out)
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(f"{out}: --out should end in one of {', '.join(SUFFIXES)}")
    reason = unwritable(out)
    if reason is not None:
        raise InputError(f"{out} can't be written ({reason})")
    inputs = (source, settings.video, settings.layout, settings.config, settings.pipeline)
    refuse_overwriting(out, [given for given in inputs if given is not None])
    return out


# --- one clip -------------------------------------------------------------------------------------


def _draw_clip(found: Source, layout: SkeletonLayout, out: Path, settings: DrawSettings) -> None:
    notes = [f"label {found.label}"] if "label" in found.sample else []
    clip = Clip.of_sample(
        {**found.sample, "keypoint": _keypoint(found)},
        title=found.name,
        notes=notes,
        fps=settings.fps or found.fps or DEFAULT_FPS,
        up=settings.up or found.guess_up(layout),
    )
    clip.check_layout(layout)
    if settings.video is not None:
        clip = _over_video(clip, layout, out, settings)
    clip = stream_clip(clip, layout, settings.stream)
    if out.suffix.lower() == ".html":
        _write(out, _text(_clip_page(found, clip, layout, settings)))
    else:
        _draw_scenes([make_scene(clip, layout)], out, settings)


def _keypoint(found: Source) -> np.ndarray:
    try:
        return np.asarray(found.sample["keypoint"], dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{found.file}, sample {found.name!r}: keypoint is no array of numbers ({error})"
        ) from error


def _over_video(clip: Clip, layout: SkeletonLayout, out: Path, settings: DrawSettings) -> Clip:
    """Return the clip over the frames of a video."""
    if clip.keypoint.shape[3] != 2 and layout.dim != 2:
        raise InputError(
            f"{settings.video}: a video can lie under 2D skeletons, these are 3D: (M, T, V, C) = "
            f"{clip.keypoint.shape}"
        )
    width = _PAGE_IMAGE_WIDTH if out.suffix.lower() in (".html", ".svg") else None
    height = None if width else settings.size or _default_size(out)
    images, size, fps = read_video(settings.video or "", width=width, height=height)
    total = clip.num_frames
    if len(images) != total:
        get_logger().warning(
            "%s has %d frames and the clip %d: the first and last of both are paired, and those "
            "between evenly",
            *(settings.video, len(images), total),
        )
    chosen = np.rint(np.linspace(0, len(images) - 1, total)).astype(int)
    return clip.replaced(
        images=[images[frame] for frame in chosen],
        image_size=clip.image_size or size,
        fps=settings.fps or (fps if fps and len(images) == total else clip.fps),
    )


def _clip_page(found: Source, clip: Clip, layout: SkeletonLayout, settings: DrawSettings) -> str:
    fragment, scripts, styles, data = player_html([clip], layout)
    rows = [["file", str(found.file)], ["layout", f"{layout.name} ({layout.num_joints} joints)"]]
    rows += [
        [str(key), found.label if key == "label" else in_words(value)]
        for key, value in found.sample.items()
    ]
    if settings.split is not None:
        rows.insert(1, ["split", settings.split])
    facts = table(["", ""], rows)
    wide = ".skeleton-player { --player-width: min(30rem, 100%); }"
    sections = [
        Section("Skeleton", fragment),
        Section("Sample", facts),
    ]
    return page(found.name, sections, scripts=scripts, styles=(*styles, wide), data=data)


# --- the steps of a pipeline ----------------------------------------------------------------------


def _draw_steps(
    found: Source,
    pipeline: Sequence[Any],
    layout: SkeletonLayout,
    out: Path,
    settings: DrawSettings,
) -> None:
    sample = {
        "frame_dir": found.name,
        "label": 0,
        "start_index": 0,
        "modality": "Pose",
        **found.sample,
        "test_mode": settings.use != "train",
    }
    steps = trace(
        pipeline,
        sample,
        layout,
        seed=settings.seed or 0,
        index=found.index,
        fps=settings.fps or found.fps or DEFAULT_FPS,
        up=settings.up or found.guess_up(layout),
    )
    if out.suffix.lower() == ".html":
        _write(out, _text(steps_page(f"{found.name}, step by step", steps, layout)))
        return
    _draw_scenes(_scenes(steps, layout), out, settings)


def _scenes(steps: Sequence[Step], layout: SkeletonLayout) -> list[Scene]:
    clips = [clip for step in steps for clip in step.clips]
    if not clips:
        raise InputError(f"nothing can be drawn: {steps[0].remark}")
    return [make_scene(clip, layout) for clip in clips]


# --- files ----------------------------------------------------------------------------------------


def _draw_scenes(scenes: Sequence[Scene], out: Path, settings: DrawSettings) -> None:
    """Draw scenes one beside or below the other."""
    look = Look(
        size=settings.size or _default_size(out),
        yaw=None if settings.yaw is None else float(np.deg2rad(settings.yaw)),
        pitch=None if settings.pitch is None else float(np.deg2rad(settings.pitch)),
        dark=settings.dark,
    )
    kind, fps = out.suffix.lower(), scenes[0].clip.fps
    if kind == ".svg":
        _write(out, _text(strip_svg(scenes, look, number=settings.frames)))
    elif kind == ".png":
        picture = stacked(scenes, look, number=settings.frames)
        _write(out, lambda path: picture.save(path, "PNG"))
    else:
        moving = Films([Film(scene, look) for scene in scenes])
        write = write_gif if kind == ".gif" else write_mp4
        _write(out, lambda path: write(path, moving, fps))


def _default_size(out: Path) -> int:
    return 480 if out.suffix.lower() in (".gif", ".mp4") else 240


def _text(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    return write


def _write(out: Path, write: Callable[[Path], None]) -> None:
    try:
        replace_with(out, write)
    except OSError as error:
        raise InputError(f"{out} can't be written ({error})") from error
    get_logger().info("%s: %.1f kB", out, out.stat().st_size / 1000)
