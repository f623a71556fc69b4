#!/usr/bin/env bash
# Runs the tests that boot guests by themselves, below the daemon: of the QEMU
# driver and of the agent. They boot the default kernel, which is pulled for
# them into a directory that is gone afterwards.
#
# usage: scripts/test-guests.sh [FLAG OF GO TEST]...
set -euo pipefail
cd "$(dirname "$0")/.."

readonly banger=build/bin/banger
BANGER_HOME=$(mktemp -d) # below /tmp: sockets' paths must be short
export BANGER_HOME

finish() {
	"$banger" system shutdown --quiet >/dev/null 2>&1 || true
	rm -rf "$BANGER_HOME"
}
trap finish EXIT

kernel=$("$banger" kernel pull --progress plain)
BANGER_TEST_KERNEL=$("$banger" kernel show "$kernel" | sed -n 's/^directory: *//p')
export BANGER_TEST_KERNEL
go test "$@" -count=1 -timeout 10m ./internal/vmm/qemu ./internal/agent
