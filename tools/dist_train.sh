#!/usr/bin/env bash
# Train in NUM_GPUS processes: one GPU each, or on the CPU if the machine has no GPU.
#   bash tools/dist_train.sh CONFIG NUM_GPUS [options of tools/train.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT, and start this on each of them.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "error: found $# argument(s); the command is: bash tools/dist_train.sh CONFIG NUM_GPUS [options]" >&2
    exit 2
fi
tools=$(cd "$(dirname "$0")" && pwd)
config=$1
processes=$2
shift 2
exec "${PYTHON:-python}" "$tools/launch.py" "$processes" "$tools/train.py" "$config" "$@"
