# shellcheck shell=bash
# Parlance's own processes. Sourced; needs settings.sh, ports.sh, process.sh, and REDIS_URL and DATABASE_URL.

build_binaries() {
  say "Building the gateway and the worker ($PROFILE profile)"
  (cd "$ROOT" && cargo build --locked --profile "$PROFILE" -p parlance-gateway -p parlance-worker)
}

# What every process is told. Exported by the callers, so that no secret stands on a command line.
service_environment() {
  # Other names of settings that are made here: an application's shell may have them, with other values.
  unset SOCKET_PORT SOCKET_IO_PORT JWT_ACCESS_SECRET_KEY
  export REDIS_URL DATABASE_URL HOST=127.0.0.1
  export PARLANCE__ADMIN__HOST=127.0.0.1
  export RUST_LOG=${RUST_LOG:-info}
  JWT_SECRET=$(secret jwt)
  SERVICE_KEY=$(secret service-key)
  export JWT_SECRET PARLANCE__AUTH__SERVICE_KEYS=$SERVICE_KEY
  # Both gateways share the folder.
  export PARLANCE__UPLOADS__STORE=${PARLANCE__UPLOADS__STORE:-file://$STATE/uploads}
  # All dialects that come with the gateway, and the page to try them on.
  export PARLANCE__GATEWAY__DIALECTS=${PARLANCE__GATEWAY__DIALECTS:-all}
  export PARLANCE__SERVER__TRY_PAGE=${PARLANCE__SERVER__TRY_PAGE:-true}
  # Nobody waits long for `make down`.
  export PARLANCE__DRAIN__SPREAD=${PARLANCE__DRAIN__SPREAD:-2s}
  # nginx stands in front.
  export PARLANCE__SERVER__TRUSTED_HOPS=${PARLANCE__SERVER__TRUSTED_HOPS:-1}
}

migrate() {
  "$BIN/worker" migrate >>"$STATE/log/migrate.log" 2>&1 && return
  tail -n 30 "$STATE/log/migrate.log" >&2
  die "worker migrate failed"
}

# A process is replaced when its binary or what it is told has changed.
service_stamp() {
  {
    stat -c '%Y %s' "$BIN/$1"
    printf '%s\n' "$REDIS_URL" "$DATABASE_URL" "$RUST_LOG" "$JWT_SECRET" "${CLIENT_URL:-}"
    env | grep '^PARLANCE__' | sort
  } | cksum
}

# start_gateway NAME: sets GATEWAY_PORT.
start_gateway() {
  GATEWAY_PORT=$(port_of "$1")
  local -x PORT=$GATEWAY_PORT PARLANCE__ADMIN__PORT
  PARLANCE__ADMIN__PORT=$(port_of "$1-admin" "$1")
  keep_or_start "$1" "$(service_stamp gateway)" "$BIN/gateway" run
}

start_worker() {
  local -x PARLANCE__ADMIN__PORT
  PARLANCE__ADMIN__PORT=$(port_of "$1-admin" "$1")
  keep_or_start "$1" "$(service_stamp worker)" "$BIN/worker" run
}

admin_url() { printf "http://127.0.0.1:%s" "$(port_of "$1-admin" "$1")"; }

wait_service() {
  wait_ready "$1" 60 curl -fsS -m 5 "$(admin_url "$1")/ready"
}
