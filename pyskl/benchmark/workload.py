"""The settings, the config, the data and the device of a benchmark."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from mmengine.config import Config
from torch import Tensor, nn

from pyskl.apis.data import build_data, loader_settings
from pyskl.benchmark.synthetic import make_samples, shape_for, write_annotations
from pyskl.config import load_config
from pyskl.datasets.dataset_tree import map_leaves
from pyskl.errors import ConfigError, DeviceError, InputError
from pyskl.models import build_model
from pyskl.models.convert import replace_sync_batchnorm

ConfigLike: TypeAlias = str | Path | Mapping[str, Any] | Config

# Default number of synthetic samples: more than the caches of a CPU hold (35 MB in the shape of NTU
# RGB+D), and at least this many of the largest batches.
_SAMPLES, _BATCHES = 2000, 4


@dataclass(frozen=True)
class BenchmarkSettings:
    """The options of ``tools/benchmark.py``.

    Attributes:
        use: The data set: ``'train'``, ``'val'`` or ``'test'``.
        repeats: Measurements of each variant.
        seconds: Duration of one measurement.
        batch: Samples per batch, one or several; empty for the config's. ``startup`` uses the
            first.
        workers: Worker processes that read samples; None for the config's.
        device: Where to compute, for example ``'cuda'``, ``'cuda:1'`` or ``'cpu'``; None for the
            first GPU if there is one, else the CPU.
        synthetic: Number of synthetic samples that replace the config's annotation files; None
            replaces only files that do not exist.
        variants: Names of variants of a training step, see
            :class:`pyskl.benchmark.variants.Variant`; empty for those that suit the device.
        compile: Measure compiled variants, too.
        end_to_end: Measure the training loop with the best variant of each batch size, too.
        ranks: Numbers of processes to start.
        launcher: ``tools/launch.py``, which starts several processes.
    """

    use: str = "train"
    repeats: int = 5
    seconds: float = 1.0
    batch: Sequence[int] = ()
    workers: int | None = None
    device: str | None = None
    synthetic: int | None = None
    variants: Sequence[str] = ()
    compile: bool = False
    end_to_end: bool = False
    ranks: Sequence[int] = (1, 2)
    launcher: Path | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InputError: for the first option that is out of range.
        """
        for name, values, least in (
            ("repeats", [self.repeats], 1),
            ("batch", self.batch, 1),
            ("ranks", self.ranks, 1),
            ("synthetic", [self.synthetic], 1),
            ("workers", [self.workers], 0),
        ):
            for value in values:
                if value is not None and value < least:
                    raise InputError(
                        "wrong number",
                        key=f"--{name}",
                        found=value,
                        expected=f"a whole number from {least} on",
                    )
        if not 0 < self.seconds < float("inf"):
            raise InputError(
                "wrong number", key="--seconds", found=self.seconds, expected="more than 0"
            )


@dataclass(frozen=True)
class Workload:
    """What a benchmark measures.

    Attributes:
        cfg: The config; its annotation files exist.
        settings: The options of the command line.
        device: Where to compute.
        data: Where the samples come from, in words.
        folder: A temporary folder.
    """

    cfg: Config
    settings: BenchmarkSettings
    device: torch.device
    data: str
    folder: Path

    @property
    def name(self) -> str:
        """The name of the config in the tables."""
        return str(self.cfg.filename or "config")

    @property
    def batch_sizes(self) -> list[int]:
        """Samples per batch, from the command line or the config."""
        default = loader_settings(self.cfg, self.settings.use)["videos_per_gpu"]
        return list(self.settings.batch or [default])

    @property
    def workers(self) -> int:
        """Worker processes, from the command line or the config."""
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
        """Return random values of the shape that the pipeline of ``data.<use>`` yields.

        Returns:
            Keypoints (N, clips, M, T, V, C) float32 and labels (N,) int64, on the device.
        """
        generator = torch.Generator().manual_seed(0)
        shape = (size, *self.sample_shape(use))
        classes = getattr(self.build_model().get_submodule("cls_head"), "num_classes", 2)
        keypoint = torch.randn(shape, generator=generator)  # N, clips, M, T, V, C
        label = torch.randint(int(classes), (size,), generator=generator)
        return keypoint.to(self.device), label.to(self.device)

    def sample_shape(self, use: str) -> tuple[int, ...]:
        """Return the shape (clips, M, T, V, C) that the pipeline of ``data.<use>`` yields."""
        path = self.folder / f"shape_{use}.pkl"
        data = with_synthetic_data(self.cfg, [use], path, count=1, everywhere=True)
        return tuple(build_data({"data": data}, use)[0]["keypoint"].shape)


