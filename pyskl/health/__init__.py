"""Check annotation files before training.

The report of :mod:`pyskl.health.examine` is shown as text, JSON or an HTML page.
"""
