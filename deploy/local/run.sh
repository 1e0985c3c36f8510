#!/usr/bin/env bash
# `make run`: the stack in the foreground, with the logs of gateways and worker. Ctrl-C stops all of it.
source "$(dirname "${BASH_SOURCE[0]}")/stack.sh"

# show_log NAME: follows the log for as long as this script lives.
show_log() {
  tail -n 0 -F --pid=$$ "$STATE/log/$1.log" 2>/dev/null | sed -u "s/^/$1 | /" &
}

# Ends when a part of the stack does.
watch_stack() {
  local name
  while sleep 1; do
    for name in "${STACK[@]}"; do
      running "$name" >/dev/null || give_up "$name" "has ended"
    done
  done
}

finish() {
  trap '' INT TERM HUP
  say "Stopping"
  stop_all
}

lock_state
start_stack
unlock_state
trap finish EXIT
trap 'exit 0' INT TERM HUP
for name in gateway-1 gateway-2 worker-1; do show_log "$name"; done
say "Ctrl-C stops all of it."
watch_stack
