# shellcheck shell=bash
# Starts, watches and ends the stack's processes, each by its own recorded pid. Sourced; needs settings.sh.
#
# pid/NAME holds "PID START STAMP": START is the kernel's start time of that process, so that a pid which was given to
# another program since is never taken for ours; STAMP tells whether it still runs what it would be started with now.

STARTED=()
# Options for setpriv in front of every process: with-databases.sh asks that they die with it, whatever ends it.
PRIVILEGES=()

# start_time PID: field 22 of /proc/PID/stat; the name in field 2 may hold spaces.
start_time() {
  local line
  line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  line=${line##*) }
  # shellcheck disable=SC2086 # the fields are wanted one by one
  set -- $line
  [[ $1 != Z ]] && echo "${20}"
}

# running NAME: prints the pid when that process is alive.
running() {
  local pid start rest
  read -r pid start rest 2>/dev/null <"$STATE/pid/$1" || return 1
  [[ $(start_time "$pid") == "$start" ]] && echo "$pid"
}

# keep_or_start NAME STAMP COMMAND…: leaves a process with the same stamp alone, replaces one with another stamp.
# It gets a session of its own, so that Ctrl-C in the terminal reaches only the script, which then stops all in order.
keep_or_start() {
  local name=$1 stamp pid
  stamp=$(printf '%s ' "${@:2}" | cksum | tr -d ' ')
  shift 2
  if pid=$(running "$name" 2>/dev/null); then
    if [[ $(cut -d' ' -f3 "$STATE/pid/$name") == "$stamp" ]]; then
      say "  $name runs already (pid $pid)"
      return
    fi
    say "  $name is replaced"
    stop_process "$name"
  fi
  # Descriptor 9 is the lock of up.sh: a process that kept it open would keep the lock.
  if ((${#PRIVILEGES[@]})) && [[ $1 != setpriv ]]; then set -- setpriv "${PRIVILEGES[@]}" -- "$@"; fi
  setsid "$@" >>"$STATE/log/$name.log" 2>&1 </dev/null 9>&- &
  pid=$!
  disown "$pid"
  echo "$pid $(start_time "$pid" || echo 0) $stamp" >"$STATE/pid/$name"
  STARTED+=("$name")
}

# stop_process NAME [SIGNAL]: asks, waits up to 30 s, then kills. Nothing to do is fine.
stop_process() {
  local name=$1 signal=${2:-TERM} pid
  if pid=$(running "$name" 2>/dev/null); then
    kill -s "$signal" "$pid" 2>/dev/null || true
    for _ in {1..300}; do
      running "$name" >/dev/null 2>&1 || break
      sleep 0.1
    done
    if running "$name" >/dev/null 2>&1; then
      warn "$name (pid $pid) did not end within 30 s and is killed"
      kill -s KILL "$pid" 2>/dev/null || true
    fi
  fi
  rm -f "$STATE/pid/$name"
}

# wait_ready NAME SECONDS COMMAND…: until the command succeeds; the log's end tells why when it does not.
wait_ready() {
  local name=$1 seconds=$2 deadline=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    running "$name" >/dev/null 2>&1 || give_up "$name" "ended instead of starting"
    ((SECONDS < deadline)) || give_up "$name" "was not ready within $seconds s"
    sleep 0.1
  done
}

give_up() {
  warn "--- the end of $STATE/log/$1.log:"
  tail -n 30 "$STATE/log/$1.log" >&2 || true
  warn "---"
  die "$1 $2"
}

# In this order nobody loses what it depends on while it ends. Postgres' SIGINT is its fast shutdown.
stop_all() {
  local name stopping=()
  stop_process nginx
  for name in gateway-1 gateway-2; do
    stop_process "$name" &
    stopping+=($!)
  done
  wait "${stopping[@]}"
  stop_process worker-1
  stop_process redis
  stop_process postgres INT
}

# Stops what this very script has started: for a start that failed half-way.
stop_started() {
  local index
  for ((index = ${#STARTED[@]} - 1; index >= 0; index--)); do
    stop_process "${STARTED[index]}" "$([[ ${STARTED[index]} == postgres ]] && echo INT || echo TERM)"
  done
}
