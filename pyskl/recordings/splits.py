"""Split samples for training, validation and test: by ratio, subject, camera, list or table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from pyskl.errors import ConfigError
from pyskl.recordings.input_file import read_text
from pyskl.recordings.labels import SampleInfo
from pyskl.recordings.numbers import listed, natural_key
from pyskl.recordings.recording import RecordingError

SPLIT_NAMES = ("train", "val", "test")


@dataclass(frozen=True)
class SplitPlan:
    """How samples are split.

    Attributes:
        by: ``'ratio'``: at random, with the same ratio in each class; ``'subject'``, ``'camera'``:
            by ``train`` and ``test``, the others are for validation; ``'lists'``: by files of ids;
            ``'table'``: by the column split of the table of labels; ``'none'``: no splits.
        train: The subjects or cameras of the training split.
        test: Those of the test split, if any.
        train_ratio: The share of the training split.
        test_ratio: The share of the test split; the rest is for validation.
        seed: Seed of the random choice.
        together: With ``'ratio'``, keep the samples of each ``'subject'`` or ``'camera'`` in one
            split.
        lists: Text files with an id per line: of train, val and test.
    """

    by: Literal["ratio", "subject", "camera", "lists", "table", "none"] = "ratio"
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    train_ratio: float = 0.8
    test_ratio: float = 0.0
    seed: int = 0
    together: Literal["subject", "camera"] | None = None
    lists: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        ratios = (self.train_ratio, self.test_ratio)
        if not (0 < self.train_ratio < 1 and 0 <= self.test_ratio < 1 and sum(ratios) <= 1):
            raise ConfigError(
                "invalid shares",
                key="train_ratio, test_ratio",
                found=ratios,
                expected="a sum of at most 1",
            )
        if self.by in ("subject", "camera") and not self.train:
            raise ConfigError(f"a split by {self.by} needs training {self.by}s", key="train")
        if self.by == "lists" and not 1 <= len(self.lists) <= len(SPLIT_NAMES):
            raise ConfigError(
                "wrong number of files",
                key="lists",
                found=len(self.lists),
                expected=f"one to three, of {', '.join(SPLIT_NAMES)}",
            )
        both = sorted(set(self.train) & set(self.test))
        if both:
            raise ConfigError(f"{self.by} {both[0]} can't be in train and in test", key="test")


def make_splits(infos: Mapping[str, SampleInfo], plan: SplitPlan) -> dict[str, list[str]]:
    """Return the ids of each split, in the order of ``infos``.

    Args:
        infos: Class, subject, camera and split of each sample, by id.
        plan: How to split.

    Raises:
        RecordingError: if a sample has no value for ``plan.by``, or train or val would be empty.
    """
    if plan.by == "none":
        return {}
    if plan.by == "lists":
        return _by_lists(list(infos), plan.lists)
    if plan.by == "ratio":
        chosen = _by_ratio(infos, plan)
    elif plan.by == "table":
        chosen = {name: _value(infos, name, "split") for name in infos}
    else:
        chosen = _by_group(infos, plan)
    order = [name for name in SPLIT_NAMES if name in chosen.values()]
    order += sorted(set(chosen.values()) - set(SPLIT_NAMES))
    splits = {name: [key for key in infos if chosen[key] == name] for name in order}
    for name in ("train", "val"):
        if plan.by != "table" and not splits.get(name):
            raise RecordingError(
                f"the split {name} would be empty", found=f"{len(infos)} samples by {plan.by}"
            )
    return splits


def _value(infos: Mapping[str, SampleInfo], name: str, key: str) -> str:
    value: str | None = getattr(infos[name], key)
    if value is None:
        count = sum(getattr(info, key) is None for info in infos.values())
        pattern = "" if key == "split" else f", or a group (?P<{key}>...) of a name pattern"
        raise RecordingError(
            f"{count} of {len(infos)} samples have no {key}",
            sample=name,
            expected=f"a column {key} in the table of labels{pattern}",
        )
    return value


def _plain(value: str) -> str:
    """Return a number without leading zeros, so that 001 is subject 1."""
    return str(int(value)) if value.isascii() and value.isdigit() and len(value) < 16 else value


def _by_group(infos: Mapping[str, SampleInfo], plan: SplitPlan) -> dict[str, str]:
    groups = {name: _plain(_value(infos, name, plan.by)) for name in infos}
    train, test = set(map(_plain, plan.train)), set(map(_plain, plan.test))
    unknown = sorted((train | test) - set(groups.values()), key=natural_key)
    if unknown:
        known = sorted(set(groups.values()), key=natural_key)
        raise RecordingError(
            f"no sample has this {plan.by}", found=listed(unknown), expected=listed(known, 40)
        )
    return {
        name: "train" if group in train else "test" if group in test else "val"
        for name, group in groups.items()
    }


def _by_lists(names: Sequence[str], lists: Sequence[Path]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    by_name: dict[str, list[str]] = {}
    for name in names:
        for key in {name, PurePosixPath(name).name}:
            by_name.setdefault(key, []).append(name)
    for split, path in zip(SPLIT_NAMES, lists):
        if not path.exists():
            raise RecordingError("there is no such list", file=path)
        ids: dict[str, None] = {}  # in order
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            entry = line.strip().replace("\\", "/").removeprefix("./")
            if not entry:
                continue
            stem = str(PurePosixPath(entry).with_suffix(""))
            fitting = by_name.get(entry) or by_name.get(stem) or []
            if len(fitting) != 1 or fitting[0] in ids:
                raise RecordingError(
                    "repeated sample" if len(fitting) == 1 else "not one sample",
                    file=path,
                    key=f"line {number}",
                    found=f"{entry!r} ({listed(fitting, 3) or 'no sample'})",
                    expected=f"an id such as {names[0]!r}",
                )
            ids[fitting[0]] = None
        if not ids:
            raise RecordingError("the list is empty", file=path)
        splits[split] = list(ids)
    return splits


def _by_ratio(infos: Mapping[str, SampleInfo], plan: SplitPlan) -> dict[str, str]:
    """Split each class by the same ratio, in whole groups if ``together`` is given.

    Groups are taken in random order, large ones first; each goes to the split that lacks most of
    its classes.
    """
    rng = np.random.default_rng(plan.seed)
    shares = {"train": plan.train_ratio, "test": plan.test_ratio}
    shares["val"] = 1 - sum(shares.values())
    shares = {name: shares[name] for name in SPLIT_NAMES if shares[name] > 1e-9}
    groups: dict[str, list[str]] = {}
    for name in sorted(infos):
        key = name if plan.together is None else _plain(_value(infos, name, plan.together))
        groups.setdefault(key, []).append(name)
    keys = list(groups)
    order = [keys[place] for place in rng.permutation(len(keys)).tolist()]
    order.sort(key=lambda key: -len(groups[key]))
    labels = {name: infos[name].label or "" for name in infos}
    totals = Counter(labels.values())
    counts = {split: Counter[str]() for split in shares}
    chosen: dict[str, str] = {}
    for key in order:
        added = Counter(labels[name] for name in groups[key])
        lack = {
            split: sum(
                count * (share * totals[label] - counts[split][label]) / share / totals[label]
                for label, count in added.items()
            )
            for split, share in shares.items()
        }
        split = max(lack, key=lack.__getitem__)
        counts[split].update(added)
        chosen.update(dict.fromkeys(groups[key], split))
    return chosen
