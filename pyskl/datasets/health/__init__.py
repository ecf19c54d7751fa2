"""The health of annotation files: what is wrong with them, before anything is trained on them."""

from pyskl.datasets.health.examine import examine
from pyskl.datasets.health.expected import Expected, Use
from pyskl.datasets.health.fix import fix
from pyskl.datasets.health.kinds import KINDS, SEVERITIES, Kind, Severity
from pyskl.datasets.health.reading import CheckedFile, read_for_check
from pyskl.datasets.health.repair import Change
from pyskl.datasets.health.report import Facts, Finding, HealthReport, Item

__all__ = [
    "KINDS",
    "SEVERITIES",
    "Change",
    "CheckedFile",
    "Expected",
    "Facts",
    "Finding",
    "HealthReport",
    "Item",
    "Kind",
    "Severity",
    "Use",
    "examine",
    "fix",
    "read_for_check",
]
