#!/usr/bin/env bash
# Opens a complaint over HTTP, answers it, reads where it stands, lists and streams the record table.
#   OMBUD_TOKEN=$(cat data/token) docs/examples/complaint.sh
set -euo pipefail

url=${OMBUD_URL:-http://127.0.0.1:8080/v1}
: "${OMBUD_TOKEN:?set it to a token: ombud token create …}"
reference=${1:-S-$(date +%s)}

call() { # method, path, and what else curl should know; ends with an error where the answer is one
    local method=$1 path=$2
    shift 2
    # The token stands in a file of its own, since whoever lists processes sees every argument.
    curl --silent --show-error --fail-with-body --request "$method" "$url$path" \
        --header @<(printf 'Authorization: Bearer %s\n' "$OMBUD_TOKEN") "$@"
    echo
}

json() { call POST "$1" --header 'Content-Type: application/json' --data "$2" "${@:3}"; }

# The reference is the key: the same content sent again opens nothing.
json /complaints '{
  "contract": "maintenance-service", "reference": "'"$reference"'", "kind": "enquiry", "category": "usage",
  "channel": "phone", "received_at": "'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'", "content": "How do I descale it?"
}'

# The Idempotency-Key is yours, such as the number of the event in your system: sent again, it gets the same answer.
json "/complaints/maintenance-service/$reference/commands/answer" \
    '{"text": "With citric acid, cold.", "by": {"role": "handler.owner", "person": "chen.lin"}}' \
    --header "Idempotency-Key: $reference-1"

# Postgres follows a moment behind.
until call GET "/complaints/maintenance-service/$reference/clocks" | grep '"met"'; do sleep 0.2; done

call GET '/records?contract=maintenance-service&limit=2'
call GET '/records/counts?by=stage'
call GET '/records.csv?contract=maintenance-service' | grep "$reference"
