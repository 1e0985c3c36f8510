# shellcheck shell=bash
# A private Postgres under $STATE/postgres, never as root. Sourced; needs settings.sh, ports.sh, process.sh.

# start_postgres [OPTION…]: sets POSTGRES_PORT and DATABASE_URL (database "parlance", owned by the role "parlance").
start_postgres() {
  local data password
  find_postgres
  prepare_postgres_folder
  data=$(readlink -f "$STATE/postgres")/data
  password=$(secret postgres)
  use_the_version_of "$data"
  as_postgres test -s "$data/PG_VERSION" || create_cluster "$data" "$password"

  POSTGRES_PORT=$(port_of postgres)
  DATABASE_URL=postgres://parlance:$password@127.0.0.1:$POSTGRES_PORT/parlance
  local command=("$PG_BIN/postgres" -D "$data" -c listen_addresses=127.0.0.1 -c port="$POSTGRES_PORT"
    -c unix_socket_directories= -c max_connections=200 "$@")
  local before=$PWD
  cd / # Postgres refuses to start in a folder that its user cannot enter.
  if ((EUID == 0)); then
    keep_or_start postgres "" setpriv "${AS_POSTGRES[@]}" "${PRIVILEGES[@]}" -- "${command[@]}"
  else
    keep_or_start postgres "" "${command[@]}"
  fi
  cd "$before" || exit
  wait_ready postgres 60 "$PG_BIN/pg_isready" -q -h 127.0.0.1 -p "$POSTGRES_PORT"
  PGPASSWORD=$password "$PG_BIN/psql" -qtA -d "${DATABASE_URL%/*}/postgres" \
    -c "select 1 from pg_database where datname = 'parlance'" | grep -q 1 ||
    PGPASSWORD=$password "$PG_BIN/createdb" -h 127.0.0.1 -p "$POSTGRES_PORT" -U parlance parlance
}

AS_POSTGRES=(--reuid=postgres --regid=postgres --init-groups)

# As the system user "postgres" when the caller is root, otherwise as the caller.
as_postgres() {
  if ((EUID == 0)); then
    (cd / && exec setpriv "${AS_POSTGRES[@]}" -- "$@")
  else
    "$@"
  fi
}

# Debian keeps the server's programs out of the PATH, one folder a version: the newest is taken.
find_postgres() {
  [[ -n $PG_BIN ]] && return
  local candidate
  candidate=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
  if [[ -x $candidate ]]; then
    PG_BIN=${candidate%/postgres}
  elif candidate=$(command -v postgres); then
    PG_BIN=${candidate%/postgres}
  else
    die "no Postgres found; PG_BIN=/path/to/postgres/bin names its folder"
  fi
}

# A data folder can be read only by the major version that made it.
use_the_version_of() {
  local version
  version=$(as_postgres cat "$1/PG_VERSION" 2>/dev/null) || return 0
  [[ $("$PG_BIN/postgres" --version) == *" $version"[.\ ]* ]] && return
  [[ -x /usr/lib/postgresql/$version/bin/postgres ]] ||
    die "$1 was made by Postgres $version, which is not installed any more. Install it, or remove the folder with its data"
  PG_BIN=/usr/lib/postgresql/$version/bin
}

# $STATE/postgres is a folder of the user that runs Postgres. Where that user cannot reach it (a checkout below /root),
# it is a link to a folder in that user's home.
prepare_postgres_folder() {
  local folder=$STATE/postgres
  if [[ ! -e $folder ]]; then
    mkdir "$folder"
    ((EUID != 0)) || chown postgres:postgres "$folder"
  fi
  chmod 700 "$(readlink -f "$folder")"
  as_postgres test -w "$folder" && return
  local home
  home=$(getent passwd postgres | cut -d: -f6)/parlance-$(printf '%s' "$STATE" | cksum | cut -d' ' -f1)
  say "  the user postgres cannot enter $folder: the data are in $(readlink -f "$home")"
  [[ -L $folder ]] || rmdir "$folder" || die "$folder holds data that the user postgres cannot reach"
  as_postgres mkdir -p -m 700 "$home" || die "the user postgres cannot create $home"
  ln -sfn "$home" "$folder"
}

create_cluster() {
  local data=$1 password=$2
  say "  creating a Postgres cluster in $data"
  # The password goes in by standard input: an argument could be read by every user of the machine.
  # shellcheck disable=SC2016 # expanded by the inner shell
  printf '%s\n' "$password" | as_postgres bash -c '
    umask 077 && rm -rf "$2" && cat >"$2.password" &&
    "$1/initdb" --pgdata="$2" --username=parlance --pwfile="$2.password" --auth=scram-sha-256 \
      --encoding=UTF8 --locale=C.UTF-8 --no-instructions
    status=$?; rm -f "$2.password"; exit $status
  ' - "$PG_BIN" "$data" >>"$STATE/log/postgres.log" 2>&1 || {
    tail -n 20 "$STATE/log/postgres.log" >&2
    die "initdb failed"
  }
}
