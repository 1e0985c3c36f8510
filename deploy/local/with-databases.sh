#!/usr/bin/env bash
# Runs a command with a Redis and a Postgres of its own, on free ports and in a folder that is removed afterwards:
#   with-databases.sh COMMAND…   sees PARLANCE_TEST_REDIS_URL and PARLANCE_TEST_DATABASE_URL
# Both end with this script, in whatever way it ends.
PARLANCE_STATE=$(mktemp -d "${TMPDIR:-/tmp}/parlance-test.XXXXXX")
export PARLANCE_STATE
source "$(dirname "${BASH_SOURCE[0]}")/stack.sh"

# shellcheck disable=SC2317 # called by the trap
finish() {
  local folder
  stop_started
  # Below a folder that the user postgres cannot enter this is a link to one in that user's home.
  folder=$(readlink -f "$STATE/postgres" || true)
  rm -rf "$STATE" "${folder:-$STATE/postgres}"
}

prepare_state
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
PRIVILEGES=(--pdeathsig INT)
start_redis
# What is lost when the machine dies does not matter here; speed does.
start_postgres -c fsync=off -c synchronous_commit=off -c full_page_writes=off
export PARLANCE_TEST_REDIS_URL=$REDIS_URL PARLANCE_TEST_DATABASE_URL=$DATABASE_URL

# The command gets a process group of its own, so that a signal to this script ends all of it and is not waited for.
set -m
"$@" </dev/null &
child=$!
set +m
trap 'kill -INT -- "-$child"' INT
trap 'kill -TERM -- "-$child"' TERM HUP
status=0
while kill -0 "$child" 2>/dev/null; do
  status=0
  wait "$child" || status=$?
done
exit "$status"
