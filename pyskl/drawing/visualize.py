"""Draw a skeleton sequence, its streams, or the steps of a pipeline."""

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
from pyskl.drawing.skeleton.clip import Clip, Stream, Up, stream_clip
from pyskl.drawing.skeleton.picture import PictureStyle, movie_frames, save_figure, strip_figure
from pyskl.drawing.skeleton.pipeline_steps import describe_value, steps_page, trace_pipeline
from pyskl.drawing.skeleton.player import player_html
from pyskl.drawing.skeleton.sample_source import (
    SourceSample,
    choose_layout,
    open_source,
    source_of_config,
)
from pyskl.drawing.skeleton.scene import make_scene
from pyskl.drawing.skeleton.video import read_video, write_gif, write_mp4
from pyskl.errors import InputError
from pyskl.files.atomic import replace_with, unwritable
from pyskl.files.output_file import refuse_overwriting
from pyskl.logging.log import get_logger, setup_logging
from pyskl.skeleton import SkeletonLayout

SUFFIXES = (".html", ".png", ".svg", ".gif", ".mp4")

DEFAULT_FPS = 30.0

# Frames of a video are scaled down to this width for pages and .svg, in pixels.
_PAGE_IMAGE_WIDTH = 480


@dataclass
class DrawSettings:
    """The options of ``tools/visualize.py``.

    Attributes:
        out: The file to write; its suffix selects the kind of drawing. By default a page in the
            current folder, named after the sample.
        sample: Which sample of an annotation file, see
            :func:`pyskl.drawing.skeleton.sample_source.open_source`.
        split: Choose from this split.
        stream: ``'j'`` joints, ``'b'`` bones, ``'jm'`` and ``'bm'`` their motions.
        pipeline: A config; the sample is drawn after each transform of its pipeline.
        use: The data set of the config: ``'train'``, ``'val'`` or ``'test'``. ``'val'`` and
            ``'test'`` run in test mode.
        layout: Name or ``.json`` file of the layout.
        config: A config whose model defines the layout.
        video: A video to draw 2D skeletons on.
        size: Height of the picture of a skeleton in pixels; by default 480 in ``.gif`` and
            ``.mp4``, 240 in strips.
        frames: Number of frames of a strip (``.png``, ``.svg``).
        fps: Frames per second; by default those of the file or the video, else 30.
        up: The upward axis of 3D data; by default guessed.
        yaw: Rotation of 3D pictures about the vertical axis, in degrees.
        pitch: How far the camera of 3D pictures looks down, in degrees.
        dark: Draw pictures on a dark background; pages follow the reader's system.
        seed: For ``sample='random'`` and for random transforms.
        cfg_options: ``key=value`` overrides of the configs.
        trusted: Load annotations with plain pickle, which runs any code in them.
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
        """Check the numbers and combinations."""
        for key, value, valid, expected in (
            ("size", self.size, lambda size: 32 <= size <= 4096, "32 to 4096 pixels"),
            ("frames", self.frames, lambda frames: 1 <= frames <= 100, "1 to 100"),
            ("fps", self.fps, lambda fps: 0 < fps <= 1000, "above 0 and at most 1000"),
        ):
            if value is not None and not valid(value):
                raise InputError("out of range", key=key, found=value, expected=expected)
        if self.pipeline is not None and self.stream != "j":
            hint = "set GenSkeFeat's feats with --cfg-options instead"
            raise InputError("can't be combined with --pipeline", key="--stream", hint=hint)
        if self.pipeline is not None and self.video is not None:
            hint = "transforms move the joints away from the image"
            raise InputError("can't be combined with --pipeline", key="--video", hint=hint)

    @property
    def kind(self) -> str:
        """The suffix of the file to write."""
        return Path(self.out).suffix.lower() if self.out is not None else ".html"

    @property
    def picture_style(self) -> PictureStyle:
        """The appearance of pictures and videos."""
        return PictureStyle(
            size=self.size or (480 if self.kind in (".gif", ".mp4") else 240),
            yaw=None if self.yaw is None else float(np.deg2rad(self.yaw)),
            pitch=None if self.pitch is None else float(np.deg2rad(self.pitch)),
            dark=self.dark,
        )


def visualize(source: str | Path | None, settings: DrawSettings | None = None) -> Path:
    """Draw a sample, as ``tools/visualize.py`` does.

    Args:
        source: An annotation file or a recording; None for the data set of the config.
        settings: The options.

    Returns:
        The file that was written.

    Raises:
        InputError: if the input is invalid, or the file can't be written.

    Example:
        >>> visualize('data/mine.pkl', DrawSettings(sample='clip3', out='clip3.gif'))
        ... # doctest: +SKIP
        PosixPath('clip3.gif')
    """
    settings = settings or DrawSettings()
    setup_logging()
    config = settings.pipeline or settings.config
    cfg = None if config is None else load_config(config, settings.cfg_options)
    which: dict[str, Any] = {
        name: getattr(settings, name) for name in ("sample", "split", "seed", "trusted")
    }
    if source is not None:
        found = open_source(source, **which)
    elif cfg is not None:
        found = source_of_config(cfg, settings.use, **which)
    else:
        raise InputError("nothing to draw", hint="give an annotation file, a recording or a config")
    out = _out(source, found, settings)
    layout = choose_layout(found, settings.layout, cfg)
    get_logger().info("%s of %s, layout %s", found.name, found.file, layout.name)
    fps = settings.fps or found.fps or DEFAULT_FPS
    up = settings.up or found.guess_up(layout)

    if settings.pipeline is not None:
        sample = {
            "frame_dir": found.name,
            "label": 0,
            "start_index": 0,
            "modality": "Pose",
            **found.sample,
            "test_mode": settings.use != "train",
        }
        pipeline = list(first_with(cfg or {}, settings.use)["pipeline"])
        seed = settings.seed or 0
        steps = trace_pipeline(
            pipeline, sample, layout, seed=seed, index=found.index, fps=fps, up=up
        )
        if settings.kind == ".html":
            text = steps_page(f"{found.name}, step by step", steps, layout)
            _write(out, lambda path: path.write_text(text, encoding="utf-8"))
        else:
            clips = [clip for step in steps for clip in step.clips]
            if not clips:
                raise InputError(f"nothing can be drawn: {steps[0].remark}")
            _draw_pictures(clips, layout, out, settings)
        return out

    clip = _clip(found, layout, fps, up, settings)
    if settings.kind == ".html":
        page_text = _clip_page(found, clip, layout, settings.split)
        _write(out, lambda path: path.write_text(page_text, encoding="utf-8"))
    else:
        _draw_pictures([clip], layout, out, settings)
    return out


def _out(source: str | Path | None, found: SourceSample, settings: DrawSettings) -> Path:
    """Return the file to write, after checking that it can be written."""
    if settings.out is None:
        name = re.sub(r"[^\w.-]+", "_", found.name).strip("._") or "skeleton"
        return Path(f"{name[:100]}.html")
    out = Path(settings.out)
    if settings.kind not in SUFFIXES:
        expected = f"a name that ends in {', '.join(SUFFIXES)}"
        raise InputError("unknown kind of drawing", key="--out", found=str(out), expected=expected)
    reason = unwritable(out)
    if reason is not None:
        raise InputError(f"can't be written ({reason})", file=out)
    inputs = (source, settings.video, settings.layout, settings.config, settings.pipeline)
    refuse_overwriting(out, [given for given in inputs if given is not None])
    return out


def _clip(
    found: SourceSample, layout: SkeletonLayout, fps: float, up: Up | None, settings: DrawSettings
) -> Clip:
    """Return the clip of the chosen stream, over a video if there is one."""
    try:
        keypoint = np.asarray(found.sample["keypoint"], dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"no array of numbers ({error})", file=found.file, sample=found.name, key="keypoint"
        ) from error
    clip = Clip.of_sample(
        {**found.sample, "keypoint": keypoint},
        title=found.name,
        notes=[f"label {found.label}"] if "label" in found.sample else [],
        fps=fps,
        up=up,
    )
    clip.check_layout(layout)
    if settings.video is not None:
        if clip.keypoint.shape[3] != 2 and layout.dim != 2:
            expected = "2D skeletons to draw on a video"
            raise InputError(
                "these skeletons are 3D", file=settings.video, found=keypoint.shape,
                expected=expected,
            )  # fmt: skip
        width = _PAGE_IMAGE_WIDTH if settings.kind in (".html", ".svg") else None
        height = None if width else settings.picture_style.size
        images, size, video_fps = read_video(settings.video, width=width, height=height)
        total = clip.num_frames
        if len(images) == total:
            fps = settings.fps or video_fps or fps
        else:
            get_logger().warning(
                "%s has %d frames and the clip %d: they are paired evenly from first to last",
                *(settings.video, len(images), total),
            )
        chosen = np.rint(np.linspace(0, len(images) - 1, total)).astype(int)
        clip = clip.replaced(
            images=[images[frame] for frame in chosen],
            image_size=clip.image_size or size,
            fps=fps,
        )
    return stream_clip(clip, layout, settings.stream)


def _clip_page(found: SourceSample, clip: Clip, layout: SkeletonLayout, split: str | None) -> str:
    fragment, scripts, styles, data = player_html([clip], layout)
    rows = [
        ["file", str(found.file)],
        *([] if split is None else [["split", split]]),
        ["layout", f"{layout.name} ({layout.num_joints} joints)"],
        *(
            [str(key), found.label if key == "label" else describe_value(value)]
            for key, value in found.sample.items()
        ),
    ]
    wide = ".skeleton-player { --player-width: min(30rem, 100%); }"
    sections = [Section("Skeleton", fragment), Section("Sample", table(["", ""], rows))]
    return page(found.name, sections, scripts=scripts, styles=(*styles, wide), data=data)


def _draw_pictures(
    clips: Sequence[Clip], layout: SkeletonLayout, out: Path, settings: DrawSettings
) -> None:
    """Draw clips below each other in pictures, or side by side in videos."""
    scenes = [make_scene(clip, layout) for clip in clips]
    style, kind = settings.picture_style, settings.kind
    if kind in (".png", ".svg"):
        figure = strip_figure(scenes, style, frames=settings.frames)
        _write(out, lambda path: save_figure(figure, path, kind[1:]))
    else:
        write = write_gif if kind == ".gif" else write_mp4
        _write(out, lambda path: write(path, movie_frames(scenes, style), clips[0].fps))


def _write(out: Path, write: Callable[[Path], object]) -> None:
    try:
        replace_with(out, write)
    except OSError as error:
        raise InputError(f"can't be written ({error})", file=out) from error
    get_logger().info("%s: %.1f kB", out, out.stat().st_size / 1000)
