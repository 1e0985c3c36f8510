#!/bin/sh
# Writes the .env of docker-compose.yml: .env.example with a random value for each secret, readable for its owner alone.
# One that is there stays as it is.
set -eu
umask 077

root=$(cd "$(dirname "$0")/../.." && pwd)
file=${1:-$root/.env}
if [ -e "$file" ]; then
  echo "$file is there already" >&2
  exit 1
fi

secret() { od -An -vtx1 -N32 /dev/urandom | tr -d ' \n'; }

while IFS= read -r line; do
  case $line in
    JWT_SECRET= | SERVICE_KEY= | POSTGRES_PASSWORD= | GRAFANA_PASSWORD=) echo "$line$(secret)" ;;
    *) printf '%s\n' "$line" ;;
  esac
done <"$root/.env.example" >"$file.new"
mv "$file.new" "$file"
echo "$file has the secrets now. Its GRAFANA_PASSWORD is that of Grafana's user admin."
