#!/usr/bin/env bash
# `make up`: starts the stack in the background. Running it twice is fine: what runs is left alone, what has changed
# is replaced.
source "$(dirname "${BASH_SOURCE[0]}")/stack.sh"

lock_state
start_stack
say "It runs in the background; make down stops it."
