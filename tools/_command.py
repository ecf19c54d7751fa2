"""Options, error messages and exit statuses of the command-line tools."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

# Set by launch.py for the processes that it starts: where to write the message of an error.
ERROR_FILE = "TORCHELASTIC_ERROR_FILE"
LAUNCHED = "PYSKL_LAUNCHED"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are printed once for all processes."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Read the command line; a ``~`` that the shell left (``--out=~/a.pkl``) is the home."""
        found, rest = super().parse_known_args(args, namespace)
        for name, value in vars(found).items():
            if isinstance(value, str) and value.startswith("~"):
                setattr(found, name, os.path.expanduser(value))
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Print what is wrong with the command line, and exit with status 2."""
        _print_error(f"{message}\n{self.format_usage()}".rstrip())
        sys.exit(2)


def end_with(
    main: Callable[[argparse.Namespace], None],
    args: argparse.Namespace,
    *,
    interrupted: str = "stopped by Ctrl-C",
) -> None:
    """Run a tool and exit with 0, or with one clear message and the status of the error.

    2 for invalid input, 69 for a lost process, 74 for a checkpoint that could not be written, 75
    for a run that was asked to stop, 130 for Ctrl-C (the second one in a training). ``args.debug``
    shows the traceback instead of the message; ``interrupted`` is the message for Ctrl-C.
    """
    # In GNU OpenMP waiting threads spin for milliseconds. If other processes use the same cores,
    # that blocks the thread they wait for: a step took 50 times as long. To be set before torch is
    # imported.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        from pyskl.errors import InputError, RunError
    except ModuleNotFoundError as error:
        _print_error(
            f"{error}: install this toolbox into {sys.executable} with 'pip install -e .', "
            "or use the Python in which it is installed"
        )
        sys.exit(2)
    try:
        main(args)
        sys.stdout.flush()
    except (InputError, RunError) as error:
        if args.debug:
            raise
        text = str(error)
        if "in DataLoader worker process" in text:  # the message is the end of a traceback
            text = text.rpartition(f"{type(error).__name__}: ")[2].strip() or text
        _print_error(text)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        _print_error(interrupted)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of the output has ended, as `| head` does. At exit Python would report that it
        # can't write the rest of the buffer.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1)


def _print_error(message: str) -> None:
    """Print an error, or write it to the file of the launcher, which prints it once."""
    path = os.environ.get(ERROR_FILE)
    if os.environ.get(LAUNCHED) and path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"message": message}, file)
        return
    # Without our launcher every process prints its own.
    rank = os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))
    prefix = "" if rank == "0" else f"process {rank}: "
    print(f"error: {prefix}{message}", file=sys.stderr)


def add_debug(parser: argparse._ActionsContainer) -> None:
    """Add ``--debug``; see :func:`end_with`."""
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error in the input"
    )


def add_cfg_options(
    parser: argparse._ActionsContainer,
    *,
    such_as: str = "data.videos_per_gpu=8 or data.train.dataset.pipeline.1.feats=\"['b']\"",
) -> None:
    """Add ``--cfg-options``; ``such_as`` is an example for the help."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help=f"override config keys, such as {such_as}",
    )


def add_trust(parser: argparse._ActionsContainer, what: str, *, also: str = "") -> None:
    """Add ``--trust-files``, which loads ``what`` with plain pickle; ``also`` is another effect."""
    first = f"{also}, and " if also else ""
    parser.add_argument(
        "--trust-files",
        action="store_true",
        help=f"{first}load {what} with plain pickle, which RUNS what they contain; only for files "
        "from people whose programs you would run",
    )


def add_json(parser: argparse._ActionsContainer, what: str) -> None:
    """Add ``--json FILE``, to which ``what`` is written."""
    parser.add_argument("--json", metavar="FILE", help=f"write {what} to this file, too")


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of all tools that run a model."""
    add_cfg_options(parser)
    parser.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm"],
        default="none",
        help="how the processes were started (the scripts dist_*.sh set this)",
    )
    parser.add_argument("--amp", choices=["bf16", "fp16"], help="compute in mixed precision")
    parser.add_argument("--compile", action="store_true", help="compile the backbone")
    add_trust(parser, "annotations and checkpoints")
    add_debug(parser)
    # Old versions of torch.distributed.launch pass this; the environment has the same value.
    parser.add_argument("--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS)
