#!/bin/sh
# What the nginx of docker-compose.yml starts with: a server with TLS is added when there is a certificate.
set -eu

configuration=/etc/parlance/nginx
state=/tmp/parlance
certificate=$configuration/certificates/tls.crt
key=$configuration/certificates/tls.key

rm -rf "$state"
mkdir -p "$state/enabled"
if [ -e "$certificate" ] || [ -e "$key" ]; then
  for file in "$certificate" "$key"; do
    if [ ! -r "$file" ]; then
      echo "$file is missing, or user $(id -u) cannot read it" >&2
      exit 1
    fi
  done
  cp "$configuration/tls.conf" "$state/enabled/tls.conf"
fi
exec nginx -e stderr -c "$configuration/nginx.conf" -g 'daemon off;'
