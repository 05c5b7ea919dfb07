#!/bin/sh
# Wait until the service at URL may be sent requests, at most SECONDS (60).
#
#   wait-healthy.sh URL [SECONDS]
set -eu
url="$1"
left="${2:-60}"
until curl -fs "$url/health/ready" >/dev/null 2>&1; do
    left=$((left - 1))
    if [ "$left" -le 0 ]; then
        echo "The service at $url is not healthy." >&2
        exit 1
    fi
    sleep 1
done
echo "The service at $url is healthy."
