#!/bin/sh
# Put the live version into service: in a container where there is Docker, else as a process here.
#
#   examples/iris/deploy.sh              # builds the image, replaces the container, waits, tries it
#   examples/iris/deploy.sh stop         # takes it out of service
#
# Where the new one is no good, the container that was there before is put back. What it answered is kept in
# the volume NAME-data.
#
# MODELWRIGHT, PYTHON, PORT, NAME, DOCKER (the program; "none" for no Docker), BUILD_OPTIONS, WAIT (seconds until
# it must be healthy) and WHEELS (a folder with every wheel, so that no package index is asked) may be set.
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
    if has_docker; then
        $docker stop "$name" >/dev/null 2>&1 || true # requests under way are finished
        $docker rm -f "$name" "$name-before" >/dev/null 2>&1 || true
    fi
    stop_process
}

# What the image is built from: the live version's bundle, Modelwright as it is installed here (also from a
# checkout), and which versions of its libraries it runs with here.
lay_out() {
    image=".modelwright/image"
    rm -rf "$image"
    mkdir -p "$image/wheels"
    bundle="$($modelwright versions . --json | $python -c 'import json, sys
print(next(v["bundle"] for v in json.load(sys.stdin) if v["live"]))')"
    cp -R ".modelwright/$bundle" "$image/bundle"
    if [ -n "${WHEELS:-}" ]; then
        cp "$WHEELS"/*.whl "$image/wheels/"
        : >"$image/constraints.txt"
        return
    fi
    $python -c 'from importlib.metadata import distributions
print("\n".join(sorted({f"{d.name}=={d.version}" for d in distributions() if d.name != "modelwright"})))' \
        >"$image/constraints.txt"
    installed="$($python -c 'import json
from importlib.metadata import distribution
found = distribution("modelwright")
place = json.loads(found.read_text("direct_url.json") or "{}").get("url", "")
print(place.removeprefix("file://") if place.startswith("file://") else f"modelwright=={found.version}")')"
    $python -m pip wheel --quiet --no-deps --wheel-dir "$image/wheels" "$installed"
}

build() {
    lay_out
    python_version="$($python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    # shellcheck disable=SC2086 # options are words
    $docker build ${BUILD_OPTIONS:-} --build-arg "PYTHON=$python_version" \
        ${WHEELS:+--build-arg PIP_NO_INDEX=1} --tag "$name:latest" .
}

# The container that was there waits beside the new one, and takes its place again if that one is no good.
replace_container() {
    $docker rm -f "$name-before" >/dev/null 2>&1 || true
    $docker stop "$name" >/dev/null 2>&1 || true
    $docker rename "$name" "$name-before" >/dev/null 2>&1 || true
    $docker run --detach --name "$name" --restart unless-stopped --stop-timeout 30 --read-only --tmpfs /tmp \
        --cap-drop ALL --security-opt no-new-privileges --volume "$name-data:/srv/service" \
        --publish "127.0.0.1:$port:5000" "$name:latest" >/dev/null
}

put_back() {
    $docker logs --tail 50 "$name" >&2 || true
    $docker rm -f "$name" >/dev/null 2>&1 || true
    if $docker rename "$name-before" "$name" >/dev/null 2>&1; then
        $docker start "$name" >/dev/null
        echo "The container that was there before is back." >&2
    fi
}

if [ "${1:-}" = stop ]; then
    stop
    echo "Out of service."
    exit 0
fi

if has_docker; then
    build
    replace_container || { put_back; exit 1; }
    how="container $name"
else
    echo "No Docker here: serving as a process."
    mkdir -p .modelwright
    stop_process
    nohup $modelwright serve . --port "$port" --workers 1 >.modelwright/deployed.log 2>&1 </dev/null &
    echo $! >"$pidfile"
    how="process $(cat "$pidfile")"
fi

if ! ./wait-healthy.sh "$url" "${WAIT:-60}" || ! ./try.sh "$url"; then
    echo "The deployment failed; what it said:" >&2
    if has_docker; then put_back; else tail -n 50 .modelwright/deployed.log >&2; fi
    exit 1
fi
if has_docker; then $docker rm -f "$name-before" >/dev/null 2>&1 || true; fi
echo "Deployed: $url ($how)"
