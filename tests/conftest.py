"""Fixtures that several test modules share."""

from __future__ import annotations

import logging
import pickle
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from pyskl.logging.log import LOGGER_NAME

# No deadline: the time of an example depends on how busy the machine is. The same examples in each
# run, so that only a change makes a test fail; `--hypothesis-profile new-examples` tries others.
settings.register_profile(
    "new-examples", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("same-examples", settings.get_profile("new-examples"), derandomize=True)
settings.load_profile("same-examples")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


# Files that take longest, which start first so that the processes end at about the same time.
LONG = ("test_toy_training.py", "test_short.py", "test_custom_dataset_doc.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first, and count tests in a browser as slow."""
    items.sort(key=lambda item: item.path.name not in LONG)
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The checkout that the tests run in."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of goldens and recorded sets next to the checkout; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the shared folder (goldens and recorded sets) next to the checkout")
    return SHARED


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    """The folder of goldens: inputs and outputs of the original implementation."""
    return shared / "golden"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium, driven by playwright; skips, saying so, where one of them is absent."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright for Python")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium (a program called chromium or google-chrome)")
    # Without the network, and able to run as root, as in a container.
    quiet = ("gpu", "quic", "background-networking", "component-update", "sync")
    args = ["--no-sandbox", "--no-first-run", *(f"--disable-{part}" for part in quiet)]
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=args)
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """A function that opens HTML in a tab, with options of ``Browser.new_page``.

    The test fails if a script fails or writes to the console, or if the page asks for anything.
    """
    troubles: list[str] = []
    tabs: list[Any] = []

    def open_page(text: str, suffix: str = ".html", **options: Any) -> Any:
        path = tmp_path / f"page{len(tabs)}{suffix}"
        path.write_text(text, encoding="utf-8")
        tab = browser.new_page(**options)
        tabs.append(tab)
        tab.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        tab.on("console", lambda line: troubles.append(line.text))
        tab.on(
            "request",
            lambda request: troubles.append(request.url) if request.url != path.as_uri() else None,
        )
        tab.goto(path.as_uri())
        return tab

    yield open_page
    for tab in tabs:
        tab.close()
    assert troubles == []


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute on one thread: for models this small more are slower, and round differently."""
    if "torch" not in sys.modules:
        yield
        return
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _package_log() -> Iterator[None]:
    """Restore the package's logger after the test, and let pytest capture it meanwhile."""
    logger = logging.getLogger(LOGGER_NAME)
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    logger.handlers, logger.propagate = [], True
    logger.setLevel("INFO")
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- a data set and a config that train in a second -----------------------------------------------
# Session-wide, so that finished runs can be shared between tests.
# Shapes: M persons, T frames, V joints, C coordinates.

TINY_TRAIN, TINY_VAL, TINY_CLASSES = 24, 10, 3


def _tiny_samples() -> list[dict[str, Any]]:
    """Return samples of three classes, by what the right hand does: rise, swing or rest."""
    rng = np.random.default_rng(0)
    rest = rng.normal(size=(25, 3))  # V, C
    samples = []
    for index in range(TINY_TRAIN + TINY_VAL):
        label, frames = index % TINY_CLASSES, int(rng.integers(16, 31))
        time = np.linspace(0, 1, frames)
        keypoint = rest + 0.02 * rng.normal(size=(1, frames, 25, 3))  # M, T, V, C
        if label < 2:
            path = time if label == 0 else np.sin(6 * np.pi * time)
            keypoint[0, :, 8:12, label] += 2 * path[:, None]
        samples.append(
            {
                "frame_dir": f"clip{index}",
                "label": label,
                "total_frames": frames,
                "keypoint": keypoint.astype(np.float32),
            }
        )
    return samples


def _write_tiny_annotations(
    path: Path, samples: list[dict[str, Any]], splits: dict[str, list[str]] | None = None
) -> Path:
    ids = [sample["frame_dir"] for sample in samples]
    split = splits or {"train": ids[:TINY_TRAIN], "val": ids[TINY_TRAIN:]}
    path.write_bytes(pickle.dumps({"split": split, "annotations": samples}))
    return path


