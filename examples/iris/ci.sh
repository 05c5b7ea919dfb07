#!/bin/sh
# Everything a change must pass: lint, tests, training, and a smoke test of the trained service.
# Ends with the first step that fails, and its exit code.
#
#   examples/iris/ci.sh
#
# MODELWRIGHT (the program), PYTHON and PORT may be set.
set -eu
cd "$(dirname "$0")"
modelwright="${MODELWRIGHT:-modelwright}"
python="${PYTHON:-python}"
port="${PORT:-5000}"

step() {
    printf '\n== %s\n' "$1"
}

step "lint: the project file"
$modelwright check .

step "tests"
$python -m unittest discover -s tests -v

step "train"
$modelwright train .

step "smoke test"
$modelwright serve . --port "$port" --workers 1 >logs-ci.txt 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true' EXIT
./wait-healthy.sh "http://127.0.0.1:$port" || { cat logs-ci.txt >&2; exit 1; }
./try.sh "http://127.0.0.1:$port"
$modelwright evaluate "http://127.0.0.1:$port" --project . --data data/iris.csv --sample 50 --seed 1 \
    --no-log --floor accuracy=0.9

printf '\nAll steps passed.\n'
