#!/usr/bin/env bash
# `make down`: stops every process of the stack, and only those. The data stay in .local/.
source "$(dirname "${BASH_SOURCE[0]}")/stack.sh"

lock_state
stop_all
say "Stopped. The data are kept in $STATE; removing that folder starts afresh."
