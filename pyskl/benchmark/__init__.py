"""Measure how fast data are read and networks are trained and tested.

``tools/benchmark.py`` is the command line. Each mode is a module: :mod:`.pipeline`,
:mod:`.loader`, :mod:`.step`, :mod:`.startup`, :mod:`.inference`.
"""

from pyskl.benchmark.report import Figure, Report, Table
from pyskl.benchmark.run import MODES, benchmark_from_config
from pyskl.benchmark.settings import BenchmarkSettings

__all__ = ["MODES", "BenchmarkSettings", "Figure", "Report", "Table", "benchmark_from_config"]
