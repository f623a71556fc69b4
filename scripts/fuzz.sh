#!/usr/bin/env bash
# Runs every fuzz target of the image pipeline, one after the other, each for
# FUZZTIME (of go test: 5s, 10m, 1000x). A crash is written into testdata/fuzz
# of its package, where it is a test from then on.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${FUZZTIME:-5s}
targets=(
	internal/imagepull:FuzzUnpack
	internal/imagepull:FuzzMerge
	internal/imagepull:FuzzManifest
	internal/imagepull:FuzzConfig
	internal/imagepull:FuzzParseRef
	internal/inflate:FuzzAgainstTheStandardLibrary
	internal/ext4:FuzzReader
	internal/pkgdb:FuzzRPMHeader
)
for target in "${targets[@]}"; do
	echo "fuzz ${target#*:} for $time"
	go test "./${target%%:*}" -run '^$' -fuzz "^${target#*:}\$" -fuzztime "$time" -fuzzminimizetime 5s
done
