"""Fetch published files by name, and hold what is there against what is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pyskl.errors import AnnotationError, InputError, StoppedError, UntrustedFileError
from pyskl.files.download import SCHEMES, checked_hash, fetch
from pyskl.files.recorded_hash import record_of, recorded_hash
from pyskl.files.transfer import DownloadError, Source, partial_of, readable_size
from pyskl.logging.log import get_logger, setup_logging
from pyskl.published.catalog import BASE_URL, CATALOG, Published, find_published

if TYPE_CHECKING:
    from pyskl.datasets.annotation import AnnotationFile

State = Literal["here", "in part", "absent"]


def fetch_files(
    names: Sequence[str],
    *,
    out: str | Path | None = None,
    base_url: str = BASE_URL,
    trusted: bool = False,
    look_inside: bool = True,
) -> list[Path]:
    """Do what ``tools/data/download.py NAME ...`` does.

    Files that are there are not fetched again, but held against their hash. An annotation pickle is
    opened, and what differs from the catalogue is told in a warning.

    Args:
        names: See :data:`pyskl.published.CATALOG`.
        out: The folder to hold them; by default see :meth:`Published.target`.
        base_url: The address of a mirror.
        trusted: Also take ``http://``, and open annotations with plain pickle, which runs whatever
            they say.
        look_inside: Whether to open annotations.

    Returns:
        The files.

    Raises:
        InputError: for an unknown name or a strange address.
        DownloadError: if a file can't be fetched or kept, or has another hash than it should.
        UntrustedFileError: if a pickle asks for more than plain data.
        AnnotationError: if a pickle holds something else than annotations.
        StoppedError: after Ctrl-C.
    """
    setup_logging()
    if urlsplit(base_url).scheme not in SCHEMES:
        raise InputError(f"--base-url should begin with https://, found {base_url!r}")
    wanted = [find_published(name) for name in dict.fromkeys(names)]  # a wrong name is told at once
    return [_fetch(one, out, base_url, trusted, look_inside) for one in wanted]


def _fetch(
    one: Published, out: str | Path | None, base_url: str, trusted: bool, look_inside: bool
) -> Path:
    target = one.target(out)
    was_here = target.is_file()
    try:
        fetch(
            Source(one.url(base_url), one.size, one.sha256),
            target,
            trusted=trusted,
            otherwise=f"name a mirror with --base-url, or fetch it by other means as {target}",
            elsewhere="choose another folder with --out",
        )
    except KeyboardInterrupt:
        kept = partial_of(target)
        size = readable_size(kept.stat().st_size) if kept.is_file() else "nothing"
        raise StoppedError(
            f"stopped; {size} of {one.name} is kept, and the same command goes on from there"
        ) from None
    get_logger().info(
        "%s%s: %s, SHA-256 %s",
        target,
        " was there" if was_here else "",
        readable_size(target.stat().st_size),
        recorded_hash(target),
    )
    if one.is_annotations and look_inside:
        _look_inside(one, target, trusted=trusted)
    return target


def _look_inside(one: Published, target: Path, *, trusted: bool) -> None:
    """Tell what an annotation pickle holds, and where that is not what it should."""
    from pyskl.datasets.annotation import read_annotation_pickle  # takes seconds to import

    try:
        annotations = read_annotation_pickle(target, trusted=trusted)
    except UntrustedFileError:
        raise
    except InputError as error:
        again = f"to fetch it again delete it and {record_of(target).name}"
        raise AnnotationError(f"{error}; {again}") from error
    ids = {name: len(names) for name, names in (annotations.split or {}).items()}
    found = ", ".join(f"{name} {count:,}" for name, count in ids.items()) or "no splits"
    get_logger().info("%s: %s samples; %s", target, f"{len(annotations.samples):,}", found)
    for difference in differences(one, annotations):
        get_logger().warning("%s: %s", target, difference)


def differences(one: Published, annotations: AnnotationFile) -> list[str]:
    """Return in which ways annotations are not what the catalogue says of them."""
    found = {name: len(ids) for name, ids in (annotations.split or {}).items()}
    told = []
    if one.samples not in (None, len(annotations.samples)):
        told.append(f"{one.samples:,} samples were expected, found {len(annotations.samples):,}")
    for name, count in one.splits.items():
        if name not in found:
            told.append(f"a split {name!r} was expected, found {', '.join(found) or 'none'}")
        elif found[name] != count:
            told.append(f"split {name!r} was expected to list {count:,} ids, found {found[name]:,}")
    return told


@dataclass(frozen=True)
class OnDisk:
    """What is there of a published file.

    Attributes:
        file: The file.
        target: Where it is, or would be.
        state: Whether it is there.
        size: The bytes that are there.
    """

    file: Published
    target: Path
    state: State
    size: int = 0


def on_disk(names: Sequence[str] = (), *, out: str | Path | None = None) -> list[OnDisk]:
    """Return what is there of the files of these names, or of all.

    Raises:
        InputError: for an unknown name.
    """
    chosen = [find_published(name) for name in dict.fromkeys(names)] or CATALOG.values()
    return [_on_disk(one, one.target(out)) for one in chosen]


def _on_disk(one: Published, target: Path) -> OnDisk:
    states: tuple[tuple[Path, State], ...] = ((target, "here"), (partial_of(target), "in part"))
    for path, state in states:
        if path.is_file() and (size := path.stat().st_size):
            return OnDisk(one, target, state, size)
    return OnDisk(one, target, "absent")


def check_files(
    names: Sequence[str] = (), *, out: str | Path | None = None
) -> Iterator[tuple[OnDisk, str]]:
    """Hold files against the hashes that are known of them.

    Args:
        names: Which; by default all that are there, whole or in part.
        out: As for :func:`fetch_files`.

    Yields:
        A file and what was found: ``'as it was downloaded'``, ``'no hash is known of it'``, ...

    Raises:
        InputError: for an unknown name.
        DownloadError: at the end, if the hash of one is wrong.
    """
    wrong = []
    for one in on_disk(names, out=out):
        if one.state == "absent" and not names:
            continue
        found = "not there"
        if one.state == "in part":
            found = f"{readable_size(one.size)} of it: fetching it goes on from there"
        elif one.state == "here":
            try:
                found = _checked(one)
            except DownloadError as error:
                wrong.append(str(error))
                found = "CHANGED"
        yield one, found
    if wrong:
        raise DownloadError("\n".join(wrong))


def _checked(one: OnDisk) -> str:
    known = one.file.sha256 is not None
    if not known and recorded_hash(one.target) is None:
        return "no hash is known of it; asking for it by name writes it down"
    checked_hash(Source(one.file.url(), sha256=one.file.sha256), one.target)
    return "as it was published" if known else "as it was downloaded"
