"""Load files in a process that monitors what it runs, its time and its memory.

``python guarded.py TARGET`` reads paths from its input, one per line, and answers each with one
line of JSON: the outcome of loading it. The targets are the readers of untrusted files.

These count as failures: anything that is run or written (reported by the interpreter's audit
events), an error other than :class:`pyskl.errors.InputError` or one that does not name the file,
hitting the limit of the address space, more memory than the reader promises, and more than
``TIME_LIMIT`` seconds.
"""

from __future__ import annotations

import codecs
import contextlib
import gc
import json
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyskl.errors import InputError
from pyskl.unpickling.limits import MEMORY_CONSTANT, MEMORY_FACTOR

TIME_LIMIT = 10.0

# What the interpreter and the measuring may take on top of what the readers promise, and how much
# address space there is beyond what is in use, so that hostile sizes fail.
_SLACK = 24 << 20
_HEADROOM = 3 << 30

# A message of the reader's own; that of a config may list what it found.
_LONGEST_MESSAGE = 3000

_FORBIDDEN = (
    *("os.", "subprocess.", "shutil.", "socket.", "ctypes.", "pty.", "winreg.", "_winapi."),
    *("exec", "pickle.find_class", "marshal.", "code.__new__", "function.__new__", "webbrowser."),
    *("urllib.", "ftplib.", "http.client.", "smtplib.", "sqlite3.", "tempfile.", "glob."),
    *("fcntl.", "mmap.", "syslog.", "builtins.input", "cpython.", "import", "open", "compile"),
)


def _annotation() -> Callable[[Path], Any]:
    from pyskl.datasets.annotation_cache import load_annotations

    return lambda path: load_annotations(path, pack=False).check(None)


def _checkpoint() -> Callable[[Path], Any]:
    from pyskl.checkpoints.checkpoint import open_checkpoint

    return open_checkpoint


def _config() -> Callable[[Path], Any]:
    from pyskl.config import load_config

    return load_config


TARGETS = {"annotation": _annotation, "checkpoint": _checkpoint, "config": _config}


class _TooSlow(BaseException):
    """The time for one file is up."""


@dataclass
class Outcome:
    """The outcome of loading one file.

    Attributes:
        path: The file.
        result: ``'loaded'``, ``'refused'`` or ``'failed'``.
        what: The message, or what went wrong.
        seconds: How long it took.
        peak: By how much the resident memory rose meanwhile, in bytes.
        size: Of the file.
    """

    path: str
    result: str
    what: str = ""
    seconds: float = 0.0
    peak: int = 0
    size: int = 0


class Guard:
    """Monitors its process; there can be only one, because audit hooks can't be removed.

    Args:
        target: Name of the reader.
        known: Files to load first, so that what is imported late is imported.
    """

    def __init__(self, target: str, known: list[Path]) -> None:
        self.target = TARGETS[target]()
        self.armed = False
        self.seen: list[str] = []
        self.path = Path()
        for path in known:
            with contextlib.suppress(InputError):
                self.target(path)
        for encoding in ("ascii", "latin1", "utf-8", "raw-unicode-escape", "cp437"):
            codecs.lookup(encoding)  # imported late, too
        gc.collect()
        gc.freeze()  # so that collecting between files takes no time
        sys.addaudithook(self._hook)
        signal.signal(signal.SIGALRM, self._alarm)
        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (in_use + _HEADROOM, resource.RLIM_INFINITY))

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed or not event.startswith(_FORBIDDEN):
            return
        if event == "open":
            # reading this file, or a file next to it as a config's base, is what it is for
            path, mode, flags = (*arguments, None, None)[:3]
            writes = (isinstance(mode, str) and mode.strip("rbt")) or (flags or 0) & 0b11
            here = isinstance(path, (str, bytes, Path)) and str(path).startswith(
                str(self.path.parent)
            )
            if (here and not writes) or isinstance(path, int):
                return
        if event in ("os.listdir", "os.scandir"):
            return
        if event == "import" and str(arguments[0]).startswith("encodings."):
            return
        self.seen.append(f"{event} {arguments!r}"[:300])

    def _alarm(self, *_: Any) -> None:
        raise _TooSlow

    def load(self, path: Path) -> Outcome:
        """Load a file and return the outcome."""
        outcome = Outcome(str(path), "loaded", size=path.stat().st_size)
        self.path, self.seen = path, []
        gc.collect()
        before = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # let the peak start from here
        start = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT)
        self.armed = True
        try:
            self.target(path)
        except InputError as error:
            outcome.result, outcome.what = "refused", str(error)
            cause: BaseException | None = error
            while cause is not None:
                if isinstance(cause, MemoryError):
                    outcome.result, outcome.what = "failed", f"memory limit hit: {error}"
                cause = cause.__cause__ or cause.__context__
            if str(path) not in outcome.what:
                outcome.result, outcome.what = "failed", f"no file in the message: {error}"
            elif len(outcome.what) > _LONGEST_MESSAGE and "malformed sample" not in outcome.what:
                outcome.result, outcome.what = "failed", f"endless message: {outcome.what[:200]}"
        except _TooSlow:
            outcome.result, outcome.what = "failed", "too slow"
        except Exception as error:
            outcome.result, outcome.what = "failed", f"{type(error).__name__}: {error}"[:500]
        finally:
            self.armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        outcome.seconds = time.perf_counter() - start
        outcome.peak = max(0, _resident("VmHWM") - before)
        if self.seen:
            outcome.result, outcome.what = "failed", "it ran: " + "; ".join(self.seen[:3])
        elif outcome.peak > allowed(outcome.size):
            outcome.result = "failed"
            outcome.what = f"{outcome.peak} bytes for a file of {outcome.size}: {outcome.what}"
        return outcome


def allowed(size: int) -> int:
    """Return how much memory the readers may take for a file of ``size`` bytes."""
    return MEMORY_FACTOR * size + MEMORY_CONSTANT + _SLACK


def _resident(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"this system tells no {name}")


def main() -> None:
    """Answer the paths on the standard input."""
    guard: Guard | None = None
    for line in sys.stdin:
        path = Path(line.rstrip("\n"))
        guard = guard or Guard(sys.argv[1], [path.with_name("warm-up" + path.suffix)])
        sys.stdout.write(json.dumps(asdict(guard.load(path))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
