#!/usr/bin/env bash
# Builds the kernel of flavour tiny from the distribution's source, boots the
# default image with it on both machines, then it and the default kernel by
# turns, and fails unless it is at least 1.3 times as fast. It takes some 15 minutes of one processor, once: a build that was ended
# is gone on with in build/kernel.
#
# usage: scripts/test-kernel-build.sh [JOBS]
set -euo pipefail

cd "$(dirname "$0")/.."
readonly banger=build/bin/banger rounds=5 wanted=1.3
export BANGER_HOME="$PWD/build/kernel"

finish() { "$banger" system shutdown >/dev/null 2>&1 || true; }
trap finish EXIT

have() { "$banger" kernel list -q | grep -qx "$1"; }

# boot_ms KERNEL prints the milliseconds from the start of the machine to the
# agent's answer.
boot_ms() {
	"$banger" kernel test --json "$1" 2>/dev/null | tr , '\n' | sed -n 's/.*"boot_ms": *\([0-9]*\).*/\1/p'
}

# median prints the middle one of its arguments.
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

mkdir -p "$BANGER_HOME"
have debian-12-cloud || "$banger" kernel pull debian-12-cloud
have tiny || "$banger" kernel build --flavour tiny --jobs "${1:-1}" tiny
"$banger" kernel show tiny

release=$("$banger" kernel show --json tiny | tr , '\n' | sed -n 's/.*"version": *"\([^"]*\)".*/\1/p')
for machine in microvm q35; do
	booted=$("$banger" run --rm --kernel tiny --machine "$machine" -- uname -r)
	[[ $booted == "$release" ]] || { echo "on $machine: a guest has kernel $booted, not $release" >&2; exit 1; }
	echo "the default image boots with tiny on $machine"
done

tiny=() cloud=()
for ((i = 0; i < rounds; i++)); do
	tiny+=("$(boot_ms tiny)")
	cloud+=("$(boot_ms debian-12-cloud)")
done
fast=$(median "${tiny[@]}")
slow=$(median "${cloud[@]}")
printf 'tiny %s ms (%s)\ndebian-12-cloud %s ms (%s)\n' "$fast" "${tiny[*]}" "$slow" "${cloud[*]}"
awk -v slow="$slow" -v fast="$fast" -v wanted="$wanted" \
	'BEGIN { printf "%.2f times as fast, at least %s wanted\n", slow / fast, wanted; exit slow / fast < wanted }'
