"""Random numbers for whole batches, as a function of (seed, epoch, index, position, counter).

Nothing is stored between two draws: a number is a hash of what it is for. So a sample draws the
same whatever else is in its batch, whichever process makes it and on whatever device, and any
subset of the numbers can be computed in any order.

The hash is the output function of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom
Number Generators", OOPSLA 2014), chained over the parts of the key. It needs 64-bit additions,
multiplications (modulo 2^64, which int64 tensors do) and shifts, which are the same bits on the CPU
and on a GPU.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _signed(word: int) -> int:
    """Return the int64 of the same 64 bits."""
    word &= 2**64 - 1
    return word - 2**64 if word >= 2**63 else word


# The constants of SplitMix64: the step from one state to the next, and the two multipliers.
_STEP = _signed(0x9E3779B97F4A7C15)
_FIRST, _SECOND = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)


def _shifted(words: Tensor, bits: int) -> Tensor:
    """Shift to the right, zeros following; ``>>`` alone would repeat the sign."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)


def _mixed(words: Tensor) -> Tensor:
    """Return a hash of each word; distinct words have distinct hashes."""
    words = (words ^ _shifted(words, 30)) * _FIRST
    words = (words ^ _shifted(words, 27)) * _SECOND
    return words ^ _shifted(words, 31)


def sample_keys(seed: int, epoch: int, index: Tensor) -> Tensor:
    """Return the key of each sample of an epoch.

    Args:
        seed: Seed of the run, from 0.
        epoch: From 0.
        index: Numbers of the samples in the data set, (N,) int64.

    Returns:
        (N,) int64, distinct for distinct samples of an epoch; on the device of ``index``.
    """
    state = torch.zeros(1, dtype=torch.int64)
    for part in (seed, epoch):
        state = _mixed(state + _signed((part + 1) * _STEP))
    return _mixed((index + 1) * _STEP + int(state))


class Draws:
    """The random numbers of one operation for the samples of a batch.

    Args:
        keys: (N,) int64; see :func:`sample_keys`.

    Every method takes the shape that it draws for each sample, and numbers the draws from 0: two
    calls give the same numbers. An operation that draws several times takes a :meth:`stream` for
    each.
    """

    def __init__(self, keys: Tensor) -> None:
        self.keys = keys

    def stream(self, number: int) -> Draws:
        """Return draws that are independent of these and of those of other numbers."""
        return Draws(_mixed(self.keys + _signed((number + 1) * _STEP)))

    def words(self, counters: Tensor) -> Tensor:
        """Return 64 random bits for each counter.

        Args:
            counters: (N, ...) or (1, ...) int64: which draws, each from 0 to 2^62.

        Returns:
            (N, ...) int64.
        """
        keys = self.keys.view(-1, *(1 for _ in counters.shape[1:]))
        return _mixed((counters + 1) * _STEP + keys)

    def numbered(self, *shape: int) -> Tensor:
        """Return 64 random bits a place: (N, *shape) int64."""
        counters = torch.arange(math.prod(shape), device=self.keys.device)
        return self.words(counters.view(1, *shape))

    def uniform(self, *shape: int) -> Tensor:
        """Return numbers in [0, 1), multiples of 2^-24: (N, *shape) float32."""
        return high_uniform(self.numbered(*shape))


def below(words: Tensor, bound: Tensor | int) -> Tensor:
    """Return words as whole numbers from 0 to below ``bound``.

    Args:
        words: int64.
        bound: int64 from 0 to 2^31, broadcastable to the words; where it is 0, so is the result.

    Returns:
        int64. The probabilities differ from 1 / bound by less than 2^-32.
    """
    return (_shifted(words, 32) * bound) >> 32


def high_uniform(words: Tensor) -> Tensor:
    """Return the upper 24 bits of words as numbers in [0, 1), multiples of 2^-24, float32."""
    return _shifted(words, 40).float() * 2.0**-24


def low_uniform(words: Tensor) -> Tensor:
    """Return the lower 24 bits of words as numbers in [0, 1), float32: independent of the upper."""
    return (words & (2**24 - 1)).float() * 2.0**-24


def normal(words: Tensor) -> Tensor:
    """Return a standard normal number for each word, float32 (Box and Muller, 1958)."""
    radius = (-2 * torch.log(1 - high_uniform(words))).sqrt()  # 1 - u lies in (0, 1]
    return radius * torch.cos(2 * math.pi * low_uniform(words))
