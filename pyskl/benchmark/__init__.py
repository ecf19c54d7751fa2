"""Measure how fast data are read and networks are trained and tested.

``tools/benchmark.py`` is the command line, :mod:`.run` does what it asks for. Each mode is a
module: :mod:`.pipeline`, :mod:`.loader`, :mod:`.step`, :mod:`.startup`, :mod:`.inference`.
"""
