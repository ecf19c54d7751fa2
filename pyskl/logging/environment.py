"""Describe the software and hardware of a run."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import torch

import pyskl

_PACKAGES = ("torch", "mmengine", "numpy", "scipy")


def environment() -> dict[str, str]:
    """Return versions, devices, thread counts, the command line and the state of the checkout."""
    found = {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "pyskl": pyskl.__version__,
    }
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    found["cpu threads"] = f"{torch.get_num_threads()} of {os.cpu_count()} cores"
    if torch.cuda.is_available():
        gpus = range(torch.cuda.device_count())
        found["gpus"] = ", ".join(torch.cuda.get_device_name(index) for index in gpus)
        found["cuda"] = str(torch.version.cuda)
    found["command"] = " ".join(sys.argv)
    found["git"] = git_state(Path(pyskl.__file__).parent)
    return found


def git_state(folder: Path) -> str:
    """Return the commit of a checkout and whether it has changes, or that it is no checkout."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        changed = bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return "not a git checkout"
    return f"{commit}{' with uncommitted changes' if changed else ''}"


def source_digest(folder: Path | None = None) -> str:
    """Return the SHA-256 of all Python files of a package, by default of this one."""
    folder = folder or Path(pyskl.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()
