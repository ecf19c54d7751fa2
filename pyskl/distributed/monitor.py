"""The processes of a run watch over each other: who stops stops with all, who dies is missed.

Two threads of each process do it, so that training itself never waits for them. One talks to the
others through the store by which ``torch.distributed`` brought them together: it says that this
process is alive and what it does, and hears the same of the others. The other one judges by what
was heard when, because talking to a process that is frozen may take for ever.

How all stop at the same step: everything that processes do together (a step, the end of a
validation) is entered through :meth:`Watch.may_enter`, which counts. Who is asked to stop enters
nothing more and tells the others, which then do the same; the highest count that anybody has
entered is how far all go. No step waits for the device or for another process to find that out.
"""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

import torch.distributed as dist

from pyskl.distributed.processes import Place, in_group, own_part
from pyskl.distributed.rendezvous import connect
from pyskl.distributed.stop_signals import StopSignals
from pyskl.distributed.timeouts import Patience
from pyskl.errors import LostProcessError
from pyskl.logging.log import get_logger

# Seconds between two rounds of talking.
_ROUND = 0.25

# Seconds that a process which failed gets to tell its own error before the others end.
_GRACE = 5.0


@dataclass
class _Peer:
    """What was heard of a process, and when (by this process's clock that never jumps)."""

    beat: str = ""
    heard: float = field(default_factory=time.monotonic)
    moves: str = ""
    moved: float = field(default_factory=time.monotonic)
    doing: str = "starting"
    state: str = "alive"


