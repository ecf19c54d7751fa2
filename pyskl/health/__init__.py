"""The health of annotation files: what is wrong with them, before anything is trained on them."""

from pyskl.health.examine import examine
from pyskl.health.expected import Expected, Use
from pyskl.health.fix import fix
from pyskl.health.kinds import KINDS, SEVERITIES, Kind, Severity
from pyskl.health.reading import CheckedFile, read_for_check
from pyskl.health.repair import Change
from pyskl.health.report import Facts, Finding, HealthReport, Item

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
