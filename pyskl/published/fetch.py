"""Download published files by name, list them, and check those that are on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from urllib.parse import urlsplit

from pyskl.errors import AnnotationError, InputError, StoppedError, UntrustedFileError
from pyskl.files.download import (
    SCHEMES,
    DownloadError,
    RemoteFile,
    fetch,
    partial_path,
    readable_size,
    verify,
)
from pyskl.files.hashing import hash_record, recorded_hash
from pyskl.logging.log import get_logger, setup_logging
from pyskl.published.catalog import BASE_URL, CATALOG, Published, find_published
from pyskl.text_table import table_lines


def fetch_files(
    names: Sequence[str],
    *,
    out: str | Path | None = None,
    base_url: str = BASE_URL,
    trusted: bool = False,
    look_inside: bool = True,
) -> list[Path]:
    """Do what ``tools/data/download.py NAME ...`` does.

    Existing files are not downloaded again, but their hash is checked. Annotation pickles are
    opened, and a warning reports where they differ from the catalogue; the hash of such a file is
    not recorded.

    Args:
        names: See :data:`pyskl.published.CATALOG`.
        out: The folder for the files; by default see :meth:`Published.target`.
        base_url: The address of a mirror.
        trusted: Also accept ``http://``, and open annotations with plain pickle, which runs
            whatever they contain.
        look_inside: Whether to open annotations.

    Returns:
        The files.

    Raises:
        InputError: for an unknown name or an unsupported address.
        DownloadError: if a file can't be downloaded or stored, or has the wrong hash.
        UntrustedFileError: if a pickle asks for more than plain data.
        AnnotationError: if a pickle holds something other than annotations.
        StoppedError: after Ctrl-C.
    """
    setup_logging()
    if urlsplit(base_url).scheme not in SCHEMES:
        raise InputError("unsupported address", key="--base-url", found=base_url, expected="https")
    published = [find_published(name) for name in dict.fromkeys(names)]  # all, before any download
    paths = []
    for one in published:
        check = partial(_look_inside, one, trusted=trusted)
        opened = one.is_annotations and look_inside
        paths.append(_fetch(one, one.target(out), base_url, trusted, check if opened else None))
    return paths


def _fetch(
    one: Published,
    target: Path,
    base_url: str,
    trusted: bool,
    check: Callable[[Path], bool] | None,
) -> Path:
    was_there = target.is_file()
    try:
        fetch(
            RemoteFile(one.url(base_url), one.size, one.sha256),
            target,
            trusted=trusted,
            hint=f"name a mirror with --base-url, or download it by other means as {target}",
            check=check,
        )
    except KeyboardInterrupt:
        kept = LocalFile.find(one, target).size
        raise StoppedError(
            f"stopped; {readable_size(kept)} of {one.name} are kept, and the same command "
            "continues from there"
        ) from None
    get_logger().info(
        "%s%s: %s, SHA-256 %s",
        target,
        " was there" if was_there else "",
        readable_size(target.stat().st_size),
        recorded_hash(target) or "not recorded",
    )
    return target


def _look_inside(one: Published, path: Path, *, trusted: bool) -> bool:
    """Log what an annotation pickle holds, and where it differs from the catalogue.

    Returns:
        Whether it holds what the catalogue says.
    """
    from pyskl.datasets.annotation_pickle import read_annotation_pickle  # slow to import

    try:
        annotations = read_annotation_pickle(path, trusted=trusted)
    except UntrustedFileError:
        raise
    except InputError as error:
        raise AnnotationError(
            error.problem,
            file=path,
            sample=error.sample,
            key=error.key,
            found=error.found,
            expected=error.expected,
            hint="to download it again delete it"
            + (f" and {hash_record(path).name}" if recorded_hash(path) else ""),
        ) from error
    splits = {name: len(ids) for name, ids in (annotations.split or {}).items()}
    count = len(annotations.samples)
    listed = ", ".join(f"{name} {size:,}" for name, size in splits.items()) or "no splits"
    get_logger().info("%s: %s samples; %s", path, f"{count:,}", listed)
    found = {"samples": count, **{f"split {name}": size for name, size in splits.items()}}
    expected = {f"split {name}": size for name, size in one.splits.items()}
    if one.samples is not None:
        expected["samples"] = one.samples
    wrong = {what: number for what, number in expected.items() if found.get(what) != number}
    for what, number in wrong.items():
        get_logger().warning(
            "%s, %s: found %s, expected %s", path, what, found.get(what, "none"), number
        )
    return not wrong


@dataclass(frozen=True)
class LocalFile:
    """The local copy of a published file.

    Attributes:
        published: The published file.
        path: Where it is, or would be.
        complete: Whether it is complete.
        size: Its bytes; 0 if it is absent.
    """

    published: Published
    path: Path
    complete: bool
    size: int

    @classmethod
    def find(cls, published: Published, path: Path) -> LocalFile:
        """Look for a file."""
        for candidate, complete in ((path, True), (partial_path(path), False)):
            if candidate.is_file():
                return cls(published, path, complete, candidate.stat().st_size)
        return cls(published, path, False, 0)


def local_files(names: Sequence[str] = (), *, out: str | Path | None = None) -> list[LocalFile]:
    """Return the local copies of the files with these names, or of all.

    Raises:
        InputError: for an unknown name.
    """
    chosen = [find_published(name) for name in dict.fromkeys(names)] or CATALOG.values()
    return [LocalFile.find(one, one.target(out)) for one in chosen]


def check_files(
    names: Sequence[str] = (), *, out: str | Path | None = None
) -> Iterator[tuple[LocalFile, str]]:
    """Compare local files with their known hashes.

    Args:
        names: By default all files that exist, complete or in part.
        out: As for :func:`fetch_files`.

    Yields:
        A file and what was found: ``'as it was downloaded'``, ``'no hash is known of it'``, ...

    Raises:
        InputError: for an unknown name.
        DownloadError: at the end, if the hash of a file is wrong.
    """
    errors = []
    for one in local_files(names, out=out):
        sha256 = one.published.sha256
        if one.size == 0 and not one.complete:
            if not names:
                continue
            found = "not there"
        elif not one.complete:
            found = f"{readable_size(one.size)} of it: downloading it continues from there"
        elif sha256 is None and recorded_hash(one.path) is None:
            found = "no hash is known of it; asking for it by name records it"
        else:
            found = "as it was published" if sha256 is not None else "as it was downloaded"
            try:
                verify(RemoteFile(one.published.url(), sha256=sha256), one.path)
            except DownloadError as error:
                errors.append(error)
                found = "CHANGED"
        yield one, found
    if errors:
        raise DownloadError(f"{len(errors)} of the files changed:", errors=errors)


def listing(files: Iterable[LocalFile]) -> list[str]:
    """Return a line for each annotation pickle, and one for the weights of all streams of a model.

    The names of weights are written as a shell expands them: ``.../{j,b,jm,bm}``.

    Args:
        files: In the order of the catalogue; see :func:`local_files`.
    """
    head = ("name", "size", "here", "goes to", "what it is")
    rows = [_row(list(group)) for _, group in groupby(files, key=_model_name)]
    return table_lines([head, *rows], left=len(head))


def _model_name(one: LocalFile) -> str:
    """Return the common name of the files that share a line."""
    name = one.published.name
    return name if one.published.is_annotations else name.rpartition("/")[0]


def _row(files: list[LocalFile]) -> tuple[str, ...]:
    first = files[0]
    sizes = {one.size if one.complete else one.published.size for one in files}
    known = sizes.pop() if len(sizes) == 1 else None
    size = "?" if known is None else readable_size(known)
    if len(files) == 1:
        here = f"{readable_size(first.size)} of it" if first.size else "absent"
        here = "here" if first.complete else here
        return (first.published.name, size, here, str(first.path), first.published.what)
    streams = ",".join(one.published.name.rpartition("/")[2] for one in files)
    return (
        f"{_model_name(first)}/{{{streams}}}",
        size,
        f"{sum(one.complete for one in files)} of {len(files)}",
        f"{first.path.parent}/",
        first.published.what.rpartition(":")[0],
    )
