#!/bin/sh
# Put the live version into service: in a container where there is Docker, else as a process here.
#
#   examples/iris/deploy.sh              # builds the image, replaces the container, waits, tries it
#   examples/iris/deploy.sh stop         # takes it out of service
#
# MODELWRIGHT, PYTHON, PORT, NAME, DOCKER (the program; "none" for no Docker) and BUILD_OPTIONS may be set.
set -eu
cd "$(dirname "$0")"
modelwright="${MODELWRIGHT:-modelwright}"
python="${PYTHON:-python}"
port="${PORT:-5000}"
name="${NAME:-iris}"
docker="${DOCKER:-docker}"
pidfile=".modelwright/deployed.pid"
url="http://127.0.0.1:$port"

has_docker() {
    [ "$docker" != none ] && $docker info >/dev/null 2>&1
}

stop_process() {
    [ -f "$pidfile" ] || return 0
    pid="$(cat "$pidfile")"
    rm -f "$pidfile"
    kill "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
}

stop() {
    if has_docker; then $docker rm -f "$name" >/dev/null 2>&1 || true; fi
    stop_process
}

build() {
    context=".modelwright/image"
    rm -rf "$context"
    mkdir -p "$context"
    cp Dockerfile "$context/"
    bundle="$($modelwright versions . --json | $python -c 'import json, sys
print(next(v["bundle"] for v in json.load(sys.stdin) if v["live"]))')"
    cp -R ".modelwright/$bundle" "$context/bundle"
    # Wheels for the image: those lying in WHEELS, or fetched now for this version of Modelwright.
    mkdir "$context/wheels"
    if [ -n "${WHEELS:-}" ]; then
        cp "$WHEELS"/*.whl "$context/wheels/"
    else
        $python -m pip download --quiet --dest "$context/wheels" \
            "modelwright==$($modelwright --version | cut -d' ' -f2)"
    fi
    # shellcheck disable=SC2086 # options are words
    $docker build ${BUILD_OPTIONS:-} --tag "$name:latest" "$context"
}

if [ "${1:-}" = stop ]; then
    stop
    echo "Out of service."
    exit 0
fi

if has_docker; then
    build
    $docker rm -f "$name" >/dev/null 2>&1 || true
    $docker run --detach --name "$name" --restart unless-stopped --read-only --tmpfs /tmp --tmpfs /srv/service:uid=10001 \
        --publish "127.0.0.1:$port:5000" "$name:latest" >/dev/null
    how="container $name"
else
    echo "No Docker here: serving as a process."
    mkdir -p .modelwright
    stop_process
    nohup $modelwright serve . --port "$port" --workers 1 >.modelwright/deployed.log 2>&1 </dev/null &
    echo $! >"$pidfile"
    how="process $(cat "$pidfile")"
fi

if ! ./wait-healthy.sh "$url" || ! ./try.sh "$url"; then
    echo "The deployment failed; what it said:" >&2
    if has_docker; then $docker logs --tail 50 "$name" >&2; else tail -n 50 .modelwright/deployed.log >&2; fi
    exit 1
fi
echo "Deployed: $url ($how)"
