#!/usr/bin/env bash
# Installs what is missing, by apt, and says so first. Usage: install.sh TOOL… with the tools of the table below.
# What is there already, in whatever way it came, is left as it is. A service that a package of this run started is
# stopped again: the stack has its own Redis, Postgres and nginx.
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# How each tool is found, which packages bring it, and which services these start.
has_redis() { command -v "$REDIS_SERVER" redis-cli >/dev/null; }
has_postgres() { [[ -n $PG_BIN ]] || command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }
has_nginx() { command -v nginx >/dev/null; }
has_haproxy() { command -v haproxy >/dev/null; }
has_prometheus() { command -v prometheus && command -v promtool; } >/dev/null
has_openssl() { command -v openssl >/dev/null; }
has_curl() { command -v curl >/dev/null; }
has_linker() { command -v cc >/dev/null; }
has_python() { python3 -c 'import ensurepip, venv' 2>/dev/null; }
has_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null
has_node() { command -v node >/dev/null && command -v npm >/dev/null; }

declare -A PACKAGES=(
  [redis]="redis-server" [postgres]="postgresql" [nginx]="nginx" [curl]="curl"
  [linker]="gcc libc6-dev" [node]="nodejs npm" [python]="python3 python3-venv"
  [chromium]="chromium" [prometheus]="prometheus" [openssl]="openssl" [haproxy]="haproxy"
)
declare -A SERVICES=([redis]="redis-server" [postgres]="postgresql" [nginx]="nginx" [prometheus]="prometheus" [haproxy]="haproxy")

main() {
  local tool missing=() packages=() services=()
  for tool in "$@"; do
    [[ -v "PACKAGES[$tool]" ]] || die "install.sh does not know $tool"
    "has_$tool" || missing+=("$tool")
  done
  if ((${#missing[@]})); then
    for tool in "${missing[@]}"; do
      # shellcheck disable=SC2206 # several words are several packages
      packages+=(${PACKAGES[$tool]})
      # shellcheck disable=SC2206 # none is no element
      services+=(${SERVICES[$tool]:-})
    done
    install_packages "${packages[@]}"
    stop_services "${services[@]}"
    for tool in "${missing[@]}"; do
      "has_$tool" || die "$tool is still missing after the installation of ${PACKAGES[$tool]}"
    done
  fi
  check_toolchain "$@"
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

install_packages() {
  command -v apt-get >/dev/null || die "missing here: $*. Only Debian and Ubuntu are installed automatically; \
install them with your own package manager"
  ((EUID == 0)) || command -v sudo >/dev/null || die "missing here: $*. Install them as root: apt-get install $*"
  say "Missing here: $*. Installing now$( ((EUID == 0)) || echo ' with sudo'): apt-get install $*"
  as_root apt-get -qq update || warn "apt-get update failed; trying with the package lists that are there"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@"
}

# Only services whose package came in this run: none of them can have been in use before.
stop_services() {
  local service
  for service in "$@"; do
    if [[ -d /run/systemd/system ]]; then
      as_root systemctl --quiet disable --now "$service" || true
    elif [[ -x /etc/init.d/$service ]]; then
      as_root "/etc/init.d/$service" stop >/dev/null 2>&1 || true
    fi
  done
}

check_toolchain() {
  local tool version
  for tool in "$@"; do
    case $tool in
      linker) command -v cargo >/dev/null || die "no Rust toolchain found (cargo). Install one, for example with rustup" ;;
      node)
        version=$(node -p 'const [a, b] = process.versions.node.split("."); a * 1000 + +b')
        ((version >= 18019)) || die "Node.js 18.19 or later is needed for the tests, here is $(node --version)"
        ;;
    esac
  done
}

main "$@"
