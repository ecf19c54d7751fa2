"""Convert the raw files of NTU RGB+D to the annotation files that the configs read."""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from pyskl.datasets.ntu_names import parse_name
from pyskl.errors import (
    AnnotationError,
    InputError,
    LostProcessError,
    StoppedError,
    WriteError,
    did_you_mean,
)
from pyskl.files.atomic import flush_folder, write_text
from pyskl.files.terminal import shows_bars
from pyskl.recordings.annotation_writer import AnnotationWriter
from pyskl.recordings.ntu.batches import Batch, batch_path, load_batch, process_batch
from pyskl.recordings.ntu.datasets import (
    NTU60,
    NTU120,
    NTU_DATASETS,
    NtuDataset,
    missing_skeletons,
)
from pyskl.recordings.ntu.raw_files import RawFile, find_raw_files
from pyskl.recordings.ntu.report import NtuReport, WrittenFile, problem_lines
from pyskl.recordings.recording import Recording

_log = logging.getLogger(__name__)

# Raw files of a batch: some seconds of work and some megabytes.
BATCH_FILES = 200

# In the output folder during a run, and after one that was interrupted.
WORK_FOLDER = ".ntu_preproc"
# In the output folder: the messages about all files that gave no sample.
PROBLEM_FILE = "ntu_skipped_files.txt"
# How many of them are printed.
PROBLEMS_SHOWN = 50


def build_annotations(
    roots: Sequence[str | Path],
    out: str | Path,
    *,
    only: str | None = None,
    workers: int | None = None,
    strict: bool = False,
) -> NtuReport:
    """Make ``ntu60_3danno.pkl`` and ``ntu120_3danno.pkl`` from raw ``.skeleton`` files.

    The files do not depend on the number of processes, nor on whether the run was interrupted and
    started again. No file is written for a data set without samples, or for NTU RGB+D 120 if there
    are only actions of NTU RGB+D 60 (unless ``only`` names it).

    Args:
        roots: Folders, zip archives or files; see :func:`find_raw_files`.
        out: The folder to write to. During the run it takes about twice the size of the result.
        only: ``'ntu60'`` or ``'ntu120'``; by default both.
        workers: Number of processes; by default one per core.
        strict: Whether a file that gives no sample is an error.

    Raises:
        InputError: if there are no raw files or no samples in them; with ``strict``, if there are
            files with problems, which it lists.
        WriteError: if the output can't be written.
        StoppedError: after Ctrl-C.
        LostProcessError: if a worker process died.
    """
    if only is not None and only not in NTU_DATASETS:
        raise InputError(f"there is no data set {only!r}{did_you_mean(only, NTU_DATASETS)}")
    if workers is not None and workers < 1:
        raise InputError("invalid number of processes", key="workers", found=workers, expected="1+")
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise InputError("this is a file", file=out, expected="a folder to write to")
    files, problems, repeated = find_raw_files(roots)
    wanted = [file for file in files if file.name not in missing_skeletons()]
    datasets = _datasets_to_write(only, wanted)
    wanted = [
        file
        for file in wanted
        if any(dataset.contains(parse_name(file.name)) for dataset in datasets)
    ]
    try:
        work = out / WORK_FOLDER
        work.mkdir(parents=True, exist_ok=True)
        with FileLock(work / "lock", timeout=0):
            paths = _process(work, wanted, workers or _num_cores())
            problems += [text for batch in _load(paths) for text in batch.problems]
            if problems:
                lines = problem_lines(problems, len(problems))
                write_text(out / PROBLEM_FILE, "\n".join([*lines, ""]))
            else:
                (out / PROBLEM_FILE).unlink(missing_ok=True)
            if problems and strict:
                lines = problem_lines(problems, PROBLEMS_SHOWN)
                raise InputError("\n".join([*lines, "nothing was written (strict)"]))
            written = [_write(dataset, paths, work, out, problems) for dataset in datasets]
            shutil.rmtree(work, ignore_errors=True)
    except Timeout:
        raise InputError("another run is writing to this folder", file=out) from None
    except OSError as error:
        raise WriteError("the folder can't be written", file=out, found=str(error)) from error
    except KeyboardInterrupt:
        raise StoppedError("stopped", hint=f"the same command continues from {work}") from None
    return NtuReport(
        num_files=len(files),
        num_missing=sum(file.name in missing_skeletons() for file in files),
        num_repeated=repeated,
        written=written,
        problems=problems,
    )


