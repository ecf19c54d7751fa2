"""Fuzz the readers of untrusted files.

``python tests/fuzz/fuzz.py --seconds 60 --seed 1`` feeds each reader for that long, in a process
that monitors itself (see guarded.py), and prints a table. It exits with 1 if anything failed; the
files that caused it are in ``--keep``. Half of the inputs are valid files with bytes changed, cut,
spliced and repeated (inside archives, too, with correct checksums); half are pickle programs made
of its operations and of allowed and refused names.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import pickle
import re
import struct
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import guarded
import hostile
import numpy as np
import torch
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

SUFFIXES = {"annotation": (".pkl",), "checkpoint": (".pth",), "config": (".yaml", ".json")}

# How many inputs hypothesis makes at a time.
_ROUND = 100


# --- valid files ----------------------------------------------------------------------------------


def _annotations() -> list[bytes]:
    rng = np.random.default_rng(0)
    samples = [
        {
            "frame_dir": f"clip{index}",
            "label": index,
            "total_frames": 4,
            "img_shape": (1080, 1920),
            "keypoint": rng.normal(size=(1, 4, 5, 2)).astype(kind),
            "keypoint_score": np.ones((1, 4, 5), kind),
            "extra": [
                np.float32(1.5),
                np.str_("id"),
                {1, 2},
                b"bytes",
                1j,
                collections.OrderedDict(),
            ],
        }
        for index, kind in enumerate(("<f2", "<f4", ">f8"))
    ]
    content = {"split": {"train": ["clip0"], "val": ["clip1", "clip2"]}, "annotations": samples}
    found = []
    for protocol in range(2, 6):
        data = pickle.dumps(content, protocol)
        found.append(data)
        # as the other NumPy spells it; in text, where no length stands before the name
        found.append(re.sub(rb"cnumpy\._core\.", b"cnumpy.core.", data))
    return [*found, pickle.dumps(samples, 4)]


def _checkpoints() -> list[bytes]:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    meta = {"epoch": 3, "iter": np.int64(7), "best": {"file": "best.pth", "score": np.float64(0.5)}}
    content = {"meta": meta, "state_dict": model.state_dict(), "optimizer": optimizer.state_dict()}
    found = []
    for what in (content, {"state_dict": {"w": torch.ones(5, 2).t(), "h": torch.ones(3).half()}}):
        for legacy in (False, True):
            buffer = io.BytesIO()
            torch.save(what, buffer, _use_new_zipfile_serialization=not legacy)
            found.append(buffer.getvalue())
    return found


def _configs() -> list[bytes]:
    content = {
        "model": {"type": "RecognizerGCN", "backbone": {"type": "STGCN", "stages": [5, 8]}},
        "optimizer": {"type": "SGD", "lr": 0.1, "_delete_": True},
        "data": {"train": [{"ann_file": "a.pkl"}, None, True, 1.5]},
        "total_epochs": 3,
    }
    texts = [json.dumps(content), yaml.safe_dump(content), "a: &x {b: [1, *y]}\ny: *x\n"]
    texts += ["_base_: base.py\nx: '{{$HOME:1}}'\n", "a: !!python/name:os.system\n<<: {b: 1}\n"]
    return [text.encode() for text in texts]


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "annotation": _annotations,
    "checkpoint": _checkpoints,
    "config": _configs,
}

# --- changes --------------------------------------------------------------------------------------

_NUMBERS = [0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1]


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Valid files with a few things wrong."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        count = draw(st.integers(1, 64))
        kind = draw(
            st.sampled_from(["set", "flip", "cut", "drop", "repeat", "splice", "number", "op"])
        )
        if kind == "set" and data:
            data[place] = draw(st.integers(0, 255))
        elif kind == "flip" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[place:]
        elif kind == "drop":
            del data[place : place + count]
        elif kind == "repeat":
            data[place:place] = data[place : place + count] * draw(st.integers(1, 50))
        elif kind == "splice":
            other = draw(st.sampled_from(seeds))
            start = draw(st.integers(0, len(other) - 1))
            data[place : place + draw(st.integers(0, count))] = other[start : start + count]
        elif kind == "number":
            form = draw(st.sampled_from(["<B", "<H", "<I", "<Q"]))
            number = draw(st.sampled_from(_NUMBERS)) & (256 ** struct.calcsize(form) - 1)
            data[place : place + struct.calcsize(form)] = struct.pack(form, number)
        else:
            data[place:place] = draw(operations())
    return bytes(data)


_NAMES = [
    *(("os", "system"), ("posix", "system"), ("builtins", "eval"), ("builtins", "getattr")),
    *(("subprocess", "Popen"), ("numpy", "load"), ("torch", "load"), ("builtins", "__import__")),
    *(("collections", "OrderedDict"), ("collections", "defaultdict"), ("collections", "Counter")),
    *(("builtins", name) for name in ("set", "frozenset", "bytes", "bytearray", "list", "dict")),
    *(("builtins", name) for name in ("complex", "int", "float", "str")),
    *(("_codecs", "encode"), ("numpy", "dtype"), ("numpy", "ndarray")),
    *(("numpy.core.multiarray", name) for name in ("_reconstruct", "scalar")),
    *(("numpy._core.multiarray", "scalar"), ("numpy._core.numeric", "_frombuffer")),
    *(("torch._utils", f"_rebuild_{name}") for name in ("tensor_v2", "tensor_v3", "parameter")),
    *(("torch", name) for name in ("FloatStorage", "HalfStorage", "Size", "device", "float32")),
    *(("torch.storage", "UntypedStorage"), ("torch", "FloatTensor"), ("torch", "Tensor")),
]
_TEXTS = ["a", "storage", "0", "cpu", "f4", "O8", "U3", "<", "C", "frame_dir", "keypoint", "label"]
_TEXTS += ["total_frames", "state_dict", "meta", "split", "annotations", "latin1", "x" * 70]


def _named(name: tuple[str, str], *, stacked: bool) -> bytes:
    if stacked:
        return _text(name[0]) + _text(name[1]) + b"\x93"
    return f"c{name[0]}\n{name[1]}\n".encode()


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def operations() -> st.SearchStrategy[bytes]:
    """One pickle operation with its argument."""
    names = st.builds(lambda n, s: _named(n, stacked=s), st.sampled_from(_NAMES), st.booleans())
    numbers = st.integers(-5, 40) | st.sampled_from(_NUMBERS)
    bare = b"(012N\x88\x89)]}\x8f\x85\x86\x87tlaedsu\x90\x91\x94R\x81\x92boQ\x97\x98"
    return st.one_of(
        st.sampled_from([bytes([code]) for code in bare]),
        names,
        numbers.map(lambda n: b"I%d\n" % n),
        st.integers(0, 255).map(lambda n: b"K%c" % n),
        st.sampled_from(_TEXTS).map(_text),
        st.binary(max_size=24).map(lambda b: b"C" + bytes([len(b)]) + b),
        st.binary(max_size=24).map(lambda b: b"\x96" + struct.pack("<Q", len(b)) + b),
        st.floats().map(lambda x: b"G" + struct.pack(">d", x)),
        st.integers(0, 7).map(lambda n: b"q%c" % n),
        st.integers(0, 7).map(lambda n: b"h%c" % n),
        st.sampled_from(_NUMBERS).map(lambda n: b"\x8e" + struct.pack("<Q", n)),
        st.sampled_from(_NUMBERS).map(lambda n: b"\x95" + struct.pack("<Q", n)),
    )


def values() -> st.SearchStrategy[bytes]:
    """A program that leaves one value: mostly well formed, rarely sensible."""
    atoms = st.one_of(
        st.sampled_from([b"N", b"\x88", b")", b"]", b"}", b"\x8f"]),
        st.integers(0, 60).map(lambda n: b"K%c" % n),
        st.sampled_from(_TEXTS).map(_text),
        st.binary(max_size=16).map(lambda b: b"C" + bytes([len(b)]) + b),
        st.floats().map(lambda x: b"G" + struct.pack(">d", x)),
        st.sampled_from(_NAMES).map(lambda name: _named(name, stacked=False)),
        st.integers(0, 3).map(lambda n: b"h%c" % n),
    )

    def extend(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
        several = st.lists(inner, max_size=5).map(b"".join)
        arguments = several.map(lambda body: b"(" + body + b"t")
        called = st.sampled_from(_NAMES[8:]).map(lambda name: _named(name, stacked=False))
        return st.one_of(
            several.map(lambda body: b"](" + body + b"e"),
            arguments,
            st.lists(st.tuples(st.sampled_from(_TEXTS).map(_text) | inner, inner), max_size=4).map(
                lambda pairs: b"}(" + b"".join(key + value for key, value in pairs) + b"u"
            ),
            several.map(lambda body: b"\x8f(" + body + b"\x90"),
            several.map(lambda body: b"(" + body + b"\x91"),
            st.builds(lambda f, a: f + a + b"R", called, arguments),
            st.builds(lambda f, a, s: f + a + b"R" + s + b"b", called, arguments, inner),
            st.builds(lambda v, n: v + b"q%c" % n, inner, st.integers(0, 3)),
            arguments.map(lambda pid: pid + b"Q"),
            st.tuples(inner, st.integers(1, 80)).map(lambda p: p[0] + b"2\x86" * p[1]),
        )

    return st.recursive(atoms, extend, max_leaves=12)


def programs() -> st.SearchStrategy[bytes]:
    """Whole programs: a value, or operations in any order."""
    return st.one_of(
        values().map(lambda body: b"\x80\x04" + body + b"."),
        st.lists(operations(), max_size=30).map(lambda ops: b"\x80\x04" + b"".join(ops) + b"."),
    )


def _inside(data: bytes, change: bytes, *, pickled: bool) -> bytes:
    """Put a changed pickle or storage into a valid archive, with correct checksums."""
    part = "data.pkl" if pickled else "data/0"
    return hostile.rezipped(data, lambda name, old: change if name.endswith(part) else old)


def inputs(target: str) -> st.SearchStrategy[bytes]:
    """The inputs of a reader."""
    seeds = SEEDS[target]()
    if target == "config":
        return mutated(seeds) | st.text(max_size=300).map(str.encode)
    if target == "annotation":
        return mutated(seeds) | programs()
    zips = [data for data in seeds if data.startswith(b"PK")]
    pickles = [hostile.part(data, "data.pkl") for data in zips]
    return st.one_of(
        mutated(seeds),
        st.builds(_inside, st.sampled_from(zips), mutated(pickles), pickled=st.just(True)),
        st.builds(_inside, st.sampled_from(zips), programs(), pickled=st.just(True)),
        st.builds(_inside, st.sampled_from(zips), st.binary(max_size=99), pickled=st.just(False)),
        programs(),
    )


# --- running --------------------------------------------------------------------------------------


def feed(target: str, seconds: float, number: int, folder: Path) -> dict[str, Any]:
    """Feed a reader for some seconds; return what happened."""
    warnings.simplefilter("ignore")
    suffixes = SUFFIXES[target]
    known = []
    for index, data in enumerate(SEEDS[target]()):
        for suffix in suffixes:
            known.append(folder / f"seed{index}{suffix}")
            known[-1].write_bytes(data)
    source = inputs(target)
    guard = guarded.Guard(target, known)
    results: collections.Counter[str] = collections.Counter()
    record: dict[str, Any] = {"peak": 0, "over": 0.0, "slowest": 0.0, "largest": 0, "failures": []}
    end, round_number = time.monotonic() + seconds, 0

    def attempt(data: bytes) -> None:
        if time.monotonic() > end:
            return
        path = folder / f"input{suffixes[sum(results.values()) % len(suffixes)]}"
        path.write_bytes(data)
        outcome = guard.load(path)
        results[outcome.result] += 1
        record["peak"] = max(record["peak"], outcome.peak)
        record["slowest"] = max(record["slowest"], outcome.seconds)
        record["largest"] = max(record["largest"], outcome.size)
        if outcome.result == "failed" and len(record["failures"]) < 20:
            kept = folder / f"failure{len(record['failures'])}{path.suffix}"
            kept.write_bytes(data)
            record["failures"].append(f"{kept}: {outcome.what}")

    while time.monotonic() < end:
        run = settings(
            max_examples=_ROUND,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )(given(source)(attempt))
        seed(number * 1_000_003 + round_number)(run)()
        round_number += 1
    return {"target": target, "tried": sum(results.values()), **results, **record}


def feed_in_child(target: str, seconds: float, number: int, keep: Path) -> dict[str, Any]:
    """Feed a reader in a process of its own, because it may crash."""
    folder = Path(tempfile.mkdtemp(prefix=f"{target}-", dir=keep))
    command = [sys.executable, __file__, "--child", target, "--seconds", str(seconds)]
    done = subprocess.run(
        [*command, "--seed", str(number), "--keep", str(folder)], capture_output=True, text=True
    )
    if done.returncode == 0:
        return dict(json.loads(done.stdout.splitlines()[-1]))
    what = f"{folder}/input*: the process ended with {done.returncode}: {done.stderr[-1500:]}"
    return {"target": target, "tried": 0, "crashed": True, "failures": [what]}


def main() -> int:
    """Feed all readers and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", nargs="+", choices=SUFFIXES, default=list(SUFFIXES))
    parser.add_argument("--keep", type=Path, default=None, help="folder for the inputs")
    parser.add_argument("--child", choices=SUFFIXES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    keep = args.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    keep.mkdir(parents=True, exist_ok=True)
    if args.child:
        sys.stdout.write(json.dumps(feed(args.child, args.seconds, args.seed, keep)) + "\n")
        return 0
    failed = False
    say = sys.stdout.write
    say("| reader | inputs | loaded | refused | failed | seconds | slowest | peak memory |\n")
    say("|---|---|---|---|---|---|---|---|\n")
    for target in args.targets:
        found = feed_in_child(target, args.seconds, args.seed, keep)
        say(
            f"| {target} | {found['tried']} | {found.get('loaded', 0)} | {found.get('refused', 0)} "
            f"| {len(found['failures'])} | {args.seconds:g} | {found.get('slowest', 0):.2f} s "
            f"| {found.get('peak', 0) / 2**20:.0f} MiB |\n"
        )
        for failure in found["failures"]:
            say(f"    {failure}\n")
        failed = failed or bool(found["failures"])
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
