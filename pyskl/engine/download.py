"""Checkpoints from the web: fetched once, kept with their hash."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import torch

from pyskl.engine.log import get_logger
from pyskl.errors import CheckpointError

# Hosts of the family's weights that are linked by http but answer to https.
_SPEAK_HTTPS = ("download.openmmlab.com",)


def local_checkpoint(location: str | Path, *, trusted: bool = False) -> Path:
    """Return a file for a path or URL, downloading it on first use.

    Downloads are kept in ``$PYSKL_HOME/checkpoints`` (``~/.cache/pyskl`` by default). A name that
    ends in the start of its SHA-256 (``j-1a2b3c4d.pth``) is checked against it; any other hash is
    written down on first use and checked ever after.

    Args:
        location: A path, or an ``https://`` URL (``file://`` for tests).
        trusted: Also take ``http://``, where anybody on the way can change the file.

    Raises:
        CheckpointError: if it can't be fetched, or its hash is not what it was.
    """
    url = str(location)
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https", "file"):
        return Path(location)
    if scheme == "http":
        if urlsplit(url).hostname in _SPEAK_HTTPS:
            url = url.replace("http://", "https://", 1)
        elif not trusted:
            raise CheckpointError(
                f"{url}: over http anybody on the way can change the file; use https, or say "
                "--trust-files"
            )
    target = _cached(url)
    if not target.is_file():
        _fetch(url, target)
    _check_hash(url, target)
    return target


def _cached(url: str) -> Path:
    home = Path(os.environ.get("PYSKL_HOME", Path.home() / ".cache" / "pyskl"))
    parts = urlsplit(url)
    query = f"{parts.query}_" if parts.query else ""
    readable = re.sub(r"[^\w.-]+", "_", f"{parts.netloc}_{query}{parts.path.lstrip('/')}")
    return home / "checkpoints" / readable


def _fetch(url: str, target: Path) -> None:
    get_logger().info("downloading %s to %s", url, target)
    promised = re.search(r"-([0-9a-f]{8,64})\.\w+$", url)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        torch.hub.download_url_to_file(
            url, str(partial), hash_prefix=promised[1] if promised else None, progress=False
        )
        os.replace(partial, target)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{url} could not be downloaded ({error}); fetch it by other means and give its path"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _check_hash(url: str, target: Path) -> None:
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    record = target.with_name(f"{target.name}.sha256")
    if not record.is_file():
        partial = record.with_name(f".{record.name}.{os.getpid()}")
        partial.write_text(digest + "\n", encoding="ascii")
        os.replace(partial, record)
    elif record.read_text(encoding="ascii").strip() != digest:
        raise CheckpointError(
            f"{target} (from {url}) is not the file it was when it was downloaded: its SHA-256 is "
            f"{digest}; delete it and {record.name} to fetch it again"
        )