def _datasets_to_write(only: str | None, files: Sequence[RawFile]) -> list[NtuDataset]:
    actions = {parse_name(file.name).action for file in files}
    if only is not None:
        chosen = [NTU_DATASETS[only]]
    elif actions and max(actions) <= NTU60.num_actions:
        chosen = [NTU60]
    else:
        chosen = [NTU60, NTU120]
    found = [one for one in chosen if actions and min(actions) <= one.num_actions]
    if not found:
        names = " or ".join(one.name for one in chosen)
        raise InputError(f"no raw file is a sample of {names} whose skeletons are complete")
    return found


def _process(work: Path, files: Sequence[RawFile], workers: int) -> list[Path]:
    """Return the batch files of all files, made now or by an earlier run."""
    parts = [files[start : start + BATCH_FILES] for start in range(0, len(files), BATCH_FILES)]
    tasks = {batch_path(work, part): part for part in parts}
    remaining = [
        (path, part)
        for path, part in tasks.items()
        if (batch := load_batch(path)) is None or batch.incomplete
    ]
    done = len(files) - sum(len(part) for _, part in remaining)
    if done:
        _log.info("%d of %d files were read by an earlier run", done, len(files))
    with tqdm(total=len(files), initial=done, unit="file", disable=not shows_bars()) as bar:
        for count in _run(remaining, min(workers, len(remaining))):
            bar.update(count)
    return list(tasks)


def _load(paths: Sequence[Path]) -> Iterator[Batch]:
    for path in paths:
        batch = load_batch(path)
        if batch is None:
            raise WriteError("the batch file is missing", file=path, hint="run the command again")
        yield batch


def _run(tasks: Sequence[tuple[Path, Sequence[RawFile]]], workers: int) -> Iterator[int]:
    """Process batches; yield the number of raw files of each when it is done."""
    if workers <= 1:
        for path, files in tasks:
            process_batch(path, files)
            yield len(files)
        return
    pool = ProcessPoolExecutor(workers, initializer=_init_worker)
    try:
        running = {pool.submit(process_batch, *task): len(task[1]) for task in tasks}
        for future in as_completed(running):
            future.result()
            yield running.pop(future)
    except BrokenProcessPool as error:
        raise LostProcessError(
            "a worker process died, for example for lack of memory",
            hint="the same command continues; --workers N starts fewer processes",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _init_worker() -> None:
    """Leave Ctrl-C to the main process, and exit when it dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def exit_with_parent() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            multiprocessing.connection.wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=exit_with_parent, daemon=True).start()


def _write(
    dataset: NtuDataset, paths: Sequence[Path], work: Path, out: Path, problems: Sequence[str]
) -> WrittenFile:
    """Write the annotation file of a data set."""
    # In the work folder, which is deleted at the end, so that no partial file remains.
    path = work / dataset.file_name
    persons, frames = [], []
    try:
        with AnnotationWriter(path) as writer:
            for batch in _load(paths):
                for name, keypoint in batch.samples:
                    parsed = parse_name(name)
                    if dataset.contains(parsed):
                        splits = dataset.splits_of(parsed)
                        writer.add(Recording(name, keypoint), parsed.label, splits)
                        persons.append(keypoint.shape[0])
                        frames.append(keypoint.shape[1])
            writer.assign({name: writer.splits.get(name, []) for name in dataset.split_sizes()})
    except AnnotationError as error:
        if persons:
            raise
        lines = problem_lines(problems, PROBLEMS_SHOWN)
        raise InputError("\n".join([f"no file gave a sample of {dataset.name}", *lines])) from error
    os.replace(path, out / dataset.file_name)
    flush_folder(out)
    split_sizes = {name: len(ids) for name, ids in writer.splits.items()}
    return WrittenFile(dataset, out / dataset.file_name, split_sizes, persons, frames)


def _num_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
