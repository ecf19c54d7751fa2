"""The splits of a file: pairs of training and test splits, and the findings about them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pyskl.health.measure import SampleMeasurements
from pyskl.health.report import Finding, Item

_TRAIN = ("train", "training")
_TEST = ("val", "valid", "validation", "dev", "test", "testing", "eval")
_WORD = re.compile(r"[^\W\d_]+|\d+")

ALL = "all samples"
"""The name of the split of all samples, for files without splits."""

# A training split is unbalanced if one class has this many times more samples than another.
_UNBALANCED = 10


@dataclass(frozen=True)
class Splits:
    """The splits of a file.

    Attributes:
        ids: Ids that each split lists.
        members: Indices of the samples of each split, in the order of the file, without repeats.
        training: Training splits.
        pairs: (training split, test split) of one protocol.
        of_sample: Names of the splits of each sample.
    """

    ids: Mapping[str, Sequence[str]]
    members: Mapping[str, Sequence[int]]
    training: Sequence[str]
    pairs: Sequence[tuple[str, str]]
    of_sample: Mapping[int, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        """Find the splits of each sample."""
        found: dict[int, list[str]] = {}
        for name, members in self.members.items():
            for index in members:
                found.setdefault(index, []).append(name)
        object.__setattr__(self, "of_sample", found)


def resolve_splits(
    split: Mapping[str, Sequence[str]] | None,
    names: Sequence[str],
    more_pairs: Sequence[tuple[str, str]] = (),
) -> Splits:
    """Return the splits of a file.

    Args:
        split: Ids of each split, or None.
        names: Names of the samples.
        more_pairs: Pairs (training, test) that belong together, in addition to those found by
            their names.
    """
    if split is None:
        return Splits({}, {}, (), ())
    indices: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        indices.setdefault(name, []).append(index)
    members = {
        key: sorted(index for name in dict.fromkeys(ids) for index in indices.get(name, ()))
        for key, ids in split.items()
    }
    known = [pair for pair in more_pairs if all(name in split for name in pair)]
    training = [name for name, *_ in _by_role(split)[0]]
    pairs = list(dict.fromkeys([*pairs_by_name(split), *known]))
    training += [train for train, _ in pairs]
    return Splits(split, members, list(dict.fromkeys(training)), pairs)


def pairs_by_name(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of training and test splits that belong together by their names.

    Two splits are a pair if the words around ``train`` and ``val`` (or ``test``) are the same. The
    words after ``val`` may also be missing in the training split.

    Example:
        >>> pairs_by_name(['xsub_train', 'xsub_val', 'xview_train', 'fold1'])
        [('xsub_train', 'xsub_val')]
        >>> pairs_by_name(['train', 'val', 'val_easy'])
        [('train', 'val'), ('train', 'val_easy')]
    """
    training, testing = _by_role(names)
    return [
        (train, test)
        for train, before, after in training
        for test, test_before, test_after in testing
        if before == test_before and after in ([], test_after)
    ]


_NameParts = tuple[str, list[str], list[str]]


def _by_role(names: Iterable[str]) -> tuple[list[_NameParts], list[_NameParts]]:
    """Return training and test splits: name, words before and words after ``train`` or ``val``."""
    training: list[_NameParts] = []
    testing: list[_NameParts] = []
    for name in names:
        words = _WORD.findall(name.lower())
        place = next((i for i, word in enumerate(words) if word in (*_TRAIN, *_TEST)), None)
        if place is not None:
            role = training if words[place] in _TRAIN else testing
            role.append((name, words[:place], words[place + 1 :]))
    return training, testing


def overlap_matrix(splits: Splits) -> list[list[int]]:
    """Return how many samples the split of the row shares with that of the column."""
    members = [set(members) for members in splits.members.values()]
    return [[len(one & other) for other in members] for one in members]


def split_findings(splits: Splits, samples: Sequence[SampleMeasurements]) -> list[Finding]:
    """Return the findings about the lists of ids and the classes in the splits."""
    names = [sample.name for sample in samples]
    known = set(names)
    found: dict[str, list[Item]] = {
        kind: [] for kind in ("split_unknown", "split_repeats", "split_empty")
    }
    for split, ids in splits.ids.items():
        for name, times in Counter(ids).items():
            if name not in known:
                found["split_unknown"].append(Item(name, f"in {split}"))
            if times > 1:
                found["split_repeats"].append(Item(name, f"{times} times in {split}"))
        if not splits.members[split]:
            found["split_empty"].append(Item(split, f"lists {len(ids)} ids"))
    if splits.ids:
        found["unlisted"] = [
            Item(name)
            for index, name in enumerate(names)
            # A sample without an id can't be listed; that is a structural problem.
            if index not in splits.of_sample and name != f"#{index}"
        ]
    where: dict[int, list[str]] = {}
    for train, test in splits.pairs:
        for index in sorted({*splits.members[train]} & {*splits.members[test]}):
            where.setdefault(index, []).append(f"{train} and {test}")
    found["split_overlap"] = [
        Item(names[index], "in " + ", ".join(pairs)) for index, pairs in where.items()
    ]
    found |= _class_items(splits, samples)
    return [Finding(kind, items) for kind, items in found.items()]


def _class_items(splits: Splits, samples: Sequence[SampleMeasurements]) -> dict[str, list[Item]]:
    members = splits.members if splits.ids else {ALL: range(len(samples))}
    counts = {
        split: Counter(label for index in indices for label in samples[index].labels)
        for split, indices in members.items()
    }
    untrained, missing, single, unbalanced = [], [], [], []
    for train, test in splits.pairs:
        trained, tested = counts[train], counts[test]
        if not trained or not tested:
            continue
        for label in sorted(tested.keys() - trained.keys()):
            detail = f"{tested[label]} samples in {test}, none in {train}"
            untrained.append(Item(str(label), detail))
        for label in sorted(trained.keys() - tested.keys()):
            detail = f"{trained[label]} samples in {train}, none in {test}"
            missing.append(Item(str(label), detail))
    for train in splits.training if splits.ids else [ALL]:
        ranked = counts[train].most_common()
        if len(ranked) == 1:
            single.append(Item(train, f"only label {ranked[0][0]}"))
        elif ranked:
            (most, many), (least, few) = ranked[0], ranked[-1]
            if many >= _UNBALANCED * few:
                detail = f"{many} samples of label {most}, {few} of label {least}"
                unbalanced.append(Item(train, detail))
    return {
        "class_untrained": untrained,
        "class_missing": missing,
        "one_class": single,
        "unbalanced": unbalanced,
    }
