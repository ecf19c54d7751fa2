"""The model zoo: rows of finished runs, and reasons where there is no number."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_scores import LABELS, add_log_line, random_scores, tiny_scores

from pyskl.errors import InputError
from pyskl.evaluation.scores import dump_scores, read_origin
from pyskl.reports.collect import collect_report
from pyskl.reports.report import ReportSettings
from pyskl.reports.zoo import zoo_from_folder

Make = Callable[..., Path]
TABLES = {
    "j": tiny_scores(2),
    "b": random_scores(1),
    "jm": random_scores(2),
    "bm": random_scores(3),
}


@pytest.fixture
def root(make_run: Make, tmp_path: Path) -> Path:
    """A folder with the runs of four streams under ``tiny``."""
    for stream, table in TABLES.items():
        folder = make_run(f"zoo/tiny/{stream}", table, stream=stream)
        for name in ("epoch_2.pth", "best_top1_acc_epoch_1.pth"):
            (folder / name).touch()
    return tmp_path / "zoo"


def accuracy(tables: list[np.ndarray], weights: list[float]) -> float:
    """Return the top-1 accuracy of a fusion, by hand."""
    total = sum(w * t.astype(float) for w, t in zip(weights, tables))
    return float(np.mean(np.argmax(total, axis=1) == LABELS))


def test_a_row_of_four_streams(root: Path, tmp_path: Path) -> None:
    zoo = zoo_from_folder(root)
    (row,) = json.loads(json.dumps(zoo.to_dict()))["rows"]
    tables = list(TABLES.values())
    names = ("joint", "bone", "joint motion", "bone motion")
    expected = {name: accuracy([table], [1]) for name, table in zip(names, tables)}
    expected["two-stream"] = accuracy(tables[:2], [1, 1])
    expected["four-stream"] = accuracy(tables, [2, 2, 1, 1])
    for name, value in expected.items():
        assert row["cells"][name]["figures"]["top1_acc"] == pytest.approx(value), name
    assert (row["data"], row["practice"], row["epochs"]) == ("tiny val", "PYSKL", "2")
    assert (row["gpus"], row["annotation"]) == ("CPU (1 process)", "nturgb+d, 3D")
    joint = row["cells"]["joint"]
    facts = ("seed", "clips", "samples", "processes", "epoch", "remark")
    assert [joint[name] for name in facts] == [1, 2, 10, 1, 1, None]

    folder = tmp_path / "docs"
    folder.mkdir()
    header, rule, line, *rest = zoo.markdown(folder).splitlines()
    assert header.count("|") == rule.count("|") == line.count("|") == 12
    links = re.findall(r"\]\(([^)]+)\)", line)
    assert len(links) == 1 + 4 * 2  # the folder; config and weights of each stream
    assert all((folder / link).exists() for link in links)
    assert all(f"{100 * value:.1f}" in line for value in expected.values())
    assert sum("best_pred.pkl`" in one for one in rest) == 6
    assert not any("Missing" in one for one in rest)


def test_last_instead_of_best(root: Path) -> None:
    folder = root / "tiny/j"
    origin = read_origin(folder / "best_pred.pkl")
    assert origin is not None
    (folder / "best_pred.pkl").unlink()
    last = replace(origin, checkpoint="epoch_2.pth")
    dump_scores(TABLES["j"], folder / "last_pred.pkl", last)
    cells = zoo_from_folder(root, weights="last").rows[0].cells
    assert (cells["joint"].weights, cells["joint"].epoch, cells["joint"].remark) == (
        ["last"],
        2,
        None,
    )
    assert cells["bone"].weights == ["best"]
    assert cells["bone"].remark is not None


def test_missing_numbers_have_a_reason(root: Path, make_run: Make) -> None:
    tiny = root / "tiny"
    shutil.rmtree(tiny / "bm")
    (tiny / "jm/best_pred.pkl").unlink()
    shutil.rmtree(tiny / "b")
    make_run("zoo/tiny/b", TABLES["b"], stream="b", epochs=1)
    text = zoo_from_folder(root).markdown()
    assert text.splitlines()[2].count("| - ") == 5  # bone, both motions, both fusions
    for reason in (
        r"bone: .*/b is not finished \(1 of 2 epochs\)",
        r"joint motion: .*/jm was not tested",
        "bone motion: there is no run",
        "two-stream: .* bone",
        "four-stream: .* bone, joint motion, bone motion",
    ):
        assert re.search(reason, text), reason


def test_without_the_data_the_logged_number_is_shown(root: Path, make_run: Make) -> None:
    shutil.rmtree(root / "tiny/j")
    make_run("zoo/tiny/j", TABLES["j"], data__test__ann_file="gone.pkl")
    cells = zoo_from_folder(root).rows[0].cells
    assert cells["joint"].top1 is None
    assert "gone.pkl" in str(cells["joint"].reason)
    add_log_line(root / "tiny/j", mode="test", weights="best", top1_acc=0.75)
    cells = zoo_from_folder(root).rows[0].cells
    assert cells["joint"].top1 == 0.75
    assert "gone.pkl" in str(cells["joint"].remark)
    assert cells["two-stream"].top1 is None


def test_replaced_scores_are_pointed_out(root: Path) -> None:
    add_log_line(root / "tiny/j", mode="test", weights="best", top1_acc=0.8)
    assert zoo_from_folder(root).rows[0].cells["joint"].remark is None
    add_log_line(root / "tiny/j", mode="test", weights="best", top1_acc=0.7)
    assert "70.0" in str(zoo_from_folder(root).rows[0].cells["joint"].remark)


def test_nothing_in_a_work_dir_is_run(root: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    config = root / "tiny/b/tiny.py"
    text = config.read_text()
    config.write_text(f"open({str(mark)!r}, 'w').close()\n{text}")
    add_log_line(root / "tiny/b", config=text, seed=1)  # the log has the config as well
    assert zoo_from_folder(root).rows[0].cells["bone"].top1 is not None
    assert not mark.exists()


def test_reports_make_no_pack_of_the_data(
    make_run: Make, tiny_ann_file: Path, tmp_path: Path
) -> None:
    ann_file = Path(shutil.copy(tiny_ann_file, tmp_path / "own.pkl"))
    changes = {"data__test__ann_file": str(ann_file), "data__test__pack": True}
    run = make_run("zoo/tiny/j", tiny_scores(), **changes)
    assert zoo_from_folder(tmp_path / "zoo").rows[0].cells["joint"].top1 == pytest.approx(0.8)
    assert collect_report([run], ReportSettings()).gallery
    assert not Path(f"{ann_file}.packed").exists()


def test_runs_without_siblings_have_their_own_rows(make_run: Make, tmp_path: Path) -> None:
    for name in ("mine", "yours/j", "yours/again"):
        make_run(f"runs/{name}", tiny_scores())
    rows = zoo_from_folder(tmp_path / "runs").rows
    assert [Path(row.folder).name for row in rows] == ["runs", "yours", "j"]


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError) as error:
            zoo_from_folder(folder)
        assert error.value.file == str(folder)
