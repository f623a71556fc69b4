#!/usr/bin/env bash
# Makes the image that `make bench-image` pulls, an OCI layout in DIR (once):
# Debian with Python and git, and a layer for each of some larger packages.
#
# usage: test/benchimage/make.sh DIR
set -euo pipefail

out=${1:?usage: make.sh DIR}
if [[ -e $out/index.json ]]; then
	exit 0
fi
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")

# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")

work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT

printf 'bench-image: making an image of Debian packages (about two minutes)\n' >&2
mmdebstrap --quiet --variant=minbase --include=python3,git "$suite" "$work/base.tar"
mkdir "$work/debs"
(cd "$work/debs" && apt-get download --quiet=2 -o APT::Sandbox::User=root gcc-12 cpp-12 perl-modules-5.36 vim-runtime libicu72 libllvm14)

umoci init --layout "$work/layout"
umoci new --image "$work/layout:latest"
umoci raw add-layer --image "$work/layout:latest" "$work/base.tar"
for deb in "$work"/debs/*.deb; do
	dpkg-deb --fsys-tarfile "$deb" >"$work/layer.tar"
	umoci raw add-layer --image "$work/layout:latest" "$work/layer.tar"
done
rm -rf "$out"
mv "$work/layout" "$out"
