"""Which samples train and which validate: by subject, camera, ratio, list or table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from pyskl.errors import ConfigError
from pyskl.recordings.json_file import read_text
from pyskl.recordings.labels import Facts
from pyskl.recordings.numbers import listed, natural_key
from pyskl.recordings.recording import RecordingError

NAMES = ("train", "val", "test")


@dataclass(frozen=True)
class SplitPlan:
    """How samples are split.

    Attributes:
        by: ``'ratio'``: at random, each class alike; ``'subject'``, ``'camera'``: those in
            ``train`` train and the others validate; ``'lists'``: as the files of ids say;
            ``'table'``: as the column split of the table of labels says; ``'none'``: no splits.
        train: The subjects or cameras that train.
        test: Those that are for the test split, if any.
        train_ratio: The share that trains.
        test_ratio: The share of the test split; the rest validates.
        seed: Of the random choice.
        together: ``'subject'`` or ``'camera'``: those of one stay in one split, with ``'ratio'``.
        lists: Text files with an id in each line: of train, val and test.
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
                f"train_ratio {self.train_ratio:g} and test_ratio {self.test_ratio:g} should be "
                "shares of 1, which the val split gets the rest of"
            )
        if self.by in ("subject", "camera") and not self.train:
            raise ConfigError(f"a split by {self.by} takes the {self.by}s that train")
        if self.by == "lists" and not 1 <= len(self.lists) <= len(NAMES):
            raise ConfigError(
                f"a split by lists takes one to three files, of {', '.join(NAMES)}; found "
                f"{len(self.lists)}"
            )
        both = sorted(set(self.train) & set(self.test))
        if both:
            raise ConfigError(f"{self.by} {both[0]} can't be both in train and in test")


def make_splits(facts: Mapping[str, Facts], plan: SplitPlan) -> dict[str, list[str]]:
    """Return the ids of each split, in the order of ``facts``.

    Args:
        facts: What is known about each sample, by id.
        plan: How to split.

    Raises:
        RecordingError: if a sample lacks what it is split by, or train or val would be empty.
    """
    if plan.by == "none":
        return {}
    if plan.by == "lists":
        return _by_lists(list(facts), plan.lists)
    if plan.by == "ratio":
        chosen = _by_ratio(facts, plan)
    elif plan.by == "table":
        chosen = {name: _known(facts, name, "split") for name in facts}
    else:
        chosen = _by_group(facts, plan)
    order = [name for name in NAMES if name in chosen.values()]
    order += sorted(set(chosen.values()) - set(NAMES))
    splits = {name: [key for key in facts if chosen[key] == name] for name in order}
    if plan.by != "table":
        for name in ("train", "val"):
            if not splits.get(name):
                raise RecordingError(
                    f"the split {name} would be empty: {len(facts)} samples by {plan.by}"
                )
    return splits


def _known(facts: Mapping[str, Facts], name: str, key: str) -> str:
    value: str | None = getattr(facts[name], key)
    if value is None:
        without = [name for name in facts if getattr(facts[name], key) is None]
        raise RecordingError(
            f"{len(without)} of {len(facts)} samples have no {key}, {without[0]!r} the first; it "
            f"comes from the column {key} of the table of labels"
            + (f", or the group (?P<{key}>...) of a name pattern" if key != "split" else "")
        )
    return value


def _same(value: str) -> str:
    """Return a number without leading zeros, so that P001 by (\\d+) is subject 1."""
    return str(int(value)) if value.isascii() and value.isdigit() and len(value) < 16 else value


def _by_group(facts: Mapping[str, Facts], plan: SplitPlan) -> dict[str, str]:
    groups = {name: _same(_known(facts, name, plan.by)) for name in facts}
    train, test = set(map(_same, plan.train)), set(map(_same, plan.test))
    unknown = sorted((train | test) - set(groups.values()), key=natural_key)
    if unknown:
        there = sorted(set(groups.values()), key=natural_key)
        raise RecordingError(
            f"there is no {plan.by} {listed(unknown)} among the samples; there are "
            f"{listed(there, 40)}"
        )
    return {
        name: "train" if group in train else "test" if group in test else "val"
        for name, group in groups.items()
    }


def _by_lists(names: Sequence[str], lists: Sequence[Path]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    spelled: dict[str, list[str]] = {}
    for name in names:
        for spelling in dict.fromkeys((name, PurePosixPath(name).name)):
            spelled.setdefault(spelling, []).append(name)
    for split, path in zip(NAMES, lists):
        if not path.exists():
            raise RecordingError(f"{path}: there is no such list")
        wanted: list[str] = []
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            entry = line.strip().replace("\\", "/").removeprefix("./")
            if not entry:
                continue
            found = spelled.get(entry) or spelled.get(str(PurePosixPath(entry).with_suffix("")))
            if not found or len(found) > 1:
                raise RecordingError(
                    f"{path}, line {number}: "
                    + (
                        f"{entry!r} may be {listed(found, 3)}"
                        if found
                        else f"there is no sample {entry!r} (was it read? ids are such as "
                        f"{names[0]!r})"
                    )
                )
            wanted.append(found[0])
        if len(set(wanted)) < len(wanted):
            raise RecordingError(f"{path}: {Counter(wanted).most_common(1)[0][0]!r} is there twice")
        if not wanted:
            raise RecordingError(f"{path}: the list is empty")
        splits[split] = wanted
    return splits


def _by_ratio(facts: Mapping[str, Facts], plan: SplitPlan) -> dict[str, str]:
    """Split each class alike, whole groups at a time where ``together`` is given.

    Groups come in random order, the large ones first, and each goes to where the classes lack most.
    """
    rng = np.random.default_rng(plan.seed)
    shares = {"train": plan.train_ratio, "test": plan.test_ratio}
    shares["val"] = 1 - sum(shares.values())
    shares = {name: shares[name] for name in NAMES if shares[name] > 1e-9}
    groups: dict[str, list[str]] = {}
    for name in sorted(facts):
        key = name if plan.together is None else _same(_known(facts, name, plan.together))
        groups.setdefault(key, []).append(name)
    order = [list(groups)[int(place)] for place in rng.permutation(len(groups))]
    order.sort(key=lambda key: -len(groups[key]))
    labels = {name: facts[name].label or "" for name in facts}
    totals = Counter(labels.values())
    have = {split: Counter[str]() for split in shares}
    chosen: dict[str, str] = {}
    for key in order:
        added = Counter(labels[name] for name in groups[key])

        def lack(split: str, added: Counter[str] = added) -> float:
            return sum(
                count
                * (shares[split] * totals[label] - have[split][label])
                / shares[split]
                / totals[label]
                for label, count in added.items()
            )

        split = max(shares, key=lack)
        have[split].update(added)
        chosen.update(dict.fromkeys(groups[key], split))
    return chosen
