"""NTU RGB+D 60 and 120: which samples are of which, their splits, and how many there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pyskl.datasets.ntu_names import NTU60_ACTIONS, NTU120_ACTIONS, SampleName

# Subjects that train in the cross-subject split of both, by the papers of the data sets: Shahroudy
# et al., CVPR 2016, and Liu et al., TPAMI 2020.
TRAINING_SUBJECTS = frozenset(
    {
        *(1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38),
        *(45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78),
        *(80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103),
    }
)
TRAINING_CAMERAS = frozenset((2, 3))


def _by_subject(name: SampleName) -> bool:
    return name.subject in TRAINING_SUBJECTS


def _by_camera(name: SampleName) -> bool:
    return name.camera in TRAINING_CAMERAS


def _by_setup(name: SampleName) -> bool:
    return name.setup % 2 == 0


@dataclass(frozen=True)
class DataSet:
    """One of the two data sets.

    Attributes:
        name: ``'ntu60'`` or ``'ntu120'``.
        num_actions: Samples of actions up to this one belong to it.
        trains: By protocol, whether a sample trains.
        num_samples: How many samples the public annotation file has.
        num_training: How many of them train, by protocol.
    """

    name: str
    num_actions: int
    trains: Mapping[str, Callable[[SampleName], bool]] = field(repr=False)
    num_samples: int
    num_training: Mapping[str, int]

    @property
    def file_name(self) -> str:
        """What the annotation file is called in the shipped configs."""
        return f"{self.name}_3danno.pkl"

    def has(self, name: SampleName) -> bool:
        """Return whether a sample belongs to the data set."""
        return name.action <= self.num_actions

    def splits_of(self, name: SampleName) -> list[str]:
        """Return the splits that have a sample.

        Example:
            >>> NTU60.splits_of(SampleName(setup=1, camera=2, subject=3, replication=1, action=4))
            ['xsub_val', 'xview_train']
        """
        return [
            f"{protocol}_{'train' if trains(name) else 'val'}"
            for protocol, trains in self.trains.items()
        ]

    def split_sizes(self) -> dict[str, int]:
        """Return the size of each split of the public annotation file, in its order."""
        sizes = {}
        for protocol in self.trains:
            sizes[f"{protocol}_train"] = self.num_training[protocol]
            sizes[f"{protocol}_val"] = self.num_samples - self.num_training[protocol]
        return sizes


NTU60 = DataSet(
    "ntu60",
    NTU60_ACTIONS,
    MappingProxyType({"xsub": _by_subject, "xview": _by_camera}),
    num_samples=56_578,
    num_training=MappingProxyType({"xsub": 40_091, "xview": 37_646}),
)
NTU120 = DataSet(
    "ntu120",
    NTU120_ACTIONS,
    MappingProxyType({"xsub": _by_subject, "xset": _by_setup}),
    num_samples=113_945,
    num_training=MappingProxyType({"xsub": 63_026, "xset": 54_468}),
)
DATA_SETS = MappingProxyType({one.name: one for one in (NTU60, NTU120)})
