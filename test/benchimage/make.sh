#!/usr/bin/env bash
# Makes the images that `make bench-image` pulls, each an OCI layout below DIR
# (once; DIR is whole or absent):
#
#   large        11 layers of compilers, interpreters and manual pages, about
#                0.8 GB of gzip, the upper two with whiteouts, an opaque
#                directory, hard links, and copies of what lies below
#   large-zstd   the same, compressed by zstd
#
# Packages are unpacked, not installed: that takes no root but for owners, runs
# none of their scripts, and gives the same files.
#
# usage: test/benchimage/make.sh DIR
set -euo pipefail

out=${1:?usage: make.sh DIR}
if [[ -e $out/large-zstd/index.json ]]; then
	exit 0
fi
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")

# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")

work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
layout=$work/images/large
status=$work/status # of dpkg: what the layers so far have installed

say() { printf 'bench-image: %s\n' "$*" >&2; }

# add TAR makes TAR the next layer, and removes it.
add() {
	umoci raw add-layer --image "$layout:latest" "$1"
	rm "$1"
}

# packages NAME... makes a layer of packages and what they need.
packages() {
	say "layer of $*"
	local dir=$work/layer debs=$work/debs deb names
	mkdir "$dir" "$debs"
	mapfile -t names < <(apt-get install --simulate --no-install-recommends -o "Dir::State::status=$status" "$@" | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
	(cd "$debs" && apt-get download --quiet=2 -o APT::Sandbox::User=root "${names[@]}")
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$dir"
		{
			dpkg-deb -f "$deb" | sed '/^Package:/a Status: install ok installed'
			echo
		} >>"$status"
	done
	tar -C "$dir" --numeric-owner --sort=name -cf "$work/layer.tar" .
	mkdir -p "$work/kept"
	[[ ! -d $dir/usr/lib/python3/dist-packages ]] || cp -a "$dir/usr/lib/python3/dist-packages" "$work/kept/"
	rm -rf "$dir" "$debs"
	add "$work/layer.tar"
}

# removals makes a layer that hides files of the lower ones.
removals() {
	local dir=$work/layer
	mkdir -p "$dir/usr/share" "$dir/var/lib/apt"
	: >"$dir/usr/share/.wh.locale"
	: >"$dir/usr/share/.wh.doc"
	: >"$dir/var/lib/apt/.wh.lists"
	tar -C "$dir" --numeric-owner --owner=0 --group=0 --sort=name -cf "$work/layer.tar" .
	rm -rf "$dir"
	add "$work/layer.tar"
}

# application makes a layer of copies, hard links and an opaque directory.
application() {
	local dir=$work/layer
	mkdir -p "$dir/srv/app" "$dir/usr/share/man"
	cp -a "$work/kept/dist-packages" "$dir/srv/app/venv"
	cp -al "$dir/srv/app/venv" "$dir/srv/app/linked"
	: >"$dir/usr/share/man/.wh..wh..opq"
	echo 'no manual pages' >"$dir/usr/share/man/README"
	tar -C "$dir" --numeric-owner --sort=name -cf "$work/layer.tar" .
	rm -rf "$dir"
	add "$work/layer.tar"
}

say "making an image of Debian packages (about ten minutes)"
mkdir "$work/images"
mmdebstrap --quiet --variant=minbase "$suite" "$work/layer.tar"
tar -xOf "$work/layer.tar" ./var/lib/dpkg/status >"$status"
umoci init --layout "$layout"
umoci new --image "$layout:latest"
add "$work/layer.tar"
packages build-essential
packages golang-go
packages git vim openssh-client curl less
packages python3-full python3-pip python3-numpy
packages linux-headers-amd64 emacs-nox
packages manpages-dev python3-doc man-db
packages default-jdk-headless
packages clang cmake gdb
removals
application
say "compressing the layers by zstd"
skopeo copy --quiet --insecure-policy --dest-compress-format zstd --dest-compress-level 3 \
	"oci:$layout:latest" "oci:$work/images/large-zstd:latest"
rm -rf "$out"
mv "$work/images" "$out"
