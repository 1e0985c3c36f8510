# shellcheck shell=bash
# nginx in front of the gateways. Sourced; needs settings.sh, ports.sh, process.sh.

NGINX_SHARED=$ROOT/deploy/nginx

# start_nginx PORT…: the ports of the gateways. Sets PARLANCE_URL.
start_nginx() {
  local folder=$STATE/nginx address=$PARLANCE_ADDRESS
  render_nginx "$folder" "$@" >"$folder/nginx.conf"
  nginx -e stderr -t -q -p "$folder" -c "$folder/nginx.conf" || die "nginx refuses $folder/nginx.conf"
  if ! running nginx >/dev/null && port_busy "$PARLANCE_PORT"; then refuse_busy_port "$PARLANCE_PORT"; fi
  keep_or_start nginx "$(cat "$folder/nginx.conf" "$NGINX_SHARED"/{http,server}.conf | cksum)" \
    nginx -e stderr -p "$folder" -c "$folder/nginx.conf"
  [[ $address != 0.0.0.0 ]] || address=127.0.0.1
  PARLANCE_URL=http://$address:$PARLANCE_PORT
  wait_ready nginx 10 curl -fsS -m 5 "$PARLANCE_URL/health"
}

render_nginx() {
  local folder=$1 port servers='' user='' files connections
  shift
  for port in "$@"; do servers+="    server 127.0.0.1:$port max_fails=0;\\n"; done
  # Started by root, nginx would change to a user that cannot write below a checkout in /root.
  ((EUID != 0)) || user='user root;'
  # Each client takes two descriptors; more connections than descriptors would be a promise that nginx warns about.
  files=$(ulimit -n)
  [[ $files != unlimited ]] && ((files < 65536)) || files=65536
  connections=$((files - 64))
  sed -e "s|@USER@|$user|; s|@STATE@|$folder|; s|@CONNECTIONS@|$connections|" \
    -e "s|@LISTEN@|$PARLANCE_ADDRESS:$PARLANCE_PORT|; s|@SERVERS@|${servers%\\n}|; s|@SHARED@|$NGINX_SHARED|" \
    "$ROOT/deploy/local/nginx.conf.template"
}
