# shellcheck shell=bash
# The whole stack, in the order in which its parts need each other. Sourced by up.sh, run.sh and down.sh.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$(dirname "${BASH_SOURCE[0]}")/ports.sh"
source "$(dirname "${BASH_SOURCE[0]}")/process.sh"
source "$(dirname "${BASH_SOURCE[0]}")/redis.sh"
source "$(dirname "${BASH_SOURCE[0]}")/postgres.sh"
source "$(dirname "${BASH_SOURCE[0]}")/nginx.sh"
source "$(dirname "${BASH_SOURCE[0]}")/services.sh"

STACK=(redis postgres gateway-1 gateway-2 worker-1 nginx)

# One start or stop at a time; the lock goes with the process or with unlock_state.
lock_state() {
  prepare_state
  exec 9>"$STATE/lock"
  flock -n 9 || die "another start or stop is at work in $STATE"
}

unlock_state() { exec 9>&-; }

# Leaves alone what runs already. What a failed start has begun is stopped again.
start_stack() {
  # Said before the build, which takes minutes.
  if ! running nginx >/dev/null && port_busy "$PARLANCE_PORT"; then refuse_busy_port "$PARLANCE_PORT"; fi
  bash "$ROOT/deploy/local/install.sh" redis postgres nginx curl linker
  build_binaries
  trap 'stop_started' EXIT
  say "Starting the stack in $STATE"
  start_redis
  start_postgres
  service_environment
  migrate
  start_gateway gateway-1
  local first=$GATEWAY_PORT
  start_gateway gateway-2
  local second=$GATEWAY_PORT
  start_worker worker-1
  wait_service gateway-1
  wait_service gateway-2
  wait_service worker-1
  start_nginx "$first" "$second"
  write_env "$first" "$second"
  introduce
  trap - EXIT
}

# For people's shells and for load tests: `. .local/env`. URLs in the plural are separated by spaces.
write_env() {
  (umask 077 && cat >"$STATE/env") <<EOF
PARLANCE_URL=$PARLANCE_URL
GATEWAY_URLS="http://127.0.0.1:$1 http://127.0.0.1:$2"
GATEWAY_ADMIN_URLS="$(admin_url gateway-1) $(admin_url gateway-2)"
WORKER_ADMIN_URL=$(admin_url worker-1)
REDIS_URL=$REDIS_URL
DATABASE_URL=$DATABASE_URL
JWT_SECRET=$JWT_SECRET
SERVICE_KEY=$SERVICE_KEY
EOF
}

# A conversation with two people in it, and what it takes to say the first word there.
introduce() {
  local alice bob
  create_lobby
  alice=$("$BIN/gateway" mint-token --user alice --name Alice --ttl 24h)
  bob=$("$BIN/gateway" mint-token --user bob --name Bob --ttl 24h)
  cat <<EOF

Parlance is at $PARLANCE_URL (addresses and secrets: $STATE/env, logs: $STATE/log)

Alice's token, good for a day:
$alice
Bob's:
$bob

Both side by side in your browser, to connect, join and send with a click:
$PARLANCE_URL/try#one=$alice&two=$bob

Alice says hello to Bob (in Node, where socket.io-client is installed: npm install socket.io-client):

const socket = require("socket.io-client")("$PARLANCE_URL", { auth: { token: "$alice" } });
socket.emit("message:send", { conversationId: "lobby", content: "Hello, Bob!" }, (reply) => console.log(reply));

EOF
}

# The conversation stays from one start to the next: then it is answered that it exists.
create_lobby() {
  local status
  # The key goes in by standard input: an argument could be read by every user of the machine.
  status=$(curl -sS -m 30 -o "$STATE/log/lobby.json" -w '%{http_code}' -K - "$PARLANCE_URL/v1/conversations" <<EOF
header = "Authorization: Bearer $SERVICE_KEY"
header = "X-Act-As: alice"
header = "Content-Type: application/json"
data = "{\"id\":\"lobby\",\"title\":\"Lobby\",\"participants\":[\"alice\",\"bob\"]}"
EOF
  )
  case $status in
    200 | 201 | 409) ;;
    *) die "the conversation lobby could not be created: status $status, $(cat "$STATE/log/lobby.json" 2>/dev/null)" ;;
  esac
}
