"""Runs commands of ``tools/`` without the seconds that importing torch takes each time.

A process that has imported torch, but nothing else of a run has happened in, forks itself for each
command and executes the tool's file as ``__main__``, as ``python tools/train.py ...`` does. Started
by conftest.py; speaks JSON, one object a line.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import torch

import pyskl.apis.test
import pyskl.apis.train  # noqa: F401 - so that the children find it imported


def execute(job: dict[str, Any]) -> int:
    """Execute a command in this process; return its exit status."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.alarm(job["timeout"])
    os.chdir(job["cwd"])
    os.environ.update(job["env"])
    tool, *_ = sys.argv = job["command"]
    sys.path[0] = str(Path(tool).parent)
    try:
        runpy.run_path(tool, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    """Answer requests until the input ends."""
    torch.optim.SGD([torch.zeros(1)], lr=1)  # the first optimizer imports a good deal more of torch
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        job = json.loads(line)
        if "wait" in job:
            _, status = os.waitpid(job["wait"], 0)
            replies.write(f"{os.waitstatus_to_exitcode(status)}\n")
            continue
        pid = os.fork()
        if pid == 0:
            status = execute(job)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        replies.write(f"{pid}\n")


if __name__ == "__main__":
    main()
