#!/bin/sh
# Asks everything that `make up` started for what it is there for, with a table of its own that it drops in the end.
# Exits with 1 and the reason at the first thing that is wrong. Needs curl.
#
# GATEWAY_URL and DASHBOARDS_URL say where (by .env); DASHBOARDS_URL=none leaves Dashboards out.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
env_file=${ENV_FILE:-$here/.env}
# shellcheck source=/dev/null
. "$env_file"
gateway=${GATEWAY_URL:-http://${BIND_ADDRESS:-127.0.0.1}:${GATEWAY_PORT:-8000}}
dashboards=${DASHBOARDS_URL:-http://${BIND_ADDRESS:-127.0.0.1}:${DASHBOARDS_PORT:-5601}}
wait_s=${WAIT_S:-180}
table=smoke_$$
work=$(mktemp -d)
made=

fail() {
    echo "smoke: $*" >&2
    exit 1
}

# Passwords go by a file: a command line can be read by everybody.
credentials() {
    printf 'user = "%s:%s"\n' "$2" "$3" > "$work/$1.curl"
}

# ask CREDENTIALS METHOD URL [curl's options]: the body is in $work/body afterwards, the status in $status.
ask() {
    ask_as=$1 ask_method=$2 ask_url=$3
    shift 3
    status=$(curl -sS -m 60 -K "$work/$ask_as.curl" -X "$ask_method" -o "$work/body" -w '%{http_code}' "$@" "$ask_url") ||
        fail "no answer from $ask_url"
}

# wants WHAT STATUS TEXT: the last answer has the status and, in its body, the text.
wants() {
    [ "$status" = "$2" ] || fail "$1: HTTP $status instead of $2: $(head -c 500 "$work/body")"
    grep -qF -- "$3" "$work/body" || fail "$1: no $3 in $(head -c 500 "$work/body")"
    echo "ok  $1"
}

leave() {
    if [ -n "$made" ]; then
        curl -s -m 60 -K "$work/admin.curl" -X DELETE -o "$work/body" "$gateway/admin/tables/$table" || true
    fi
    rm -rf "$work"
}
trap leave EXIT

umask 077
credentials admin admin "$GATEWAY_ADMIN_PASSWORD"
credentials wrong admin wrong
json='Content-Type: application/json'

waited=0
until [ "$(curl -s -m 5 -o "$work/body" -w '%{http_code}' "$gateway/readyz")" = 200 ]; do
    [ "$waited" -lt "$wait_s" ] || fail "the gateway at $gateway is not ready after $wait_s s: $(cat "$work/body" 2> /dev/null)"
    waited=$((waited + 1))
    sleep 1
done
echo "ok  the gateway is ready"

ask wrong GET "$gateway/admin/tables"
wants "a wrong password is refused" 401 '"code":"401"'

cat > "$work/table.json" << EOF
{"name": "$table", "schema": {"fields": [
  {"field_name": "id", "field_type": "INT64"},
  {"field_name": "title", "field_type": "STRING"},
  {"field_name": "vector_source_image", "field_type": "STRING"},
  {"field_name": "vector", "field_type": "FLOAT", "multi_value": true,
   "user_defined_param": {"vector_model": "builtin", "vector_modal": "image",
                          "vector_source_field": "vector_source_image"}}]}}
EOF
ask admin POST "$gateway/admin/tables" -H "$json" --data-binary "@$work/table.json"
wants "a table is made" 201 "\"$table\""
made=1

{
    printf '['
    number=0
    for name in astronaut chelsea; do
        number=$((number + 1))
        [ "$number" = 1 ] || printf ','
        printf '{"cmd":"add","fields":{"id":%s,"title":"%s","vector_source_image":"' "$number" "$name"
        base64 < "$here/../examples/general/$name.jpg" | tr -d '\n'
        printf '"}}'
    done
    printf ']'
} > "$work/rows.json"
ask admin POST "$gateway/update/$table/actions/bulk" -H "$json" --data-binary "@$work/rows.json"
wants "pictures are pushed" 200 '"status":"OK"'

cat > "$work/search.json" << EOF
{"query": {"vector": {"index": "vector", "text": "a cat", "n": 1}}, "output_fields": ["title"]}
EOF
ask admin POST "$gateway/v1/tables/$table/search" -H "$json" --data-binary "@$work/search.json"
wants "words find the picture" 200 chelsea

ask admin GET "$gateway/images/$table/2?size=160"
wants "its thumbnail is shown" 200 JFIF

ask admin GET "$gateway/metrics"
wants "metrics are counted" 200 'havengate_'

if [ "$dashboards" = none ]; then
    echo "--  Dashboards was not asked"
else
    credentials dashboards admin "$OPENSEARCH_ADMIN_PASSWORD"
    ask dashboards GET "$dashboards/api/status"
    wants "Dashboards answers" 200 '"overall"'
    # Its plugins have states, too.
    grep -qE '"overall": *\{[^}]*"state": *"green"' "$work/body" || fail "Dashboards is not green: $(head -c 500 "$work/body")"
    echo "ok  Dashboards is green"
fi

ask admin DELETE "$gateway/admin/tables/$table"
wants "the table is dropped" 200 ''
made=