def _tiny_config(ann_file: Path, **changes: Any) -> dict[str, Any]:
    """Return a config; ``changes`` are by dotted key with __ for the dot, None deletes the key."""

    def pipeline(num_clips: int) -> list[dict[str, Any]]:
        return [
            dict(type="PreNormalize3D"),
            dict(type="GenSkeFeat", dataset="nturgb+d", feats=["j"]),
            dict(type="UniformSample", clip_len=8, num_clips=num_clips),
            dict(type="PoseDecode"),
            dict(type="FormatGCNInput", num_person=1),
            dict(type="Collect", keys=["keypoint", "label"], meta_keys=[]),
            dict(type="ToTensor", keys=["keypoint"]),
        ]

    def dataset(split: str, num_clips: int) -> dict[str, Any]:
        return dict(
            type="PoseDataset", ann_file=str(ann_file), split=split, pipeline=pipeline(num_clips)
        )

    config: dict[str, Any] = dict(
        model=dict(
            type="RecognizerGCN",
            backbone=dict(
                type="STGCN",
                base_channels=4,
                num_stages=3,
                inflate_stages=[2],
                down_stages=[3],
                graph_cfg=dict(layout="nturgb+d", mode="stgcn_spatial"),
            ),
            cls_head=dict(type="GCNHead", num_classes=TINY_CLASSES, in_channels=8),
        ),
        data=dict(
            videos_per_gpu=4,
            workers_per_gpu=0,
            test_dataloader=dict(videos_per_gpu=3),
            train=dataset("train", 1),
            val=dataset("val", 1),
            test=dataset("val", 2),
        ),
        optimizer=dict(type="SGD", lr=0.05, momentum=0.9),
        auto_scale_lr=dict(base_batch_size=4),
        optimizer_config=dict(grad_clip=None),
        lr_config=dict(policy="fixed"),
        total_epochs=2,
        checkpoint_config=dict(interval=1),
        evaluation=dict(interval=1, metrics=["top_k_accuracy"]),
        log_config=dict(interval=3, hooks=[dict(type="TextLoggerHook")]),
        log_level="INFO",
        seed=1,
    )
    for key, value in changes.items():
        *path, last = key.split("__")
        section = config
        for part in path:
            section = section[int(part) if isinstance(section, list) else part]
        if value is None and last in section:
            del section[last]
        else:
            section[last] = value
    return config


@pytest.fixture(scope="session")
def tiny_samples() -> Callable[[], list[dict[str, Any]]]:
    """A function that makes the 24 + 10 samples of the tiny data set, always the same."""
    return _tiny_samples


@pytest.fixture(scope="session")
def write_tiny_annotations() -> Callable[..., Path]:
    """A function that writes samples, with the splits train and val unless others are given."""
    return _write_tiny_annotations


@pytest.fixture(scope="session")
def tiny_ann_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotation file of the tiny data set."""
    return _write_tiny_annotations(tmp_path_factory.mktemp("tiny") / "tiny.pkl", _tiny_samples())


@pytest.fixture(scope="session")
def tiny_config(tiny_ann_file: Path) -> Callable[..., dict[str, Any]]:
    """A function that makes a config on the tiny data; see :func:`_tiny_config`."""
    return lambda ann_file=tiny_ann_file, **changes: _tiny_config(ann_file, **changes)


@pytest.fixture(scope="session")
def write_tiny_config(tiny_config: Callable[..., dict[str, Any]]) -> Callable[..., Path]:
    """A function that writes such a config to a path, as one file without bases."""

    def write(path: Path, **changes: Any) -> Path:
        lines = [f"{key} = {value!r}\n" for key, value in tiny_config(**changes).items()]
        path.write_text("".join(lines), encoding="utf-8")
        return path

    return write