@contextmanager
def open_workload(
    config: ConfigLike,
    settings: BenchmarkSettings,
    *,
    uses: Sequence[str],
    reads: bool = True,
    cfg_options: Sequence[str] = (),
) -> Iterator[Workload]:
    """Prepare a benchmark, and delete its temporary files afterwards.

    Args:
        config: The config, or its path.
        settings: The options of the command line.
        uses: The data sets that are needed. ``'val'`` may be missing in the config.
        reads: Whether samples are read. If not, only their shape matters.
        cfg_options: ``key=value`` overrides.

    Raises:
        ConfigError: for errors in the config.
        DeviceError: if the device does not exist.
    """
    cfg = load_config(config, cfg_options)
    device = find_device(settings.device)
    for key in ("model", "data", *(f"data.{use}" for use in uses if use != "val")):
        section: Any = cfg
        for part in key.split("."):
            section = section.get(part)
            if section is None:
                raise ConfigError("missing", file=cfg.filename, key=key)
    with tempfile.TemporaryDirectory(prefix="pyskl_benchmark_") as temporary:
        path = Path(temporary) / "synthetic.pkl"
        count = settings.synthetic or max(_SAMPLES, _BATCHES * max(settings.batch, default=1))
        cfg.data = with_synthetic_data(
            cfg,
            [use for use in uses if use in cfg.data],
            path,
            count=count if reads else 1,
            everywhere=settings.synthetic is not None or not reads,
        )
        if not reads:
            data = "random keypoints of the shape that the pipeline yields"
        elif not path.exists():
            data = "the config's annotation files"
        else:
            data = f"{count} synthetic samples in the shape of NTU RGB+D"
            if settings.synthetic is None:
                data += ", as the config's annotation file does not exist"
        yield Workload(cfg, settings, device, data, Path(temporary))


def find_device(name: str | None) -> torch.device:
    """Return the device of a name, by default the first GPU, else the CPU.

    Raises:
        DeviceError: if it does not exist, or is neither the CPU nor a CUDA GPU.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    devices = {f"cuda:{index}": torch.device("cuda", index) for index in range(gpus)}
    if gpus:
        devices["cuda"] = devices["cuda:0"]
    devices["cpu"] = torch.device("cpu")
    name = name or ("cuda" if gpus else "cpu")
    if name not in devices:
        raise DeviceError(
            "no such device", key="--device", found=name, expected=" or ".join(devices)
        )
    return devices[name]


def with_synthetic_data(
    cfg: Config, uses: Sequence[str], path: Path, *, count: int, everywhere: bool
) -> dict[str, Any]:
    """Return ``data`` with a synthetic file in place of annotation files.

    The file is written only if it is needed.

    Args:
        cfg: The config.
        uses: The data sets to change.
        path: The file.
        count: Its number of samples.
        everywhere: Replace all annotation files, not only those that do not exist.
    """
    data = copy.deepcopy(cfg.to_dict()["data"])
    train_splits: set[Any] = set()
    other_splits: set[Any] = set()
    for use in uses:

        def replace(
            leaf: dict[str, Any],
            splits: set[Any] = train_splits if use == "train" else other_splits,
        ) -> dict[str, Any]:
            # Other classes may generate their file.
            is_plain = leaf.get("type") in ("PoseDataset", "pyskl.PoseDataset")
            exists = not is_plain or Path(str(leaf.get("ann_file"))).exists()
            if exists and not everywhere:
                return leaf
            splits.add(leaf.get("split"))
            kind = "PoseDataset" if leaf.get("type") == "ToyDataset" else leaf.get("type")
            return {**leaf, "type": kind, "ann_file": str(path)}

        data[use] = map_leaves(data[use], replace)
    if train_splits or other_splits:
        samples = make_samples(shape_for(build_model(copy.deepcopy(cfg.model))), count)
        write_annotations(path, samples, train_splits - {None}, other_splits - {None})
    return data
