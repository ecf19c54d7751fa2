"""The annotation pickles and weights that were published with PYSKL.

Sizes and hashes are None, because this project could not download the originals. The numbers of
samples of NTU RGB+D are those of the papers without the recordings on the official lists of missing
skeletons (302 of 56,880; 535 of 114,480); the splits of NTU RGB+D 120 are those that public
repositories state. Weights have the names of their configs below ``configs``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyskl.errors import InputError, nearest
from pyskl.evaluation.fusion import STREAMS
from pyskl.files.download import cached_checkpoint
from pyskl.published.results import RESULTS

BASE_URL = "https://download.openmmlab.com/mmaction/pyskl"


@dataclass(frozen=True)
class Published:
    """A published file.

    Attributes:
        name: The name for downloads.
        path: Its path below :data:`BASE_URL` or below a mirror's address.
        what: A description.
        size: Bytes; None if unknown.
        sha256: Its hash; if None, that of the first download is recorded.
        samples: How many samples an annotation pickle should hold, if known.
        splits: Name of each split → number of its samples, if known.
    """

    name: str
    path: str
    what: str
    size: int | None = None
    sha256: str | None = None
    samples: int | None = None
    splits: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_annotations(self) -> bool:
        """Whether it is an annotation pickle and not a checkpoint."""
        return self.path.endswith(".pkl")

    def url(self, base_url: str = BASE_URL) -> str:
        """Return its address."""
        return f"{base_url.rstrip('/')}/{self.path}"

    def target(self, out: str | Path | None = None) -> Path:
        """Return its path on this machine.

        Args:
            out: The folder for it. By default annotations go where the configs look for them,
                ``data/...`` below the working directory, and checkpoints to the cache, where
                loading them by URL finds them.
        """
        if out is not None:
            return Path(out) / f"{self.name}{Path(self.path).suffix}"
        return Path(self.path) if self.is_annotations else cached_checkpoint(self.url())


_NTU60 = {"xsub_train": 40_091, "xsub_val": 16_487, "xview_train": 37_646, "xview_val": 18_932}
_NTU120 = {"xsub_train": 63_026, "xsub_val": 50_919, "xset_train": 54_468, "xset_val": 59_477}
_BENCHMARKS = {
    "ntu60_xsub": "NTU RGB+D XSub",
    "ntu60_xview": "NTU RGB+D XView",
    "ntu120_xsub": "NTU RGB+D 120 XSub",
    "ntu120_xset": "NTU RGB+D 120 XSet",
}


def _annotations() -> Iterator[Published]:
    for number, title, samples, splits in (
        (60, "NTU RGB+D", 56_578, _NTU60),
        (120, "NTU RGB+D 120", 113_945, _NTU120),
    ):
        for kind, what in (("3danno", "official 3D skeletons"), ("hrnet", "2D skeletons (HRNet)")):
            name = f"ntu{number}_{kind}"
            path = f"data/nturgbd/{name}.pkl"
            yield Published(name, path, f"{title}, {what}", samples=samples, splits=splits)
    for title in ("GYM", "UCF101", "HMDB51", "Diving48"):
        name = f"{title.lower()}_hrnet"
        path = f"data/{title.lower()}/{name}.pkl"
        yield Published(name, path, f"{title}, 2D skeletons (HRNet)")


def _weights() -> Iterator[Published]:
    for result in RESULTS.values():
        vanilla = ", vanilla" if "_vanilla_" in result.folder else ""
        skeletons = "3D" if result.skeletons == "3dkp" else "2D"
        path = result.folder.replace("stgcn++", "stgcnpp")
        for stream, title in STREAMS.items():
            what = (
                f"{result.network}{vanilla}, {_BENCHMARKS[result.benchmark]}, {skeletons}: {title}"
            )
            yield Published(f"{result.folder}/{stream}", f"ckpt/{path}/{stream}.pth", what)


CATALOG: Mapping[str, Published] = {one.name: one for one in (*_annotations(), *_weights())}
"""All published files by name: annotations, then weights."""


def find_published(name: str) -> Published:
    """Return the published file with a name.

    Raises:
        InputError: if there is no such file; the message suggests a name.

    Example:
        >>> find_published('ntu60_hrnet').url()
        'https://download.openmmlab.com/mmaction/pyskl/data/nturgbd/ntu60_hrnet.pkl'
    """
    if name in CATALOG:
        return CATALOG[name]
    close = nearest(name, CATALOG)
    if close is not None:
        hint = f"did you mean {close!r}?"
    else:
        annotations = ", ".join(one.name for one in CATALOG.values() if one.is_annotations)
        example = list(CATALOG)[-1]
        hint = f"there are {annotations}, and weights such as {example} (--list shows them all)"
    raise InputError("there is no published file with this name", key=name, hint=hint)
