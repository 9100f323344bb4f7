#!/usr/bin/env bash
# A gate for continuous integration: certify a sample, and fail where less is proved than asked for.
#
#     examples/ci_gate.sh [condition for certd check --min] ...
#
# MODEL, DATASET, SIGMA, IMAGES and RUN say what to certify and where the counts go. Exits 0 when all conditions
# hold, 1 when one does not, 2 when they could not be judged.
set -euo pipefail

if [ $# = 0 ]; then set -- "acc@0.25>=0.80"; fi
conditions=()
for condition in "$@"; do conditions+=(--min "$condition"); done

run=${RUN:-$(mktemp -d)/run.parquet}
# The seed is fixed, so that a gate that failed fails again: a second draw because the first disappointed
# would not be a gate.
certd certify "${MODEL:-digits-cnn}" "${DATASET:-digits}" --sigma "${SIGMA:-0.25}" --limit "${IMAGES:-20}" \
    --n 2000 --seed 1 --out "$run" >&2 || exit 2
certd check "$run" "${conditions[@]}" --max "abstain<=0.2"
