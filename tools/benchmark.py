"""Measure speed: python tools/benchmark.py {pipeline,loader,step,startup,inference} CONFIG"""

from __future__ import annotations

import argparse
from pathlib import Path

from _command import Parser, add_cfg_options, add_debug, add_json, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description="Measure the speed of data loading, training and testing.")
    modes = parser.add_subparsers(dest="mode", required=True, metavar="MODE")
    reading = _mode(modes, "pipeline", "samples/s of one process without workers")
    loader = _mode(modes, "loader", "samples/s of the workers, and of training with them")
    step = _mode(modes, "step", "clips/s of training steps on a fixed batch")
    startup = _mode(modes, "startup", "time and memory from the command to the first batch")
    inference = _mode(modes, "inference", "samples/s of scoring")

    reading.add_argument(
        "--compare",
        nargs="+",
        default=[],
        metavar="CONFIG",
        help="other configs, measured in turn with the first one and compared with it",
    )
    for mode in (reading, loader):
        mode.add_argument(
            "--use", choices=["train", "val", "test"], default="train", help="the data set"
        )
    inference.add_argument(
        "--use", choices=["val", "test"], default="test", help="the data set whose clips to score"
    )
    for mode in (reading, loader, step, inference):
        mode.add_argument(
            "--batch", nargs="+", type=int, default=[], help="samples per batch, one or several"
        )
        mode.add_argument("--seconds", type=float, default=1.0, help="duration of one measurement")
    for mode in (reading, loader, step, startup):
        mode.add_argument(
            "--synthetic",
            type=int,
            metavar="N",
            help="generate N samples in the shape of NTU RGB+D instead of reading the config's "
            "files; files that do not exist are always replaced",
        )
    for mode in (loader, step):
        mode.add_argument("--workers", type=int, help="worker processes that read samples")
        mode.add_argument(
            "--variants",
            nargs="+",
            default=[],
            metavar="NAME",
            help="how to compute a step, for example fp32, tf32, bf16, bf16-compiled, bf16-graph",
        )
    for mode in (step, inference):
        mode.add_argument("--compile", action="store_true", help="also measure compiled variants")
    step.add_argument(
        "--end-to-end",
        action="store_true",
        help="also measure the training loop with data, with the best variant of each batch size",
    )
    startup.add_argument(
        "--ranks", nargs="+", type=int, default=[1, 2], help="numbers of processes to start"
    )
    return parser.parse_args()


def _mode(modes: argparse._SubParsersAction, name: str, what: str) -> argparse.ArgumentParser:
    """Add a mode with the options that all have."""
    mode: argparse.ArgumentParser = modes.add_parser(name, help=what, description=what)
    mode.add_argument("config", help="config file")
    mode.add_argument("--repeats", type=int, default=5, help="measurements of each variant")
    mode.add_argument("--device", help="cpu, cuda or cuda:N; by default the first GPU, else cpu")
    add_json(mode, "all figures")
    add_cfg_options(mode)
    add_debug(mode)
    return mode


def main(args: argparse.Namespace) -> None:
    """Measure, and print the figures."""
    from pyskl.benchmark.run import benchmark_from_config
    from pyskl.benchmark.workload import BenchmarkSettings
    from pyskl.files.output_file import check_output_file, write_report

    options = dict(vars(args))
    mode, config, cfg_options, file, _ = map(
        options.pop, ("mode", "config", "cfg_options", "json", "debug")
    )
    compare = options.pop("compare", [])
    if file is not None:
        check_output_file(file, inputs=[config, *compare])
    settings = BenchmarkSettings(**options, launcher=Path(__file__).with_name("launch.py"))
    report = benchmark_from_config(mode, config, settings, compare=compare, cfg_options=cfg_options)
    print(report.text())
    if file is not None:
        write_report(report.as_dict(), file)


if __name__ == "__main__":
    end_with(main, parse_args())
