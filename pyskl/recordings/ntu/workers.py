"""Making parts in several processes."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from pyskl.errors import LostProcessError
from pyskl.recordings.ntu.parts import make_part
from pyskl.recordings.ntu.raw_files import RawFile

Task = tuple[Path, Sequence[RawFile]]


def make_parts(tasks: Sequence[Task], workers: int) -> Iterator[int]:
    """Make parts; yield the number of raw files of each as it is done.

    Args:
        tasks: The part to write and the files that it is of.
        workers: Processes; with one, the work is done in this one.

    Raises:
        LostProcessError: if a process died.
        OSError: if a part can't be written.
    """
    if min(workers, len(tasks)) <= 1:
        for path, files in tasks:
            make_part(path, files)
            yield len(files)
        return
    pool = ProcessPoolExecutor(min(workers, len(tasks)), initializer=_start)
    try:
        under_way = {pool.submit(make_part, *task): len(task[1]) for task in tasks}
        for done in as_completed(under_way):
            done.result()
            yield under_way.pop(done)
    except BrokenProcessPool as error:
        raise LostProcessError(
            "a worker process died, as when the memory is short; the same command goes on with "
            "what was done, and --workers takes fewer"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    """Leave Ctrl-C to the main process, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
