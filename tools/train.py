"""Train a recognizer: python tools/train.py CONFIG [--validate] [--test-last] [--test-best]"""

from __future__ import annotations

import argparse

from _command import Parser, add_common_options, end_with


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description="Train the recognizer of a config.",
        epilog="docs/custom_dataset.md is a complete example from recordings to a prediction",
    )
    parser.add_argument("config", help="config file")
    parser.add_argument("--validate", action="store_true", help="validate between epochs")
    parser.add_argument("--test-last", action="store_true", help="test the last checkpoint")
    parser.add_argument("--test-best", action="store_true", help="test the best checkpoint")
    parser.add_argument("--work-dir", help="where to write logs and checkpoints")
    parser.add_argument("--seed", type=int, help="seed of the run; by default random")
    parser.add_argument("--deterministic", action="store_true", help="use deterministic algorithms")
    parser.add_argument(
        "--auto-scale-lr", action="store_true", help="scale the learning rate to the clips per step"
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        metavar="PATH",
        help="resume from a checkpoint, by default the work dir's latest",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="build everything, take a few steps, report the cost of the run, and write nothing to "
        "the work dir",
    )
    add_common_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Train, or make a dry run."""
    from pyskl.apis import TrainSettings, train_from_config

    settings = TrainSettings(
        validate=args.validate,
        test_last=args.test_last,
        test_best=args.test_best,
        seed=args.seed,
        deterministic=args.deterministic,
        compile=args.compile,
        amp=args.amp,
        auto_scale_lr=args.auto_scale_lr,
        resume=args.resume,
        trusted=args.trust_files,
    )
    where = {
        "cfg_options": args.cfg_options,
        "work_dir": args.work_dir,
        "launcher": args.launcher,
    }
    if args.dry_run:
        from pyskl.apis.dry_run import dry_run_from_config
        from pyskl.distributed.env import DistEnv

        report = dry_run_from_config(args.config, settings, **where)
        if DistEnv.from_launcher(args.launcher).is_main:
            print(report.text())
    else:
        train_from_config(args.config, settings, **where)


if __name__ == "__main__":
    lost = "stopped at once; what was done since the last checkpoint is lost"
    end_with(main, parse_args(), interrupted=lost)
