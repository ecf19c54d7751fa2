"""Reports of runs: one page that holds all it needs, or the same as pictures.

``facts`` is what they show, and each other module one part of it. Nothing here reads a run; see
:mod:`pyskl.reports.report`.
"""

from pyskl.reports.page.facts import Example, Missing, Predictions, ReportFacts, RunFacts
from pyskl.reports.page.gallery import choose_examples
from pyskl.reports.page.pictures import report_pictures
from pyskl.reports.page.report_page import report_page

__all__ = [
    "Example",
    "Missing",
    "Predictions",
    "ReportFacts",
    "RunFacts",
    "choose_examples",
    "report_page",
    "report_pictures",
]
