#!/usr/bin/env bash
# Makes the end-to-end tests' images, each an OCI layout below DIR/layouts:
#
#   debian-multi   Debian and two layers of all that layers can do
#   busybox        one static busybox: a shell and nothing else
#   busybox-zstd   the same, with layers compressed by zstd
#   nonroot        busybox with a user, a working directory, an environment
#   distroless     one static program: no shell, no /etc
#
# usage: test/images/make.sh DIR
#
# They are made once: DIR/layouts is whole or absent, and is made again when
# one of the sources in this directory changes. The Debian tree, which takes a
# minute, stays in DIR as it is.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: make.sh DIR}
mkdir -p "$out"
out=$(cd "$out" && pwd)

# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
include=attr,libcap2-bin,iproute2
base=$out/debian-$(sha256sum <<<"$suite $include" | cut -c 1-12).tar

work=
# cleanup shows what the tools said, but only when one of them failed.
cleanup() {
	local status=$?
	[[ -n $work ]] || return "$status"
	((status == 0)) || cat "$work/log" >&2
	rm -rf "$work"
}
trap cleanup EXIT

sources() {
	find "$here" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
}

# image NAME LAYER... makes a layout of the layers, lowest first.
image() {
	local name=$1 layer
	shift
	umoci init --layout "$work/layouts/$name"
	umoci new --image "$work/layouts/$name:latest"
	for layer; do
		umoci raw add-layer --image "$work/layouts/$name:latest" "$layer"
	done
}

config() {
	local name=$1
	shift
	umoci config --image "$work/layouts/$name:latest" "$@"
}

make_base() {
	[[ ! -e $base ]] || return 0
	printf 'images: making a Debian tree (about a minute)\n' >&2
	mmdebstrap --quiet --variant=minbase --include="$include" "$suite" "$work/base.tar" 2>>"$work/log"
	mv "$work/base.tar" "$base"
}

make_layers() {
	(
		cd "$here"
		CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/probe" ./probe
		go run ./mklayers -busybox /bin/busybox -probe "$work/probe" "$work"
	)
}

make_layouts() {
	mkdir "$work/layouts"
	image debian-multi "$base" "$work/multi-1.tar" "$work/multi-2.tar"
	config debian-multi --config.cmd /bin/bash --config.label banger.test=debian-multi
	image busybox "$work/busybox.tar"
	config busybox --config.cmd /bin/sh
	skopeo copy --quiet --insecure-policy --dest-compress-format zstd \
		"oci:$work/layouts/busybox:latest" "oci:$work/layouts/busybox-zstd:latest"
	image nonroot "$work/busybox.tar" "$work/nonroot.tar"
	config nonroot --config.user app --config.workingdir /srv/app --config.env "GREETING=hello world" \
		--config.env PATH=/bin --config.entrypoint /bin/sh --config.entrypoint -c --config.cmd "id; pwd; env"
	image distroless "$work/distroless.tar"
	config distroless --config.entrypoint /probe
}

main() {
	local made
	made=$(sources)
	if [[ -e $out/layouts/sources && $(<"$out/layouts/sources") == "$made" && -e $base ]]; then
		return 0
	fi
	work=$(mktemp -d "$out/.work.XXXXXX")
	make_base
	make_layers 2>>"$work/log"
	make_layouts 2>>"$work/log"
	printf '%s\n' "$made" >"$work/layouts/sources"
	rm -rf "$out/layouts"
	mv "$work/layouts" "$out/layouts"
}

main
