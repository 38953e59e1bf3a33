#!/usr/bin/env bash
# One chief and two workers search the same list in parallel, each entry once, in order.
# KerasTuner starts a chief or a worker according to three environment variables; the script
# that searches is the same for all. Everything runs on this machine, over the loopback address.
#
#     bash examples/parallel_workers.sh [DIRECTORY] [options of tune_digits.py]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python}
directory=${1:-tuning-parallel}
[ $# -gt 0 ] && shift

export KERASTUNER_ORACLE_IP=127.0.0.1
KERASTUNER_ORACLE_PORT=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export KERASTUNER_ORACLE_PORT

KERASTUNER_TUNER_ID=chief "$python" "$here/tune_digits.py" --directory "$directory" "$@" >"/dev/null" &
chief=$!
trap 'kill "$chief" 2>/dev/null || true' EXIT

workers=()
for worker in tuner0 tuner1; do
    KERASTUNER_TUNER_ID=$worker "$python" "$here/tune_digits.py" --directory "$directory" "$@" &
    workers+=($!)
done
for worker in "${workers[@]}"; do
    wait "$worker"
done
wait "$chief"
trap - EXIT
