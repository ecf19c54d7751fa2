"""Running the command lines, as users do or quickly, and looking at what they leave behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT = 300  # seconds for one command; generous, as the machine may be busy


@dataclass(frozen=True)
class Done:
    """A command that has ended.

    Attributes:
        status: Exit status.
        out: What it wrote to standard output.
        err: What it wrote to standard error.
    """

    status: int
    out: str
    err: str

    def figures(self) -> dict[str, float]:
        """Return the lines ``name: value`` of the standard output."""
        return {
            name: float(value) for name, value in re.findall(r"^(\w+): ([\d.]+)$", self.out, re.M)
        }


@contextmanager
def hearing_ctrl_c() -> Iterator[None]:
    """Let what is started inside hear Ctrl-C: in the background of a shell it would be ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Commands:
    """Runs the tools of a checkout.

    Args:
        root: The checkout.
        scratch: A folder to write to.
    """

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self.scratch = scratch
        self.env = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHON": sys.executable,
            "CUDA_VISIBLE_DEVICES": "",  # the same on every machine
            "PYSKL_HOME": str(scratch / "home"),
        }
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "PORT"):
            self.env.pop(name, None)
        self._server: subprocess.Popen[str] | None = None
        self._started = 0

    def real(self, *command: object, env: Mapping[str, str] | None = None) -> Done:
        """Run a command in a process of its own; ``python`` and ``bash`` come first."""
        program, script, *rest = map(str, command)
        program = sys.executable if program == "python" else program
        done = subprocess.run(
            [program, str(self.root / script), *rest],
            cwd=self.scratch,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def quick(self, *command: object, env: Mapping[str, str] | None = None) -> Done:
        """Run ``tools/train.py`` and the like in a fork of a process that has torch imported."""
        return self.start(*command, env=env)()

    def start(self, *command: object, env: Mapping[str, str] | None = None) -> Callable[[], Done]:
        """Start a command as :meth:`quick` does; the function returned waits for its end."""
        script, *rest = map(str, command)
        self._started += 1
        files = {name: self.scratch / f"{name}{self._started}" for name in ("stdout", "stderr")}
        pid = self._ask(
            {
                "command": [str(self.root / script), *rest],
                "env": dict(env or {}),
                "cwd": str(self.scratch),
                "timeout": TIMEOUT,
                **{name: str(path) for name, path in files.items()},
            }
        )

        def wait() -> Done:
            status = self._ask({"wait": pid})
            out, err = (path.read_text(encoding="utf-8") for path in files.values())
            return Done(status, out, err)

        return wait

    def _ask(self, job: Mapping[str, Any]) -> int:
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("command_server.py"))],
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(job) + "\n")
        return int(self._server.stdout.readline())

    def close(self) -> None:
        """End the process that forks."""
        if self._server is not None:
            assert self._server.stdin is not None
            self._server.stdin.close()
            self._server.wait(TIMEOUT)


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        config: Its config file.
        work_dir: Its work dir.
        done: How the command ended.
    """

    config: Path
    work_dir: Path
    done: Done

    @property
    def best(self) -> Path:
        """The best checkpoint; there is one."""
        (path,) = self.work_dir.glob("best_top1_acc_epoch_*.pth")
        return path

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the lines of the newest ``.log.json``."""
        newest = max(self.work_dir.glob("*.log.json"))
        return [json.loads(line) for line in newest.read_text(encoding="utf-8").splitlines()]

    def log_text(self) -> str:
        """Return the newest ``.log``."""
        return max(self.work_dir.glob("*.log")).read_text(encoding="utf-8")


ALL_TESTS = ("--validate", "--test-last", "--test-best")
