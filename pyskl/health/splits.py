"""What is wrong with the splits of a file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pyskl.health.report import Finding, Item

_TRAINING = ("train", "training")
_MEASURING = ("val", "valid", "validation", "dev", "test", "testing", "eval")
_WORD = re.compile(r"[^\W\d_]+|\d+")

ALL = "all samples"
"""What stands for a split in a file without any."""

# Times as many samples of one class as of another that are called unbalanced.
UNBALANCED = 10


@dataclass(frozen=True)
class Splits:
    """The splits of a file, by what is in them.

    Attributes:
        names: Ids that each split lists, as they stand there.
        members: Positions of the samples of each, in the order of the file; every sample once.
        training: Splits to train on.
        pairs: (split to train on, split to measure on) of one protocol.
    """

    names: Mapping[str, Sequence[str]]
    members: Mapping[str, Sequence[int]]
    training: Sequence[str]
    pairs: Sequence[tuple[str, str]]
    of_sample: Mapping[int, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        """Work out the splits of each sample."""
        found: dict[int, list[str]] = {}
        for name, members in self.members.items():
            for index in members:
                found.setdefault(index, []).append(name)
        object.__setattr__(self, "of_sample", found)


def sort_out(
    split: Mapping[str, Sequence[str]] | None,
    names: Sequence[str],
    more_pairs: Sequence[tuple[str, str]] = (),
) -> Splits:
    """Return the splits of a file.

    Args:
        split: Ids of each, or None.
        names: Of the samples.
        more_pairs: Pairs (training, measuring) that are known to belong together, beside those
            whose names say so.
    """
    if split is None:
        return Splits({}, {}, (), ())
    at: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        at.setdefault(name, []).append(index)
    members = {
        key: sorted(index for name in dict.fromkeys(ids) for index in at.get(name, ()))
        for key, ids in split.items()
    }
    known = [pair for pair in more_pairs if all(name in split for name in pair)]
    training, _ = _by_name(split)
    pairs = list(dict.fromkeys([*pairs_by_name(split), *known]))
    trained = dict.fromkeys([*(name for name, *_ in training), *(train for train, _ in pairs)])
    return Splits(split, members, list(trained), pairs)


def pairs_by_name(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of splits to train and to measure on that their names tell of.

    Two make a pair if the words around ``train`` and ``val`` (or ``test``) are the same; what
    follows ``val`` may also follow alone.

    Example:
        >>> pairs_by_name(['xsub_train', 'xsub_val', 'xview_train', 'fold1'])
        [('xsub_train', 'xsub_val')]
        >>> pairs_by_name(['train', 'val', 'val_easy'])
        [('train', 'val'), ('train', 'val_easy')]
    """
    training, measuring = _by_name(names)
    return [
        (train, test)
        for train, before, after in training
        for test, test_before, test_after in measuring
        if before == test_before and after in ([], test_after)
    ]


_Named = tuple[str, list[str], list[str]]


def _by_name(names: Iterable[str]) -> tuple[list[_Named], list[_Named]]:
    """Return the splits to train on and to measure on, with the words before and after that."""
    training: list[_Named] = []
    measuring: list[_Named] = []
    for name in names:
        words = _WORD.findall(name.lower())
        for place, word in enumerate(words):
            group = {_TRAINING: training, _MEASURING: measuring}
            fitting = next((group[key] for key in group if word in key), None)
            if fitting is not None:
                fitting.append((name, words[:place], words[place + 1 :]))
                break
    return training, measuring


def split_findings(
    splits: Splits, names: Sequence[str], labels: Sequence[tuple[int, ...]]
) -> list[Finding]:
    """Return what is wrong with the lists of ids, and with the classes in them.

    Args:
        splits: The splits.
        names: Of the samples.
        labels: Classes of each sample; none where faulty.
    """
    known = set(names)
    unknown, repeated, empty = [], [], []
    for split, ids in splits.names.items():
        counted = Counter(ids)
        unknown += [Item(one, f"in {split}") for one in counted if one not in known]
        repeated += [
            Item(one, f"{times} times in {split}") for one, times in counted.items() if times > 1
        ]
        if not splits.members[split]:
            empty.append(Item(split, f"lists {len(ids)} ids"))
    found = [
        Finding("split_unknown", unknown),
        Finding("split_repeats", repeated),
        Finding("split_empty", empty),
        Finding("split_overlap", _overlaps(splits, names)),
    ]
    if splits.names:
        found.append(
            Finding(
                "unlisted",
                [
                    Item(name)
                    for index, name in enumerate(names)
                    # One without an id can't be listed; that is told as a fault of its structure.
                    if index not in splits.of_sample and name != f"#{index}"
                ],
            )
        )
    return [*found, *_class_findings(splits, labels)]


def overlap_matrix(splits: Splits) -> list[list[int]]:
    """Return how many samples the split of the row shares with that of the column."""
    members = [set(members) for members in splits.members.values()]
    return [[len(one & other) for other in members] for one in members]


def _overlaps(splits: Splits, names: Sequence[str]) -> list[Item]:
    where: dict[int, list[str]] = {}
    for train, test in splits.pairs:
        for index in sorted({*splits.members[train]} & {*splits.members[test]}):
            where.setdefault(index, []).append(f"{train} and {test}")
    return [Item(names[index], "in " + ", ".join(pairs)) for index, pairs in where.items()]


def _class_findings(splits: Splits, labels: Sequence[tuple[int, ...]]) -> list[Finding]:
    counts = {
        split: Counter(label for index in members for label in labels[index])
        for split, members in splits.members.items()
    }
    untrained, missing, single, unbalanced = [], [], [], []
    for train, test in splits.pairs:
        if not counts[train] or not counts[test]:
            continue
        untrained += [
            Item(str(label), f"{counts[test][label]} samples in {test}, none in {train}")
            for label in sorted(counts[test].keys() - counts[train].keys())
        ]
        missing += [
            Item(str(label), f"{counts[train][label]} samples in {train}, none in {test}")
            for label in sorted(counts[train].keys() - counts[test].keys())
        ]
    trained = splits.training
    if not splits.names:
        counts[ALL] = Counter(label for classes in labels for label in classes)
        trained = [ALL]
    for train in trained:
        if len(counts[train]) == 1:
            single.append(Item(train, f"only label {next(iter(counts[train]))}"))
        elif counts[train]:
            (most, many), (least, few) = counts[train].most_common()[:: len(counts[train]) - 1]
            if many >= UNBALANCED * few:
                unbalanced.append(
                    Item(train, f"{many} samples of label {most}, {few} of label {least}")
                )
    return [
        Finding("class_untrained", untrained),
        Finding("class_missing", missing),
        Finding("one_class", single),
        Finding("unbalanced", unbalanced),
    ]
