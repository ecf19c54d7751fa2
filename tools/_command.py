"""What the command-line tools share: options, and how they end."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

# Set by launch.py for the processes that it starts: where to leave the message of a failure.
ERROR_FILE = "TORCHELASTIC_ERROR_FILE"
LAUNCHED = "PYSKL_LAUNCHED"


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint, too, is told once for all processes."""

    def error(self, message: str) -> NoReturn:
        """Tell what is wrong with the command line, and exit with status 2."""
        _report(f"{message}\n{self.format_usage()}".rstrip())
        sys.exit(2)


def end_with(
    main: Callable[[argparse.Namespace], None],
    args: argparse.Namespace,
    *,
    interrupted: str = "stopped by Ctrl-C",
) -> None:
    """Run a tool and exit: 0, or with one clear message and the status that the error states.

    2 where the input was at fault, 69 for a lost process, 74 for a checkpoint that could not be
    written, 75 for a run that was asked to stop, 130 for Ctrl-C (of a training: the second one).
    ``args.debug`` shows the traceback instead of the message; ``interrupted`` is what Ctrl-C says.
    """
    _wait_briefly()
    try:
        from pyskl.errors import InputError, RunError
    except ModuleNotFoundError as error:
        _report(
            f"{error}: install this toolbox into {sys.executable} with 'pip install -e .', "
            "or use the Python that has it"
        )
        sys.exit(2)
    try:
        main(args)
        sys.stdout.flush()
    except (InputError, RunError) as error:
        if args.debug:
            raise
        _report(readable(error))
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        _report(interrupted)
        sys.exit(130)
    except BrokenPipeError:
        # Who reads the output has heard enough, as `| head` has. What is left in the buffer goes
        # nowhere, or Python would complain of it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1)


def _wait_briefly() -> None:
    """Let threads that wait for each other sleep soon; to be called before torch is imported.

    GNU OpenMP lets them spin for milliseconds. Beside other work on the same cores (data workers,
    another user) the thread that is waited for can't run then, and a step took 50 times longer.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def readable(error: Exception) -> str:
    """Return an error's message; of one that comes from a data worker, the last part."""
    text = str(error)
    if "in DataLoader worker process" in text:
        marker = f"{type(error).__name__}: "
        text = text.rpartition(marker)[2].strip() or text
    return text


def _report(message: str) -> None:
    """Tell the user, or the launcher, which tells it once for all processes."""
    path = os.environ.get(ERROR_FILE)
    if os.environ.get(LAUNCHED) and path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"message": message}, file)
        return
    # Started by other means there is nobody to tell the processes' errors apart: all are told.
    rank = os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))
    who = "" if rank == "0" else f"process {rank}: "
    print(f"error: {who}{message}", file=sys.stderr)


def add_debug(parser: argparse._ActionsContainer) -> None:
    """Add ``--debug``, which :func:`end_with` heeds."""
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error in the input"
    )


def add_cfg_options(
    parser: argparse._ActionsContainer,
    *,
    such_as: str = "data.videos_per_gpu=8 or data.train.dataset.pipeline.1.feats=\"['b']\"",
) -> None:
    """Add ``--cfg-options``; ``such_as`` is an example of what one would override."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help=f"override config keys, such as {such_as}",
    )


def add_trust(parser: argparse._ActionsContainer, what: str, *, also: str = "") -> None:
    """Add ``--trust-files``: ``what`` is then loaded with plain pickle, and ``also`` is done."""
    first = f"{also}, and " if also else ""
    parser.add_argument(
        "--trust-files",
        action="store_true",
        help=f"{first}load {what} with plain pickle, which RUNS what they say; only for files "
        "whose maker you trust as you trust their programs",
    )


def add_json(parser: argparse._ActionsContainer, what: str) -> None:
    """Add ``--json FILE``: ``what`` is then written there."""
    parser.add_argument("--json", metavar="FILE", help=f"write {what} to this file, too")


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all tools which run a model have."""
    add_cfg_options(parser)
    parser.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm"],
        default="none",
        help="how the processes were started (the scripts dist_*.sh fill this in)",
    )
    parser.add_argument("--amp", choices=["bf16", "fp16"], help="compute in mixed precision")
    parser.add_argument("--compile", action="store_true", help="compile the backbone")
    add_trust(parser, "annotations and checkpoints")
    add_debug(parser)
    # torch.distributed.launch of old passed this; the environment says the same.
    parser.add_argument("--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS)
