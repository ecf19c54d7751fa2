"""The catalogue of published files: complete, and where the configs look."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyskl.config import load_config
from pyskl.errors import InputError
from pyskl.evaluation.fusion import STREAMS
from pyskl.files.download import local_checkpoint
from pyskl.published import BASE_URL, CATALOG, find_published

ANNOTATIONS = [one for one in CATALOG.values() if one.is_annotations]
WEIGHTS = [one for one in CATALOG.values() if not one.is_annotations]


def test_every_config_that_was_published_has_weights(repo_root: Path) -> None:
    folder = repo_root / "configs"
    configs = {
        path.relative_to(folder).with_suffix("").as_posix()
        for path in folder.glob("*/*ntu*_*/*.py")
    }
    assert len(configs) == 48 + 160
    assert {one.name for one in WEIGHTS} == configs


@pytest.mark.shared_data
def test_weights_are_those_of_the_published_table(shared: Path) -> None:
    addresses = {}
    for document, folder in (("model_zoo.md", "<directory>"), ("model_zoo_family.md", "FOLDER")):
        text = (shared / "spec" / document).read_text(encoding="utf-8")
        (address,) = re.findall(rf"`http:(\S+){folder}/\{{j,b,jm,bm\}}\.pth`", text)
        for found in re.findall(r"\| `?([\w+/]*ntu\d+_\w+)`? \|", text):
            name = found if folder == "FOLDER" else f"stgcn/{found}"
            for stream in STREAMS:
                addresses[f"{name}/{stream}"] = f"https:{address}{found}/{stream}.pth"
        for name, exception in re.findall(r"^- (\S+): http:(\S+)$", text, re.MULTILINE):
            assert name in addresses
            addresses[name] = f"https:{exception}"
    assert {one.name: one.url() for one in WEIGHTS} == addresses


@pytest.mark.parametrize("weights", [one.name for one in WEIGHTS if one.name.endswith("/j")])
def test_annotations_go_where_the_configs_look_and_have_their_splits(
    repo_root: Path, weights: str
) -> None:
    config = load_config(repo_root / "configs" / f"{weights}.py")
    data = config.data
    (annotations,) = [one for one in ANNOTATIONS if str(one.target()) == data.val.ann_file]
    for split in (data.train.get("dataset", data.train).split, data.val.split, data.test.split):
        assert annotations.splits[split] > 0
    (classes,) = re.findall(r"ntu(\d+)_", annotations.name)
    assert int(classes) == config.model.cls_head.num_classes


@pytest.mark.parametrize("one", ANNOTATIONS, ids=lambda one: one.name)
def test_each_benchmark_shares_all_samples_out(one) -> None:
    for split in one.splits:
        benchmark = split.rpartition("_")[0]
        halves = one.splits[f"{benchmark}_train"], one.splits[f"{benchmark}_val"]
        assert sum(halves) == one.samples
        assert halves[0] != halves[1]


def test_names_are_those_of_the_files() -> None:
    for name, one in CATALOG.items():
        assert one.name == name
        on_server = name.replace("stgcn++", "stgcnpp")
        assert one.path.endswith(f"{on_server}{Path(one.path).suffix}")
        assert one.url().startswith("https://")
    assert len({one.target() for one in CATALOG.values()}) == len(CATALOG)
    assert len({one.target("out") for one in CATALOG.values()}) == len(CATALOG)


def test_weights_go_where_their_address_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYSKL_HOME", str(tmp_path))
    one = find_published("stgcn/stgcn_pyskl_ntu60_xsub_3dkp/j")
    one.target().parent.mkdir()
    one.target().write_bytes(b"weights")
    assert local_checkpoint(one.url()) == one.target()
    assert local_checkpoint(one.url().replace("https", "http")) == one.target()


def test_a_mirror_stands_for_the_base_address() -> None:
    one = find_published("ntu60_hrnet")
    assert one.url() == f"{BASE_URL}/data/nturgbd/ntu60_hrnet.pkl"
    assert (
        one.url("https://mirror.org/pyskl/")
        == "https://mirror.org/pyskl/data/nturgbd/ntu60_hrnet.pkl"
    )
    assert one.target("there") == Path("there/ntu60_hrnet.pkl")


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("ntu60_hrnt", "ntu60_hrnet"),
        ("ntu60_hrnet.pkl", "ntu60_hrnet"),
        ("stgcn_pyskl_ntu60_xsub_3dkp/j", "stgcn/stgcn_pyskl_ntu60_xsub_3dkp/j"),
        ("stgcn/stgcn_pyskl_ntu60_xsub_3dkp/bone", "stgcn/stgcn_pyskl_ntu60_xsub_3dkp/b"),
    ],
)
def test_a_wrong_name_is_told_the_nearest_right_one(name: str, right: str) -> None:
    with pytest.raises(InputError) as error:
        find_published(name)
    assert (error.value.key, error.value.hint) == (name, f"did you mean {right!r}?")


def test_a_name_like_no_other_is_told_what_there_is() -> None:
    with pytest.raises(InputError) as error:
        find_published("x")
    assert "ntu60_3danno, " in str(error.value.hint)


def test_the_document_names_what_there_is(repo_root: Path) -> None:
    text = (repo_root / "docs" / "download.md").read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith("| annotations"))
    assert re.findall(r"`(\w+)`", row.partition(")")[0]) == [one.name for one in ANNOTATIONS]
    for expression, value in re.findall(r"^(CATALOG\S+)\s+# (\S+)$", text, re.MULTILINE):
        assert str(eval(expression, {"CATALOG": CATALOG})) == value