class Watch:
    """Agreement on stopping and signs of life, within a ``with`` block.

    Args:
        place: Which of the processes this is.
        stop: Where requests to stop arrive; None where nobody asks.
        patience: How long a process may give no sign of life, and all of them may stand still.
        store: Where the processes leave word for each other; by default the store by which
            ``torch.distributed`` brought them together.
    """

    def __init__(
        self,
        place: Place | None = None,
        stop: StopSignals | None = None,
        *,
        patience: Patience | None = None,
        store: dist.Store | None = None,
    ) -> None:
        self.place = place or Place()
        self.stop = stop or StopSignals()
        self.patience = patience or Patience()
        self.reason = ""
        self._moves = 0
        self._doing: tuple[object, ...] = ("starting",)
        self._lock = threading.Lock()
        self._noticed = False
        self._entered = 0
        self._last: int | None = None
        self._agreed = threading.Event()
        self._closing = threading.Event()
        self._answered = time.monotonic()
        self._refused: float | None = None
        self._peers = {rank: _Peer() for rank in range(self.place.world_size)}
        self._threads: list[threading.Thread] = []
        self._store = store

    def __enter__(self) -> Watch:
        """Start watching: over the other processes if there are any, and over standing still."""
        if self._store is None and in_group():
            self._store = own_part(connect(self.patience.timeout), "watch")
        for work in (self._judge,) if self._store is None else (self._talk, self._judge):
            self._threads.append(threading.Thread(target=work, daemon=True))
            self._threads[-1].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop watching; tell the others if it is for an error."""
        self._closing.set()
        for thread in self._threads:
            thread.join(timeout=2 * _ROUND)
        if self._store is None:
            return
        state = "done" if kind is None else f"failed ({kind.__name__})"
        try:
            self._store.set(f"beat/{self.place.rank}", f"{state}|end|end|{state}")
        except (RuntimeError, ConnectionError):  # the process that holds the store is gone
            return

    # --- what the training loop calls -------------------------------------------------------------

    def doing(self, *words: object) -> None:
        """Note what this process does now, as a sign that it gets on."""
        self._doing = words
        self._moves += 1

    def rest(self) -> None:
        """Note that what follows is no training, and may take as long as it likes."""
        self._moves = 0

    def may_enter(self) -> bool:
        """Return whether to go into what comes next together with all others, or to stop here."""
        if self._store is None:
            self.reason = self.stop.requested or ""
            return self.stop.requested is None
        with self._lock:
            if not self._noticed:
                self._entered += 1
                return True
        self._agreed.wait()  # the judge ends this if one of the others never answers
        if self._last is not None and self._entered < self._last:
            self._entered += 1
            return True
        return False

    def is_stopping(self) -> bool:
        """Return whether :meth:`may_enter` would say no, without waiting for an agreement."""
        if self._store is None:
            return not self.may_enter()
        return self._agreed.is_set() and self._last is not None and self._entered >= self._last

    def explained(self, error: BaseException) -> LostProcessError | None:
        """Return which process was lost, if that is why talking to the others failed."""
        end = time.monotonic() + 2 * _GRACE
        while self._store is not None and time.monotonic() < end:
            lost = self._lost(_GRACE / 2, _GRACE / 5)
            if lost is not None:
                return LostProcessError(f"{lost}; {_cause(error)}")
            time.sleep(_ROUND)
        return None

    # --- the thread that talks --------------------------------------------------------------------

    def _talk(self) -> None:
        beat = 0
        while not self._closing.wait(_ROUND):
            beat += 1
            try:
                self._round(beat)
            except (RuntimeError, ConnectionError):  # who holds the store is gone: see `_judge`
                self._refused = self._refused or time.monotonic()
                continue
            self._answered, self._refused = time.monotonic(), None

    def _round(self, beat: int) -> None:
        store, rank = self._store, self.place.rank
        if store is None:
            return
        store.set(f"beat/{rank}", self._word(beat))
        for other, peer in self._peers.items():
            if store.check([f"beat/{other}"]):
                _hear(peer, store.get(f"beat/{other}").decode())
        if self._noticed:
            self._try_to_agree(store)
        elif self.stop.requested is not None or store.check(["stop"]):
            with self._lock:
                self._noticed = True
            if not store.check(["stop"]):
                store.set("stop", f"{self.stop.requested} to process {rank}")
            store.set(f"stop/{rank}", str(self._entered))

    def _word(self, beat: int) -> str:
        """Return what this process lets the others know."""
        return f"alive|{beat}|{self._moves}|{' '.join(map(str, self._doing))}"

    def _try_to_agree(self, store: dist.Store) -> None:
        keys = [f"stop/{rank}" for rank in self._peers]
        if self._agreed.is_set() or not store.check(keys):
            return
        self.reason = store.get("stop").decode()
        self._last = max(int(store.get(key)) for key in keys)
        self._agreed.set()

    # --- the thread that judges -------------------------------------------------------------------

    def _judge(self) -> None:
        last = time.monotonic()
        while not self._closing.wait(_ROUND):
            now = time.monotonic()
            if now - last > _GRACE:  # this process itself was stopped, and heard nobody meanwhile
                self._forgive(now)
            last = now
            if self._store is None:
                _hear(self._peers[self.place.rank], self._word(0))
            lost = self._lost(
                self.patience.timeout, _GRACE, " (dist_params.timeout)"
            ) or self._stuck(now)
            if lost is not None and not self._closing.is_set():
                get_logger().critical("%s; this process ends", lost)
                os._exit(LostProcessError.exit_status)

    def _forgive(self, now: float) -> None:
        self._answered = now
        for peer in self._peers.values():
            peer.heard = peer.moved = now

    def _lost(self, timeout: float, grace: float, key: str = "") -> str | None:
        """Return a sentence on a process that is lost, if one is.

        Args:
            timeout: Seconds that one may be silent.
            grace: Seconds that one which is known to have ended gets to tell why itself.
            key: The config's key of the timeout, to be named in the sentence.
        """
        now, zero = time.monotonic(), self._peers[0]
        for rank, peer in self._peers.items():
            if rank == self.place.rank:
                continue
            silent = now - peer.heard
            if peer.state.startswith("failed") and silent > grace:
                return f"process {rank} {peer.state}, while {peer.doing}"
            if peer.state == "alive" and silent > timeout and now - self._answered < timeout / 2:
                return (
                    f"process {rank} has given no sign of life for {silent:.0f} s{key}, since it "
                    f"was {peer.doing}: it was killed or stopped, or its machine is gone"
                )
        if self._refused is not None and now - self._refused > grace:
            return (
                f"process 0 has ended, through which the others talk: it was killed, or its "
                f"machine is gone, since it was {zero.doing}"
            )
        unanswered = now - self._answered
        if unanswered > timeout and self.place.rank != 0:
            return (
                f"process 0 has not answered for {unanswered:.0f} s{key}, since it was "
                f"{zero.doing}: it was killed or stopped, or its machine is gone"
            )
        return None

    def _stuck(self, now: float) -> str | None:
        """Return a sentence on a run in which nobody gets on, if that is so."""
        peers = self._peers.values()
        if self._moves == 0 or any(now - peer.moved < self.patience.stall for peer in peers):
            return None
        each = "; ".join(f"process {rank}: {peer.doing}" for rank, peer in self._peers.items())
        return f"no process has got on for {self.patience.stall:.0f} s (dist_params.stall): {each}"


def _hear(peer: _Peer, message: str) -> None:
    state, beat, moves, doing = message.split("|", 3)
    now = time.monotonic()
    if beat != peer.beat:
        peer.beat, peer.heard = beat, now
    if moves != peer.moves:
        peer.moves, peer.moved = moves, now
    peer.state = state
    if state == "alive":
        peer.doing = doing


def _cause(error: BaseException) -> str:
    """Return the first sentence of an error, without the place in the source that gloo names."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return re.sub(r"^\[\S+:\d+\]\s*", "", line).partition(". ")[0]
