"""From the raw files of NTU RGB+D to the annotation files that the configs read."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from pyskl.datasets.ntu_names import parse_name
from pyskl.errors import InputError, StoppedError, WriteError, did_you_mean
from pyskl.files.atomic import flush_folder, replace_with, write_text
from pyskl.recordings.ntu.annotation_writer import write_annotations
from pyskl.recordings.ntu.data_sets import DATA_SETS, NTU60, NTU120, DataSet
from pyskl.recordings.ntu.lists import missing_skeletons
from pyskl.recordings.ntu.parts import Part, open_part, part_path
from pyskl.recordings.ntu.raw_files import Odd, RawFile, find_raw_files
from pyskl.recordings.ntu.summary import Summary, Written, odd_lines
from pyskl.recordings.ntu.workers import make_parts

_log = logging.getLogger(__name__)

# Raw files of a part: some seconds of work and some megabytes.
PART_FILES = 200

# In the output folder, while a run is under way or after it was cut short.
WORK_FOLDER = ".ntu_preproc"
# In the output folder, if there are odd files: all of them.
ODD_FILE = "ntu_odd_files.txt"
# How many of them are spelled out on the screen.
ODD_SHOWN = 50


def build_annotations(
    roots: Sequence[str | Path],
    out: str | Path,
    *,
    only: str | None = None,
    workers: int | None = None,
    strict: bool = False,
) -> Summary:
    """Make ``ntu60_3danno.pkl`` and ``ntu120_3danno.pkl`` of raw ``.skeleton`` files.

    The files are the same whatever the number of processes, and whether the run was cut short and
    started again or not. A data set without samples gets no file; neither does NTU RGB+D 120 if
    only actions of NTU RGB+D 60 are there, unless it is asked for by name.

    Args:
        roots: Folders, zip archives or files; see :func:`find_raw_files`.
        out: The folder to write to. Beside the two files it takes as much again while the run is
            under way.
        only: ``'ntu60'`` or ``'ntu120'``; by default both.
        workers: Processes; by default as many as there are cores.
        strict: Whether a file that gives no sample, or is not what it should be, is an error.

    Raises:
        InputError: if there are no raw files or no samples in them; with ``strict``, if there are
            odd files, which it lists.
        WriteError: if the output can't be written.
        StoppedError: after Ctrl-C.
        LostProcessError: if a worker process died.
    """
    if only is not None and only not in DATA_SETS:
        raise InputError(f"there is no data set {only!r}{did_you_mean(only, DATA_SETS)}")
    if workers is not None and workers < 1:
        raise InputError(f"the number of workers is {workers}; it must be 1 or more")
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; give a folder to write to")
    listing = find_raw_files(roots)
    wanted = [file for file in listing.files if file.stem not in missing_skeletons()]
    data_sets = _data_sets(only, wanted)
    try:
        work = out / WORK_FOLDER
        work.mkdir(parents=True, exist_ok=True)
        with FileLock(work / "lock", timeout=0):
            parts = _parts(work, _of(data_sets, wanted), workers or _cores())
            odd = [*listing.odd, *(odd for part in parts for odd in part.odd)]
            _list_odd(out / ODD_FILE, odd)
            if odd and strict:
                raise InputError(
                    "\n".join(
                        [
                            *odd_lines(odd, ODD_SHOWN),
                            "nothing was written, as these are errors (strict)",
                        ]
                    )
                )
            written = [_write(data_set, parts, work, out) for data_set in data_sets]
            shutil.rmtree(work, ignore_errors=True)
    except Timeout:
        raise InputError(f"{out}: another run is writing there; wait for it to end") from None
    except OSError as error:
        raise WriteError(f"{out} can't be written ({error})") from error
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped; what was done is kept in {work}, and the same command goes on with it"
        ) from None
    return Summary(
        num_files=len(listing.files),
        num_missing=sum(file.stem in missing_skeletons() for file in listing.files),
        num_repeated=listing.repeated,
        written=written,
        odd=odd,
    )


def _data_sets(only: str | None, files: Sequence[RawFile]) -> list[DataSet]:
    """Return the data sets to write."""
    actions = {parse_name(file.stem).action for file in files}
    if only is not None:
        chosen = [DATA_SETS[only]]
    elif actions and max(actions) <= NTU60.num_actions:
        chosen = [NTU60]
    else:
        chosen = [NTU60, NTU120]
    found = [one for one in chosen if actions and min(actions) <= one.num_actions]
    if not found:
        raise InputError(
            f"none of the raw files is a sample of {' or '.join(one.name for one in chosen)}, but "
            "for those of missing skeletons"
        )
    return found


def _of(data_sets: Sequence[DataSet], files: Sequence[RawFile]) -> list[RawFile]:
    """Return the files that belong to one of the data sets at least."""
    names = ((file, parse_name(file.stem)) for file in files)
    return [file for file, name in names if any(one.has(name) for one in data_sets)]


def _parts(work: Path, files: Sequence[RawFile], workers: int) -> list[Part]:
    """Return the parts of all files, made now or by an earlier run."""
    batches = [files[at : at + PART_FILES] for at in range(0, len(files), PART_FILES)]
    tasks = [(part_path(work, batch), batch) for batch in batches]
    to_do = [(path, batch) for path, batch in tasks if not _is_done(path)]
    left = sum(len(batch) for _, batch in to_do)
    if left < len(files):
        _log.info("%d of %d files were read by an earlier run", len(files) - left, len(files))
    with tqdm(total=len(files), initial=len(files) - left, unit="file", disable=None) as bar:
        for count in make_parts(to_do, workers):
            bar.update(count)
    parts = [open_part(path) for path, _ in tasks]
    if None in parts:
        raise WriteError(f"{work}: what was written there is gone; run the command again")
    return [part for part in parts if part is not None]


def _is_done(path: Path) -> bool:
    part = open_part(path)
    return part is not None and not part.unread


def _list_odd(path: Path, odd: Sequence[Odd]) -> None:
    """Write the list of all odd files; delete an older one if there are none."""
    if not odd:
        path.unlink(missing_ok=True)
        return
    write_text(path, "\n".join([*odd_lines(odd, len(odd)), ""]))


def _write(data_set: DataSet, parts: Sequence[Part], work: Path, out: Path) -> Written:
    """Write a data set's annotation file."""
    shapes = [
        shape for part in parts for shape in part.shapes if data_set.has(parse_name(shape[0]))
    ]
    if not shapes:
        odd = [odd for part in parts for odd in part.odd]
        raise InputError(
            "\n".join(
                [f"none of the files gave a sample of {data_set.name}", *odd_lines(odd, ODD_SHOWN)]
            )
        )
    split: dict[str, list[str]] = {name: [] for name in data_set.split_sizes()}
    for stem, _, _ in shapes:
        for name in data_set.splits_of(parse_name(stem)):
            split[name].append(stem)

    def write(partial: Path) -> None:
        with partial.open("wb") as file:
            write_annotations(file, split, _samples(data_set, parts))

    # In the work folder, which is deleted in the end with whatever a run that was cut short left.
    replace_with(work / data_set.file_name, write)
    os.replace(work / data_set.file_name, out / data_set.file_name)
    flush_folder(out)
    return Written.of(data_set, out / data_set.file_name, split, shapes)


def _samples(data_set: DataSet, parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
    for part in parts:
        for (stem, _, frames), keypoint in zip(part.shapes, part.keypoints()):
            name = parse_name(stem)
            if data_set.has(name):
                yield {
                    "frame_dir": stem,
                    "label": name.label,
                    "total_frames": frames,
                    "keypoint": keypoint,
                }


def _cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
