"""Examine annotation files before anything is trained on them.

The report of :mod:`pyskl.health.examine` has three views: text, JSON and a page.
"""
