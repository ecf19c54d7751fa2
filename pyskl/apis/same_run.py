"""Compare a run with the one that it resumes: config, options and data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyskl.apis.settings import TrainSettings
from pyskl.config import RunConfig, config_text, read_config
from pyskl.config.diff import Difference, config_differences
from pyskl.config.text import read_config_text
from pyskl.datasets.annotation import AnnotationFile
from pyskl.datasets.annotation_cache import content_digest
from pyskl.datasets.wrappers import wrapped_datasets
from pyskl.errors import ConfigError
from pyskl.evaluation.scores import digest_of_ids

# Keys that change how a run works or what it measures, but not what it learns.
_FREE = frozenset(
    {
        *("auto_resume", "checkpoint_config", "cudnn_benchmark", "dist_params", "evaluation"),
        *("find_unused_parameters", "load_from", "log_config", "log_level", "on_nonfinite"),
        *("resume_from", "work_dir"),
        *("data.test", "data.test_dataloader", "data.val_dataloader"),
        *("data.device", "data.persistent_workers", "data.workers_per_gpu"),
        *(f"data.train_dataloader.{name}" for name in ("device", "persistent_workers")),
        "data.train_dataloader.workers_per_gpu",
    }
)
# Keys whose values any two runs may differ in.
_UNLISTED = frozenset({"auto_resume", "load_from", "resume_from", "work_dir"})

# Arguments of a data set that say where the data are, not what they are.
_PLACES = ("ann_file", "pack")

# Digits of a hash that are kept.
_DIGITS = 16


def run_facts(
    cfg: RunConfig, settings: TrainSettings, datasets: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a checkpoint's ``meta`` records of a run: ``config``, ``options`` and ``data``.

    Args:
        cfg: The config, with the seed of the run.
        settings: The settings of the command line.
        datasets: The data sets by use.
    """
    return {
        "config": config_text(cfg),
        "options": {"--amp": settings.amp, "--auto-scale-lr": settings.auto_scale_lr},
        "data": {use: _fingerprint(dataset) for use, dataset in datasets.items()},
    }


def _fingerprint(dataset: Any) -> list[dict[str, Any]]:
    """Return the number of samples and hashes of ids, labels and files of the data sets inside."""
    found = []
    for leaf in wrapped_datasets(dataset):
        labels = np.ascontiguousarray(leaf.labels)
        annotations = getattr(leaf, "annotations", None)
        found.append(
            {
                "samples": len(leaf),
                "ids": digest_of_ids(leaf.sample_ids)[:_DIGITS],
                "labels": hashlib.sha256(labels.tobytes()).hexdigest()[:_DIGITS],
                "content": content_digest(annotations)
                if isinstance(annotations, AnnotationFile)
                else None,
            }
        )
    return found


@dataclass(frozen=True)
class Change:
    """What differs between two runs.

    Attributes:
        key: The key of the config, the option, or the data.
        before: The value of the run that wrote the checkpoint.
        now: The value of the run that resumes.
        learned: Whether it concerns what the run learns.
    """

    key: str
    before: str
    now: str
    learned: bool = True


def changes_since(meta: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Change]:
    """Return what differs from the run that wrote a checkpoint, as far as its ``meta`` says.

    Args:
        meta: The checkpoint's ``meta``, after
            :func:`pyskl.checkpoints.resume_check.check_resumable`.
        facts: See :func:`run_facts`.
    """
    options, data = meta.get("options") or {}, meta.get("data") or {}
    config = str(meta.get("config", facts["config"]))
    contents = {
        use: _content_change(use, data.get(use, []), leaves)
        for use, leaves in facts["data"].items()
    }
    same_content = {
        use
        for use, change in contents.items()
        if change is None
        and data.get(use)
        and None not in [leaf.get("content") for leaf in [*data[use], *facts["data"][use]]]
    }

    def is_learned(key: str) -> bool:
        parts = key.split(".")
        if any(".".join(parts[:end]) in _FREE for end in range(1, len(parts) + 1)):
            return False
        if parts[:2] not in (["data", "train"], ["data", "val"]):
            return True
        moved = parts[-1] in _PLACES and parts[1] in same_content
        return parts[1] in contents and not moved

    return [
        *(
            Change(one.key, one.a, one.b, is_learned(one.key))
            for one in _config_differences(config, facts["config"])
        ),
        *(
            Change(name, repr(options[name]), repr(value))
            for name, value in facts["options"].items()
            if name in options and options[name] != value
        ),
        *(change for change in contents.values() if change is not None),
    ]


def _config_differences(before: str, now: str) -> Iterator[Difference]:
    if before == now:
        return
    try:
        values = [_resolved(read_config_text(text, "config")) for text in (before, now)]
    except ConfigError:  # with values that have no literal
        yield Difference("config", _brief(before), _brief(now))
        return
    yield from (one for one in config_differences(*values) if one.key not in _UNLISTED)


def _resolved(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a config with defaults, so that one that is written out makes no difference."""
    try:
        cfg = asdict(read_config(given, ()))
    except ConfigError:  # of another version or program
        return given
    del cfg["given"], cfg["filename"]
    for name in ("videos_per_gpu", "workers_per_gpu", "persistent_workers", "device"):
        del cfg["data"][name]  # repeated in the loaders
    return cfg


def _brief(text: str) -> str:
    return f"SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}"


def _content_change(
    use: str, before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]
) -> Change | None:
    """Return the first difference between the samples of two runs, as far as they are known."""
    key, learned = f"content of data.{use}", use != "test"
    if before and len(before) != len(now):
        return Change(key, f"{len(before)} data sets", f"{len(now)} data sets", learned)
    for old, new in zip(before, now):
        for name, value in new.items():
            if None not in (value, old.get(name)) and old[name] != value:
                return Change(key, f"{name} {old[name]}", f"{name} {value}", learned)
    return None


def refuse_changes(changes: Sequence[Change], file: Path) -> None:
    """Raise an error if changes concern what a run learns.

    Args:
        changes: From :func:`changes_since`.
        file: The checkpoint, for the message.

    Raises:
        ConfigError: whose ``errors`` are these changes.
    """
    learned = [one for one in changes if one.learned]
    if learned:
        raise ConfigError(
            "the run in this folder had another config or other data",
            file=file,
            hint="--resume continues it with the new ones, another --work-dir starts a new run",
            errors=[
                ConfigError("has changed", key=one.key, found=one.now, expected=one.before)
                for one in learned
            ],
        )
