#!/usr/bin/env bash
# Runs one load test: make k6 SCENARIO=steady_chat TARGET=https://chat.example.org
#
#   SCENARIO  smoke, steady_chat, connect_storm, reconnect_storm or soak   (smoke)
#   TARGET    the deployment's URL                                         (the local stack's, from .local/env)
#   SUMMARY   a file that the figures are written to as JSON
#   K6        the k6 to use                                                (that on the PATH, else e2e/.venv/bin/k6)
#
# JWT_SECRET and SERVICE_KEY are those of the deployment; for the local stack they come from .local/env. What else can be
# set stands in loadtest/README.md. The exit status is that of k6: 0 when every threshold held.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
state=${PARLANCE_STATE:-$root/.local}

die() {
  printf 'error: %s\n' "$*" >&2
  exit 64
}

find_k6() {
  if [[ -n ${K6:-} ]]; then
    printf '%s' "$K6"
  elif command -v k6; then
    :
  elif [[ -x $root/e2e/.venv/bin/k6 ]]; then
    printf '%s' "$root/e2e/.venv/bin/k6"
  else
    die "k6 is not installed: see https://grafana.com/docs/k6, or make e2e/.venv/installed"
  fi
}

loopback() { [[ $1 =~ ^https?://(127\.[0-9.]+|localhost|\[::1\])(:[0-9]+)?(/|$) ]]; }

# of_stack NAME: what the local stack has written down.
of_stack() { [[ ! -r $state/env ]] || (source "$state/env" && printf '%s' "${!1:-}"); }

scenario=${SCENARIO:-smoke}
script=$root/loadtest/k6/$scenario.js
[[ $scenario =~ ^[a-z_]+$ && -f $script ]] || die "there is no scenario $scenario: see loadtest/README.md"

if [[ -z ${TARGET:-} ]]; then
  TARGET=$(of_stack PARLANCE_URL)
  TARGET=${TARGET:-http://127.0.0.1:8080}
  loopback "$TARGET" || die "$TARGET is not on this machine: name it with TARGET= if you mean it"
fi

# The local stack's secrets are sent to nobody else.
if loopback "$TARGET"; then
  JWT_SECRET=${JWT_SECRET:-$(of_stack JWT_SECRET)}
  SERVICE_KEY=${SERVICE_KEY:-$(of_stack SERVICE_KEY)}
fi
[[ -n ${JWT_SECRET:-} ]] || die "JWT_SECRET is not set: the secret that $TARGET verifies tokens with"
[[ -n ${SERVICE_KEY:-} ]] || die "SERVICE_KEY is not set: one of the service keys of $TARGET"
export TARGET JWT_SECRET SERVICE_KEY

k6=$(find_k6)
exec "$k6" run --no-usage-report ${SUMMARY:+--summary-export "$SUMMARY"} "$@" "$script"
