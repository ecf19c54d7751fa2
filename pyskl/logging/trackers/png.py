"""Pictures as PNG, by the standard library alone."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def png_bytes(array: np.ndarray) -> bytes:
    """Return a picture as a PNG file, by "Portable Network Graphics", W3C, 2003 (ISO 15948).

    Args:
        array: (height, width, 3) uint8, red, green and blue.

    Raises:
        ValueError: for another shape or type.
    """
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or 0 in array.shape:
        raise ValueError(f"expected uint8 (height, width, 3), found {array.dtype} {array.shape}")
    height, width, _ = array.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits each, colours, plain
    lines = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # each line begins with its filter: 0
    lines[:, 1:] = array.reshape(height, 3 * width)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(lines.tobytes(), 6))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
