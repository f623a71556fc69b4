#!/usr/bin/env bash
# Sets up this host, builds banger and runs a sandbox for real: the default
# image on the default kernel. Prints what the guest says of itself and how
# long each stage took. What is there already is not made again, so that a
# second run needs no network.
set -euo pipefail
cd "$(dirname "$0")/.."

table=()

# stage NAME COMMAND... runs a command and takes its time.
stage() {
	local name=$1 from=$EPOCHREALTIME took
	shift
	printf '== %s\n' "$name"
	"$@"
	took=$(((${EPOCHREALTIME/[.,]/} - ${from/[.,]/}) / 10000))
	table+=("$(printf '%-28s %4d.%02d s' "$name" $((took / 100)) $((took % 100)))")
}

stage "packages" scripts/setup.sh run
stage "build" make --no-print-directory build
stage "first sandbox" build/bin/banger run --rm -- sh -c "$(<scripts/demo-guest.sh)"
stage "second sandbox" build/bin/banger run --rm -- true

printf '\n'
printf '%s\n' "${table[@]}"
printf '\nNow yours: build/bin/banger run --rm -it\n'
