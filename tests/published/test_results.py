"""The published results: those of the record, and the same in every table of the documents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from pyskl.config import load_config
from pyskl.evaluation.fusion import FUSIONS, STREAMS
from pyskl.published import CATALOG, RESULTS, PublishedResult
from pyskl.reports.zoo_names import annotation_name, data_name, practice_name

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
FOLDERS = sorted({folder.partition("/")[0] for folder in RESULTS})


def results_of(folder: str) -> list[PublishedResult]:
    """Return the results of a folder below ``configs``."""
    return [one for name, one in RESULTS.items() if name.startswith(f"{folder}/")]


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def row_of_readme(result: PublishedResult) -> str:
    """Return a row of the table in ``configs/NETWORK/README.md``."""
    name = result.folder.partition("/")[2]
    config = load_config(CONFIGS / result.folder / "j.py").to_dict()
    practice = [practice_name(config)] if result.network == "ST-GCN" else []
    streams = [
        f"[{result.top1[stream]}]({name}/{stream}.py) "
        f"([pth]({CATALOG[f'{result.folder}/{stream}'].url().replace('https', 'http')}))"
        for stream in STREAMS
    ]
    fusions = [str(result.top1[fusion]) for fusion in FUSIONS]
    return row([data_name(config), *practice, annotation_name(config), *streams, *fusions])


def rows_of_zoo(folder: str) -> list[str]:
    """Return the rows of a network in the main README: 3D and 2D next to each other."""
    found: dict[str, list[str]] = {}
    for result in results_of(folder):
        data = data_name(load_config(CONFIGS / result.folder / "j.py").to_dict())
        network = f"[{result.network}](configs/{folder}/README.md)"
        best = max(result.top1[stream] for stream in STREAMS)
        figures = [f"[{best}](configs/{result.folder})", str(result.top1["four-stream"])]
        found[data] = [*found.get(data, [data, network]), *figures]
    return [row([*cells, *[""] * (6 - len(cells))]) for cells in found.values()]


@pytest.mark.shared_data
def test_the_results_are_those_of_the_record(shared: Path) -> None:
    recorded = {}
    for name in ("model_zoo.md", "model_zoo_family.md"):
        for line in (shared / "spec" / name).read_text(encoding="utf-8").splitlines():
            found = re.search(r"\| `?(\S+_ntu\S+?|\S+/ntu\S+?)`? ((?:\| [\d.]+ ){6})\|$", line)
            if found:
                folder = found[1] if "/" in found[1] else f"stgcn/{found[1]}"
                recorded[folder] = [float(cell) for cell in found[2].strip("| ").split(" | ")]
    assert len(recorded) == 12 + 40
    assert recorded == {folder: [*one.top1.values()] for folder, one in RESULTS.items()}
    assert all([*one.top1] == [*STREAMS, *FUSIONS] for one in RESULTS.values())


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_of_a_network_has_its_results(folder: str) -> None:
    text = (CONFIGS / folder / "README.md").read_text(encoding="utf-8")
    found = [line for line in text.splitlines() if line.startswith("| NTU")]
    assert found == [row_of_readme(result) for result in results_of(folder)]
    assert text.startswith(f"# {results_of(folder)[0].network}\n")


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != "stgcn"])
def test_the_main_readme_has_the_best_results(folder: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = [line for line in text.splitlines() if f"(configs/{folder}/README.md) |" in line]
    assert found == rows_of_zoo(folder)
