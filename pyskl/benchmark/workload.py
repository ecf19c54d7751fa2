"""The config, the data and the device that a benchmark works with."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

from pyskl.apis.data import build_data, loader_settings
from pyskl.benchmark.settings import BenchmarkSettings
from pyskl.benchmark.synthetic import make_samples, shape_for, write_annotations
from pyskl.config import load_config
from pyskl.datasets.nested import map_leaves
from pyskl.distributed.env import DistEnv, choose_device
from pyskl.errors import ConfigError, DeviceError
from pyskl.models import build_model
from pyskl.models.units.norm import replace_sync_batchnorm

USES = ("train", "val", "test")

# Samples of a made-up set where the command line names no number: more than the caches of a CPU
# hold (35 MB in the shape of NTU RGB+D), made in a moment; and several of the largest batch.
_FEWEST_SAMPLES, _BATCHES = 2000, 4


@dataclass(frozen=True)
class Workload:
    """What a benchmark measures on.

    Attributes:
        cfg: The config; its data sets exist.
        settings: What the command line decides.
        device: Where to compute.
        data: Where the samples come from, in words.
        folder: A folder for files that nobody needs afterwards.
    """

    cfg: Config
    settings: BenchmarkSettings
    device: torch.device
    data: str
    folder: Path

    @property
    def batch_sizes(self) -> list[int]:
        """Samples per batch, those of the command line or the one of the config."""
        chosen = loader_settings(self.cfg, self.settings.use)["videos_per_gpu"]
        return list(self.settings.batch or [chosen])

    @property
    def workers(self) -> int:
        """Worker processes, of the command line or of the config."""
        if self.settings.workers is not None:
            return self.settings.workers
        return int(loader_settings(self.cfg, self.settings.use)["workers_per_gpu"])

    def build_model(self) -> nn.Module:
        """Return a recognizer on the device, always with the same weights."""
        torch.manual_seed(0)
        model = build_model(copy.deepcopy(self.cfg.model))
        if self.device.type == "cpu":
            model = replace_sync_batchnorm(model)
        return model.to(self.device)

    def random_batch(self, size: int, use: str) -> tuple[Tensor, Tensor]:
        """Return noise of the shape that the pipeline of ``data.<use>`` yields, on the device.

        Returns:
            Keypoints (N, clips, M, T, V, C) float32 and labels (N,) int64.
        """
        generator = torch.Generator().manual_seed(0)
        shape = (size, *self.sample_shape(use))
        classes = getattr(self.build_model().get_submodule("cls_head"), "num_classes", 2)
        keypoint = torch.randn(shape, generator=generator)  # N, clips, M, T, V, C
        label = torch.randint(int(classes), (size,), generator=generator)
        return keypoint.to(self.device), label.to(self.device)

    def sample_shape(self, use: str) -> tuple[int, ...]:
        """Return the shape (clips, M, T, V, C) that the pipeline of ``data.<use>`` yields."""
        samples = self.folder / f"shape_{use}.pkl"
        data = with_made_up(self.cfg, [use], samples, count=1, everywhere=True)
        return tuple(build_data({"data": data}, use)[0]["keypoint"].shape)


@contextmanager
def open_workload(
    config: str | Path | Mapping[str, Any] | Config,
    settings: BenchmarkSettings,
    *,
    uses: Sequence[str],
    reads: bool = True,
    cfg_options: Sequence[str] = (),
) -> Iterator[Workload]:
    """Prepare what a benchmark measures on, and tidy up after it.

    Args:
        config: The config, or its path.
        settings: What the command line decides.
        uses: The data sets that are needed. Of these, ``'val'`` may be missing in the config.
        reads: Whether samples are read; if not, their shape is all that counts, and a few that
            are made up will do.
        cfg_options: ``key=value`` overrides.

    Raises:
        ConfigError: for faults of the config.
        DeviceError: if there is no such device.
    """
    cfg = load_config(config, cfg_options)
    device = find_device(settings.device)
    for key in ("model", "data", *(f"data.{use}" for use in uses if use != "val")):
        section: Any = cfg
        for part in key.split("."):
            section = section.get(part)
            if section is None:
                raise ConfigError(f"{cfg.filename or 'the config'}: {key} is missing")
    uses = [use for use in uses if use in cfg.data]
    with tempfile.TemporaryDirectory(prefix="pyskl_benchmark_") as temporary:
        folder = Path(temporary)
        count = settings.synthetic or max(
            _FEWEST_SAMPLES, _BATCHES * max(settings.batch, default=1)
        )
        count = count if reads else 1
        everywhere = settings.synthetic is not None or not reads
        made_up = folder / "made_up.pkl"
        cfg.data = with_made_up(cfg, uses, made_up, count=count, everywhere=everywhere)
        data = "the config's annotation files"
        if not reads:
            data = "random keypoints of the shape that the pipeline yields"
        elif made_up.exists():
            why = "as asked" if everywhere else "as the config's file does not exist"
            data = f"{count} made-up samples in the shape of NTU RGB+D, {why}"
        yield Workload(cfg, settings, device, data, folder)


def find_device(name: str | None) -> torch.device:
    """Return the device of a name, by default the first GPU, else the CPU.

    Raises:
        DeviceError: if there is no such device, or it is neither a CPU nor a GPU of CUDA's.
    """
    if name is None:
        return choose_device(DistEnv())
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"--device takes cpu, cuda or cuda:N, found {name!r}") from None
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) < gpus:
        return torch.device("cuda", device.index or 0)
    if device.type != "cpu":
        raise DeviceError(
            f"--device {name}: this machine has the CPU and {gpus} GPU{'' if gpus == 1 else 's'}"
        )
    return device


def with_made_up(
    cfg: Config, uses: Sequence[str], path: Path, *, count: int, everywhere: bool
) -> dict[str, Any]:
    """Return ``data`` with a made-up file in the place of those that are missing, or of all.

    The file is written if it is needed.
    """
    data = copy.deepcopy(cfg.to_dict()["data"])
    splits: dict[bool, set[str]] = {True: set(), False: set()}  # of training, of the rest
    for use in uses:

        def replace(leaf: dict[str, Any], training: bool = use == "train") -> dict[str, Any]:
            if not everywhere and not _is_missing(leaf):
                return leaf
            if leaf.get("split") is not None:
                splits[training].add(leaf["split"])
            kind = "PoseDataset" if leaf.get("type") == "ToyDataset" else leaf.get("type")
            return {**leaf, "type": kind, "ann_file": str(path)}

        before = data[use]
        data[use] = map_leaves(before, replace)
        if data[use] != before and not path.exists():
            path.touch()
    if path.exists():
        samples = make_samples(shape_for(build_model(copy.deepcopy(cfg.model))), count)
        write_annotations(path, samples, splits[True], splits[False])
    return data


def _is_missing(leaf: Mapping[str, Any]) -> bool:
    """Whether a data set lacks its file; other classes may make theirs, or know better."""
    plain = leaf.get("type") in ("PoseDataset", "pyskl.PoseDataset")
    return plain and not Path(str(leaf.get("ann_file"))).exists()
