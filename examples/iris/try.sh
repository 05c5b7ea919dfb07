#!/bin/sh
# Ask the service at URL what it must know: a setosa, and that a flower of minus one centimetre is none.
#
#   try.sh URL
set -eu
url="$1"
answer="$(curl -fsS "$url/predict" -H 'content-type: application/json' -d '{"features": [5.1, 3.5, 1.4, 0.2]}')"
case "$answer" in
*'"prediction_name":"setosa"'*) echo "A setosa is known: $answer" ;;
*)
    echo "This is no setosa's answer: $answer" >&2
    exit 1
    ;;
esac
status="$(curl -s -o /dev/null -w '%{http_code}' "$url/predict" -H 'content-type: application/json' -d '{"features": [5.1, 3.5, -1, 0.2]}')"
if [ "$status" != 400 ]; then
    echo "A measurement below zero was answered with $status, not 400." >&2
    exit 1
fi
echo "A measurement below zero is refused."
