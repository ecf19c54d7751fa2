"""The corpus of hostile files: nothing runs, nothing hangs, all are refused by name.

All files of a kind are loaded by one process that monitors itself (see guarded.py). If it crashes,
the files that it did not reach are reported as missing.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import hostile
import numpy as np
import pytest
import torch

GUARDED = Path(__file__).with_name("guarded.py")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/clear_refs").exists(), reason="memory is measured as Linux tells it"
    ),
]

# Odd, but harmless: this one loads.
HARMLESS = {"many records"}


def _outcomes(
    folder: Path, kind: str, suffix: str, corpus: dict[str, hostile.Make], warm_up: bytes
) -> dict[str, dict[str, Any]]:
    (folder / f"warm-up{suffix}").write_bytes(warm_up)
    names = list(corpus)
    for number, name in enumerate(names):
        (folder / f"{number}{suffix}").write_bytes(corpus[name](folder / "canary"))
    (folder / "canary").unlink(missing_ok=True)
    paths = "".join(f"{folder / f'{number}{suffix}'}\n" for number in range(len(names)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, str(GUARDED), kind],
        input=paths,
        capture_output=True,
        text=True,
        env=environment,
        timeout=280,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = dict(zip(names, lines))
    if len(lines) < len(names):
        found[names[len(lines)]] = {"result": "failed", "what": f"crash: {done.stderr[-2000:]}"}
    found["canary"] = {"result": str((folder / "canary").exists())}
    return found


@pytest.fixture(scope="module")
def annotations(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The outcome for each pickle, read as annotations."""
    sample = dict(frame_dir="a", label=0, total_frames=3, keypoint=np.zeros((1, 3, 5, 3), "f4"))
    return _outcomes(
        tmp_path_factory.mktemp("annotations"),
        *("annotation", ".pkl", hostile.PICKLES, pickle.dumps([sample])),
    )


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The outcome for each checkpoint."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.save({"state_dict": {"w": torch.ones(3)}}, folder / "good.pth")
    return _outcomes(
        folder,
        *("checkpoint", ".pth", hostile.CHECKPOINTS, (folder / "good.pth").read_bytes()),
    )


@pytest.mark.parametrize("name", hostile.PICKLES)
def test_a_hostile_pickle_is_refused(annotations: dict[str, dict[str, Any]], name: str) -> None:
    found = annotations.get(name, {"result": "not reached", "what": ""})
    assert found["result"] == "refused", found


@pytest.mark.parametrize("name", hostile.CHECKPOINTS)
def test_a_hostile_checkpoint_is_refused(checkpoints: dict[str, dict[str, Any]], name: str) -> None:
    found = checkpoints.get(name, {"result": "not reached", "what": ""})
    expected = "loaded" if name in HARMLESS else "refused"
    assert found["result"] == expected, found


def test_nothing_ran(
    annotations: dict[str, dict[str, Any]], checkpoints: dict[str, dict[str, Any]]
) -> None:
    assert annotations["canary"]["result"] == "False"
    assert checkpoints["canary"]["result"] == "False"


def test_the_guard_sees_what_runs(tmp_path: Path) -> None:
    """The control: plain pickle on the same files fails the test above."""
    program = (
        "import sys, pickle\n"
        f"sys.path.insert(0, {str(GUARDED.parent)!r})\n"
        "import guarded\n"
        "from pathlib import Path\n"
        "def trusting(path): pickle.loads(path.read_bytes())\n"
        "guarded.TARGETS['annotation'] = lambda: trusting\n"
        "guard = guarded.Guard('annotation', [])\n"
        "for line in sys.stdin: print(guard.load(Path(line.rstrip())).what)\n"
    )
    names = ["os.system, protocol 4", "eval, protocol 4", "BYTEARRAY8 10 GB", "doubled tuple"]
    for number, name in enumerate(names):
        (tmp_path / f"{number}.pkl").write_bytes(hostile.PICKLES[name](tmp_path / "canary"))
    done = subprocess.run(
        [sys.executable, "-c", program],
        input="".join(f"{tmp_path / f'{number}.pkl'}\n" for number in range(len(names))),
        capture_output=True,
        text=True,
        timeout=100,
    )
    ran, evaluated, too_much, fine = done.stdout.splitlines()
    assert "it ran: " in ran
    assert "os.system" in ran
    assert "it ran: " in evaluated
    assert "MemoryError" in too_much
    assert not fine
    assert (tmp_path / "canary").exists()
