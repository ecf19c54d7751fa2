"""NTU RGB+D 60 and 120: which samples they have, their splits, and the public files' sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from pyskl.datasets.ntu_names import NTU60_ACTIONS, NTU120_ACTIONS, SampleName

# Training subjects of the cross-subject split of both data sets; Shahroudy et al., CVPR 2016, and
# Liu et al., TPAMI 2020.
TRAINING_SUBJECTS = frozenset(
    {
        *(1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38),
        *(45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78),
        *(80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103),
    }
)

# Whether a sample is for training, by protocol.
_TRAINS: Mapping[str, Callable[[SampleName], bool]] = MappingProxyType(
    {
        "xsub": lambda name: name.subject in TRAINING_SUBJECTS,
        "xview": lambda name: name.camera in (2, 3),
        "xset": lambda name: name.setup % 2 == 0,
    }
)


@dataclass(frozen=True)
class NtuDataset:
    """NTU RGB+D 60 or 120.

    Attributes:
        name: ``'ntu60'`` or ``'ntu120'``.
        num_actions: It has the samples of actions 1 to this number.
        num_samples: The number of samples in the public annotation file.
        num_training: Number of training samples, by protocol.
    """

    name: str
    num_actions: int
    num_samples: int
    num_training: Mapping[str, int] = field(repr=False)

    @property
    def file_name(self) -> str:
        """The name of the annotation file in the shipped configs."""
        return f"{self.name}_3danno.pkl"

    def contains(self, name: SampleName) -> bool:
        """Return whether a sample belongs to the data set."""
        return name.action <= self.num_actions

    def splits_of(self, name: SampleName) -> list[str]:
        """Return the splits that a sample is in.

        Example:
            >>> NTU60.splits_of(SampleName(setup=1, camera=2, subject=3, replication=1, action=4))
            ['xsub_val', 'xview_train']
        """
        return [
            f"{protocol}_{'train' if _TRAINS[protocol](name) else 'val'}"
            for protocol in self.num_training
        ]

    def split_sizes(self) -> dict[str, int]:
        """Return the size of each split of the public annotation file, in its order."""
        sizes = {}
        for protocol, training in self.num_training.items():
            sizes[f"{protocol}_train"] = training
            sizes[f"{protocol}_val"] = self.num_samples - training
        return sizes


NTU60 = NtuDataset(
    "ntu60", NTU60_ACTIONS, 56_578, MappingProxyType({"xsub": 40_091, "xview": 37_646})
)
NTU120 = NtuDataset(
    "ntu120", NTU120_ACTIONS, 113_945, MappingProxyType({"xsub": 63_026, "xset": 54_468})
)
NTU_DATASETS: Mapping[str, NtuDataset] = MappingProxyType(
    {one.name: one for one in (NTU60, NTU120)}
)


@lru_cache(maxsize=1)
def missing_skeletons() -> frozenset[str]:
    """Return the samples with missing or incomplete skeletons, from the authors' list.

    There are 535; the 302 with an action up to 60 are of NTU RGB+D 60.
    """
    text = Path(__file__).with_name("missing_skeletons.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
