# shellcheck shell=bash
# Finds ports on the loopback address. Sourced; needs settings.sh.

# port_busy PORT: something accepts connections there.
port_busy() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Below the range that the kernel hands to outgoing connections, so that none of those takes the port meanwhile.
free_port() {
  local port
  for _ in {1..200}; do
    port=$((20000 + RANDOM % 12000))
    if ! port_busy "$port" && ! grep -qsx "$port" "$STATE"/port/*; then
      echo "$port"
      return
    fi
  done
  die "no free port found between 20000 and 32000"
}

# port_of NAME [PROCESS]: a port of a process of the stack, the same as the last time wherever that is possible.
port_of() {
  local file=$STATE/port/$1
  if [[ -s $file ]] && { running "${2:-$1}" >/dev/null 2>&1 || ! port_busy "$(<"$file")"; }; then
    cat "$file"
    return
  fi
  free_port | tee "$file"
}

# Says who has a fixed port, as far as the caller may know, and what to do.
refuse_busy_port() {
  local port=$1 owner=
  if command -v ss >/dev/null; then
    owner=$(ss -Hltnp "sport = :$port" 2>/dev/null | sed -n 's/.*users:((\(.*\)))/ by \1/p' | head -n 1)
  fi
  die "port $port is already in use$owner. Stop that program, or choose another port: PARLANCE_PORT=8090 make up"
}
