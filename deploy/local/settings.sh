# shellcheck shell=bash
# Where things are and what may be set from outside. Sourced by every script here; starts nothing.
#
#   PARLANCE_PORT     port of nginx, the stack's front door            (8080)
#   PARLANCE_ADDRESS  address that nginx listens on                    (127.0.0.1)
#   PARLANCE_STATE    folder for data, logs, pids and secrets          (.local)
#   PROFILE           cargo profile of the binaries: dev or release    (dev)
#   REDIS_SERVER      a redis-server other than the one on the PATH
#   PG_BIN            folder of the Postgres binaries

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PARLANCE_PORT=${PARLANCE_PORT:-8080}
PARLANCE_ADDRESS=${PARLANCE_ADDRESS:-127.0.0.1}
STATE=$(realpath -m "${PARLANCE_STATE:-$ROOT/.local}")
PROFILE=${PROFILE:-dev}
REDIS_SERVER=${REDIS_SERVER:-redis-server}
PG_BIN=${PG_BIN:-}

# nginx lives in /usr/sbin, which Debian leaves out of a user's PATH; rustup's folder is missing from a fresh shell's.
PATH=$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin
export PATH

case $PROFILE in
  dev | debug) PROFILE=dev BIN=${CARGO_TARGET_DIR:-$ROOT/target}/debug ;;
  *) BIN=${CARGO_TARGET_DIR:-$ROOT/target}/$PROFILE ;;
esac

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
  warn "error: $*"
  exit 1
}

# The folder can be entered by others, because Postgres runs as another user when the caller is root; what is secret
# in it is readable for its owner alone.
prepare_state() {
  mkdir -p "$STATE"/{log,pid,port,secret,redis,nginx}
  chmod 711 "$STATE"
  chmod 700 "$STATE"/{log,pid,port,secret,redis,nginx}
}

# secret NAME: a random value that is made once and kept.
secret() {
  local file=$STATE/secret/$1
  if [[ ! -s $file ]]; then
    (umask 077 && od -An -vtx1 -N32 /dev/urandom | tr -d ' \n' >"$file")
  fi
  cat "$file"
}
