"""``tools/test.py``: scores, figures, and that they don't depend on who computes them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from tool_commands import Commands, Run

Test = Callable[..., tuple[np.ndarray, dict[str, float]]]


@pytest.fixture
def score(trained: Run, commands: Commands, tmp_path: Path) -> Test:
    """A function that tests the trained weights: options → scores, figures."""

    def score(*options: object) -> tuple[np.ndarray, dict[str, float]]:
        out = tmp_path / "scores.pkl"
        done = commands.quick("tools/test.py", trained.config, trained.best, "--out", out, *options)
        assert done.status == 0, done.err
        return np.array(pickle.loads(out.read_bytes())), done.figures()

    return score


def test_the_scores_are_those_of_the_end_of_training(
    trained: Run, commands: Commands, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "folder" / "scores.pkl"
    done = commands.quick(
        *("tools/test.py", trained.config, trained.best, "--out", out),
        *("--eval", "top_k_accuracy", "mean_class_accuracy", "mean_average_precision"),
    )
    assert done.status == 0, done.err
    assert out.read_bytes() == (trained.work_dir / "best_pred.pkl").read_bytes()
    told = trained.log_lines()[-1]
    found = done.figures()
    assert list(found) == ["top1_acc", "top5_acc", "mean_class_accuracy", "mean_average_precision"]
    for name in ("top1_acc", "top5_acc", "mean_class_accuracy"):
        assert found[name] == pytest.approx(told[name], abs=5e-5)


def test_without_options_the_accuracy_is_printed(trained: Run, commands: Commands) -> None:
    done = commands.quick("tools/test.py", trained.config, trained.best)
    assert list(done.figures()) == ["top1_acc", "top5_acc"]
    assert len(done.out.splitlines()) == 2


def test_with_out_alone_no_figure_is_printed(score: Test) -> None:
    assert score()[1] == {}


def test_options_of_the_config_can_be_overridden(score: Test) -> None:
    scores, _ = score("--cfg-options", "data.test.split=train", "data.workers_per_gpu=1")
    assert len(scores) == 24


@pytest.mark.parametrize(("suffix", "read"), [(".json", json.loads), (".yaml", yaml.safe_load)])
def test_scores_are_written_as_json_and_yaml(
    trained: Run,
    commands: Commands,
    tmp_path: Path,
    suffix: str,
    read: Callable[[str], list[list[float]]],
) -> None:
    out = (tmp_path / "scores").with_suffix(suffix)
    done = commands.quick("tools/test.py", trained.config, trained.best, "--out", out)
    assert done.status == 0, done.err
    expected = pickle.loads((trained.work_dir / "best_pred.pkl").read_bytes())
    np.testing.assert_array_equal(np.float32(read(out.read_text())), expected)


def test_clips_are_averaged_as_probabilities_or_logits_or_kept(score: Test) -> None:
    clips, _ = score("--average-clips", "none")
    assert clips.shape == (10, 2, 3)
    assert not np.allclose(clips[:, 0], clips[:, 1])
    exponents = np.exp(clips)
    probabilities = exponents / exponents.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(score("--average-clips", "score")[0], clips.mean(axis=1), atol=1e-6)
    for options in ((), ("--average-clips", "prob")):
        np.testing.assert_allclose(score(*options)[0], probabilities.mean(axis=1), atol=1e-6)


@pytest.mark.slow
def test_workers_and_batches_do_not_change_the_scores(score: Test) -> None:
    expected, _ = score()
    workers, _ = score("--cfg-options", "data.workers_per_gpu=2")
    np.testing.assert_array_equal(workers, expected)
    batches, _ = score("--cfg-options", "data.test_dataloader.videos_per_gpu=10")
    np.testing.assert_allclose(batches, expected, atol=1e-6)


@pytest.mark.slow
def test_fused_batchnorm_scores_the_same(score: Test) -> None:
    expected, _ = score("--average-clips", "score")
    fused, _ = score("--average-clips", "score", "--fuse-conv-bn")
    np.testing.assert_allclose(fused, expected, atol=1e-5)


@pytest.mark.slow
def test_mixed_precision_scores_nearly_the_same(score: Test) -> None:
    expected, _ = score("--average-clips", "score")
    rounded, _ = score("--average-clips", "score", "--amp", "bf16")
    assert not np.array_equal(rounded, expected)
    np.testing.assert_allclose(rounded, expected, atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_any_number_of_processes_gives_the_same_bytes_and_figures(
    trained_by_two: Run, commands: Commands, tmp_path: Path, processes: int
) -> None:
    out = tmp_path / "scores.pkl"
    done = commands.real(
        *("bash", "tools/dist_test.sh", trained_by_two.config, trained_by_two.best, processes),
        *("--out", out, "--eval", "top_k_accuracy", "mean_class_accuracy"),
    )
    assert done.status == 0, done.err
    assert out.read_bytes() == (trained_by_two.work_dir / "best_pred.pkl").read_bytes()
    told = trained_by_two.log_lines()[-1]
    expected = {name: told[name] for name in ("top1_acc", "top5_acc", "mean_class_accuracy")}
    assert done.figures() == pytest.approx(expected, abs=5e-5)
    assert len(done.out.splitlines()) == 3  # told once, not by each process
