#!/usr/bin/env bash
# Test in NUM_GPUS processes: one GPU each, or on the CPU if the machine has no GPU.
#   bash tools/dist_test.sh CONFIG CHECKPOINT NUM_GPUS [options of tools/test.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT, and start this on each of them.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "error: found $# argument(s); the command is: bash tools/dist_test.sh CONFIG CHECKPOINT NUM_GPUS [options]" >&2
    exit 2
fi
tools=$(cd "$(dirname "$0")" && pwd)
config=$1
checkpoint=$2
processes=$3
shift 3
exec "${PYTHON:-python}" "$tools/launch.py" "$processes" "$tools/test.py" "$config" "$checkpoint" "$@"
