"""Configs as data: what they may say, and what they can't make the reader do."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from pyskl.config import load_config
from pyskl.errors import ConfigError


def _write(path: Path, content: Any) -> Path:
    text = content if isinstance(content, str) else json.dumps(content)  # JSON is YAML, too
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _program(folder: Path, name: str = "base.py") -> Path:
    """Write a Python file that leaves a trace where it is run."""
    path = folder / name
    path.write_text(f"open({str(folder / 'ran')!r}, 'w')\ntotal_epochs = 1\n")
    return path


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".yml"])
def test_bases_are_merged_as_in_python_configs(tmp_path: Path, suffix: str) -> None:
    root = dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9), data=dict(a=dict(x=[1, 2])))
    middle = dict(_base_="root" + suffix, optimizer=dict(lr=0.2), total_epochs=3)
    own = dict(
        _base_=["../middle" + suffix],
        optimizer=dict(_delete_=True, type="Adam"),
        data=dict(a=dict(x=[3])),
    )
    _write(tmp_path / f"root{suffix}", root)
    _write(tmp_path / f"middle{suffix}", middle)
    found = load_config(_write(tmp_path / "inner" / f"own{suffix}", own)).to_dict()
    for name, content in (("root", root), ("middle", middle), ("inner/own", own)):
        base = content.pop("_base_", None)
        lines = [f"{key} = {value!r}\n" for key, value in content.items()]
        if base is not None:
            names = [base] if isinstance(base, str) else base
            lines.append(f"_base_ = {[n.replace(suffix, '.py') for n in names]!r}\n")
        _write(tmp_path / f"{name}.py", "".join(lines))
    assert found == load_config(tmp_path / "inner" / "own.py").to_dict()
    assert found["optimizer"] == dict(type="Adam")


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize("through", [False, True])
def test_a_python_base_is_not_run(tmp_path: Path, suffix: str, through: bool) -> None:
    _program(tmp_path)
    path = _write(tmp_path / f"config{suffix}", dict(_base_="./base.py"))
    if through:
        path = _write(tmp_path / f"outer{suffix}", dict(_base_=[f"config{suffix}"]))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert (caught.value.key, caught.value.found) == ("_base_", "./base.py")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_imports_are_not_made(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "a_module.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    content = dict(custom_imports=dict(imports=["a_module"], allow_failed_imports=False))
    path = _write(tmp_path / f"config{suffix}", content)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.key == "custom_imports"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "placeholder", ["{{$SECRET:none}}", "{{ '$SECRET:x' }}", "{{ _base_.x }}", "{{fileDirname}}"]
)
def test_placeholders_are_not_filled(
    tmp_path: Path, placeholder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hidden")
    path = _write(tmp_path / "config.json", dict(work_dir=placeholder))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.found.startswith("{{")
    assert "hidden" not in str(caught.value)


def test_flow_mappings_are_no_placeholders(tmp_path: Path) -> None:
    path = _write(tmp_path / "config.yaml", "data: {a: {b: {c: 1}}}\n")
    assert load_config(path).data.a.b.c == 1


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (dict(trusted=True), "data.trusted"),
        (dict(val=[dict(dataset=dict(trusted=True))]), "data.val[0].dataset.trusted"),
    ],
)
def test_a_config_can_not_trust_files(tmp_path: Path, data: dict[str, Any], key: str) -> None:
    path = _write(tmp_path / "config.yaml", dict(data=data))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.key == key


DOUBLING = "".join(f"x{i}: &x{i} [{f'*x{i - 1}, *x{i - 1}' if i else 1}]\n" for i in range(60))
MERGING = "x0: &x0 {a: 1}\n" + "".join(
    f"x{i}: &x{i} {{<<: [*x{i - 1}, *x{i - 1}]}}\n" for i in range(1, 60)
)


@pytest.mark.parametrize(
    "text",
    [
        DOUBLING,
        MERGING,
        "a: &a [*a]\n",
        "a: " + "[" * 100 + "]" * 100,
        "a: " + "[" * 100_000,
        "a: " + "9" * 5000,
        "a: [1, 2",
        "- a\n- b\n",
        "",
        "? [1, 2]\n: 3\n",
        "1.5: 3\n",
        "a: !!python/object/apply:os.system ['touch ran']\n",
        "a: !!timestamp nonsense\n",
        "_base_: 3\n",
        "_base_: gone.yaml\n",
        "_base_: /etc/passwd\n",
        "_base_: config.yaml\n",
        "filename: x\n",
        "x: " + "a" * (1 << 20),
    ],
)
def test_hostile_yaml(tmp_path: Path, text: str) -> None:
    path = _write(tmp_path / "config.yaml", text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.file == str(path)
    assert len(str(caught.value)) < 1000
    assert os.listdir(tmp_path) == ["config.yaml"]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a": ' * 5000, "{", "[1]", '{"a": ' + "9" * 5000]
)
def test_hostile_json(tmp_path: Path, text: str) -> None:
    path = _write(tmp_path / "config.json", text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.file == str(path)


def test_bases_that_fan_out_come_to_an_end(tmp_path: Path) -> None:
    for i in range(40):
        bases = [f"{i + 1}.json"] * 2 if i < 39 else []
        _write(tmp_path / f"{i}.json", dict(_base_=bases))
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "0.json")
    assert caught.value.key == "_base_"


def test_a_dict_does_not_fall_on_something_else(tmp_path: Path) -> None:
    _write(tmp_path / "base.yaml", "a: [1]\n")
    path = _write(tmp_path / "config.yaml", "_base_: base.yaml\na: {b: 1}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.key == "a"


def test_yaml_s_own_types_come_through(tmp_path: Path) -> None:
    content = dict(a=[1, 2.5, True, None, "x"], b={"c": {}})
    path = _write(tmp_path / "config.yml", yaml.safe_dump(content))
    assert load_config(path).to_dict() == content
    assert os.listdir(tmp_path) == ["config.yml"]
