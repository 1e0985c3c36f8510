# shellcheck shell=bash
# A private Redis under $STATE/redis. Sourced; needs settings.sh, ports.sh, process.sh.

# start_redis [OPTION…]: with deploy/redis/redis.conf; options stand after it and win. Sets REDIS_PORT and REDIS_URL.
start_redis() {
  local version
  version=$("$REDIS_SERVER" --version | sed -n 's/.* v=\([0-9]*\)\..*/\1/p')
  ((${version:-0} >= 7)) || die "$REDIS_SERVER is version ${version:-unknown}, but 7.0 or later is needed \
(Debian 12, Ubuntu 24.04 and later have it). REDIS_SERVER=/path/to/redis-server names another one"

  REDIS_PORT=$(port_of redis)
  REDIS_URL=redis://127.0.0.1:$REDIS_PORT
  keep_or_start redis "$(cksum <"$ROOT/deploy/redis/redis.conf")" \
    "$REDIS_SERVER" "$ROOT/deploy/redis/redis.conf" \
    --port "$REDIS_PORT" --bind 127.0.0.1 --dir "$STATE/redis" --daemonize no "$@"
  wait_ready redis 60 redis_answers
}

# A Redis that still reads its append-only file answers LOADING.
redis_answers() {
  [[ $(redis-cli -h 127.0.0.1 -p "$REDIS_PORT" ping) == PONG ]]
}
