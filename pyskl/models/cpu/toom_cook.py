"""Short convolutions with fewer multiplications (Toom and Cook; Winograd, 1980).

m outputs of a convolution with r taps, y_i = Σ_j g_j · d_{i+j}, take m · r multiplications when
computed as written. As a bilinear form,

    y = Aᵀ [(G g) ⊙ (Bᵀ d)],

they take as many as G has rows: m + r - 1. The idea: the transposed problem is the product of two
polynomials of r and m coefficients, which is known from its values at m + r - 1 points. G and A
evaluate at the points, B interpolates. Where d and g are not numbers but vectors and matrices
(channels), each saved multiplication is a saved matrix product, and A, B, G cost little beside it.

Points other than 0, 1 and -1 bring large and small entries, and with them rounding errors. So long
filters are split: nine taps are three groups of three, the groups are the taps of another short
convolution, and F(3, 3) of F(3, 3) takes 25 products for 9 outputs, where the definition takes 81.

Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, use the same for the
two dimensions of images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

# Where polynomials are evaluated, best-conditioned first; infinity, the leading coefficient, is
# added to them.
_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0)
# Outputs and taps of the short convolutions that longer ones are made of.
_STEP = 3
# Beyond that the points run out, and the errors grow.
MAX_TAPS = 9


@dataclass(frozen=True)
class ShortConvolution:
    """The matrices of y = Aᵀ [(G g) ⊙ (Bᵀ d)].

    Attributes:
        from_window: Bᵀ (products, window), from d, the inputs.
        from_taps: G (products, taps), from g, the filter.
        to_outputs: Aᵀ (outputs, products).
    """

    from_window: Tensor
    from_taps: Tensor
    to_outputs: Tensor

    @property
    def products(self) -> int:
        """How many products there are."""
        return self.from_window.shape[0]

    @property
    def window(self) -> int:
        """How many inputs the outputs depend on: outputs + taps - 1."""
        return self.from_window.shape[1]

    @property
    def outputs(self) -> int:
        """How many outputs there are."""
        return self.to_outputs.shape[0]


@lru_cache(maxsize=32)
def short_convolution(taps: int, dtype: torch.dtype) -> ShortConvolution:
    """Return the algorithm for a filter of ``taps`` taps, 1 to :data:`MAX_TAPS`.

    It is F(3, taps) up to three taps, else F(3, groups) of F(3, 3), where the taps that the last
    group lacks are zeros, and their columns of G left out.

    Raises:
        ValueError: for more taps than that.
    """
    if not 1 <= taps <= MAX_TAPS:
        raise ValueError(f"a short convolution has 1 to {MAX_TAPS} taps, found {taps}")
    groups = -(-taps // _STEP)
    if groups == 1:
        from_window, from_taps, to_outputs = _toom_cook(_STEP, taps)
    else:
        from_window, from_taps, to_outputs = _nest(
            _toom_cook(_STEP, groups), _toom_cook(_STEP, _STEP)
        )
    return ShortConvolution(
        torch.from_numpy(from_window).to(dtype),
        torch.from_numpy(from_taps[:, :taps].copy()).to(dtype),
        torch.from_numpy(to_outputs).to(dtype),
    )


_Matrices = tuple[np.ndarray, np.ndarray, np.ndarray]  # Bᵀ, G, Aᵀ


def _toom_cook(outputs: int, taps: int) -> _Matrices:
    """Return F(``outputs``, ``taps``)."""
    products = outputs + taps - 1
    interpolate = np.linalg.inv(_evaluate(products, products))
    return interpolate.T, _evaluate(products, taps), _evaluate(products, outputs).T


def _evaluate(points: int, coefficients: int) -> np.ndarray:
    """Return the matrix that evaluates a polynomial at ``points`` points, infinity the last."""
    values = np.vander(_POINTS[: points - 1], coefficients, increasing=True)
    return np.vstack([values, np.eye(coefficients)[-1:]])


def _nest(outer: _Matrices, inner: _Matrices) -> _Matrices:
    """Return the convolution whose taps and outputs are ``outer`` groups of ``inner`` ones.

    With t = 3g + b the tap and i = 3I + a the output, y_i = Σ_g Σ_b g_{3g+b} · d_{3(I+g)+(a+b)}: an
    outer convolution over I and g of inner ones over a and b. Input 3J + j is the j-th of the inner
    window and the J-th of the outer one; for j ≥ 3 it is also the (j - 3)-th and the (J + 1)-th.
    """
    outer_window, inner_window = outer[0].shape[1], inner[0].shape[1]
    place = np.zeros((outer_window * inner_window, _STEP * (outer_window - 1) + inner_window))
    for J in range(outer_window):
        for j in range(inner_window):
            place[J * inner_window + j, _STEP * J + j] = 1
    return (
        np.kron(outer[0], inner[0]) @ place,
        np.kron(outer[1], inner[1]),
        np.kron(outer[2], inner[2]),
    )
