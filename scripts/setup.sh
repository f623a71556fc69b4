#!/usr/bin/env bash
# Installs the Debian packages that banger, its tests or its linters need.
# It looks first and does nothing when all is there; root is asked for only
# to install.
#
# usage: scripts/setup.sh run|test|kernel|lint...
#   run   what a sandbox needs on its host
#   test  the same, and what the tests make images and registries with
#   kernel  what `banger kernel build` needs
#   race  a C compiler, for go test -race
#   lint  shellcheck
set -euo pipefail

readonly go_needed=1.26
readonly run_packages=(qemu-system-x86 mmdebstrap uidmap debian-archive-keyring ca-certificates)
readonly test_packages=("${run_packages[@]}" qemu-utils e2fsprogs umoci skopeo docker-registry podman attr libcap2-bin
	busybox-static iproute2 xz-utils make gcc libc6-dev flex bison bc rpm)
readonly kernel_packages=(build-essential flex bison bc libelf-dev libssl-dev)
readonly race_packages=(gcc libc6-dev)
readonly lint_packages=(shellcheck)

die() {
	printf 'setup: %s\n' "$1" >&2
	[[ $# -lt 2 ]] || printf 'hint: %s\n' "$2" >&2
	exit 1
}

# packages_of GROUP prints the packages of a group, one a line.
packages_of() {
	case $1 in
	run) printf '%s\n' "${run_packages[@]}" ;;
	test) printf '%s\n' "${test_packages[@]}" ;;
	kernel) printf '%s\n' "${kernel_packages[@]}" ;;
	race) printf '%s\n' "${race_packages[@]}" ;;
	lint) printf '%s\n' "${lint_packages[@]}" ;;
	*) die "no group of packages is called '$1'" "usage: scripts/setup.sh run|test|kernel|race|lint..." ;;
	esac
}

installed() {
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

known() {
	[[ -n $(apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ && $2 != "(none)"') ]]
}

as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "root is needed to install packages, and sudo is not here" "as root: apt-get install ${missing[*]}"
	fi
}

# apt runs apt-get quietly and shows what it said only when it fails.
apt() {
	local log
	log=$(mktemp)
	if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 \
		-o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o APT::Update::Error-Mode=any \
		"$@" </dev/null >"$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
}

update() {
	apt update || die "the package lists cannot be fetched" "check the network and the mirrors in /etc/apt, then repeat"
}

install_missing() {
	local package
	for package in "${missing[@]}"; do
		known "$package" || { update && break; }
	done
	for package in "${missing[@]}"; do
		known "$package" || die "no package '$package' is known here" "Debian 12, Ubuntu 24.04 or a newer release is needed"
	done
	# Lists that are older than the mirror name packages that are gone: once more with fresh ones.
	apt install --no-install-recommends "${missing[@]}" && return
	update
	apt install --no-install-recommends "${missing[@]}" ||
		die "installing ${missing[*]} failed: see above" "mend that, then repeat"
}

# check_go refuses a Go that is absent or too old and cannot fetch a newer one.
check_go() {
	command -v go >/dev/null || die "go is not in PATH" "install Go $go_needed or newer, then repeat"
	local version
	version=$(go env GOVERSION)
	version=${version#go}
	[[ $(printf '%s\n' "$go_needed" "$version" | sort -V | head -n 1) == "$go_needed" ]] ||
		die "go $version is too old" "install Go $go_needed or newer, then repeat"
}

main() {
	(($# > 0)) || die "which packages?" "usage: scripts/setup.sh run|test|kernel|race|lint..."
	check_go
	local group package wanted=""
	for group; do
		wanted+=" $(packages_of "$group")"
	done
	missing=()
	for package in $wanted; do
		installed "$package" || missing+=("$package")
	done
	((${#missing[@]} > 0)) || return 0
	command -v apt-get >/dev/null || die "this is no Debian or Ubuntu, so packages are yours to install" "needed: ${missing[*]}"
	printf 'setup: installing %s\n' "${missing[*]}" >&2
	install_missing
	# A registry for tests must not become a server of this host.
	if [[ " ${missing[*]} " == *" docker-registry "* && -d /run/systemd/system ]]; then
		as_root systemctl disable --now --quiet docker-registry.service
	fi
}

main "$@"
