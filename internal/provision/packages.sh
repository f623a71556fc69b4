# Installs the packages that its arguments name.
if command -v apt-get >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update
	apt-get install -y --no-install-recommends "$@"
	apt-get clean
	rm -rf /var/lib/apt/lists/*
elif command -v apk >/dev/null; then
	apk add --no-cache "$@"
elif command -v dnf >/dev/null; then
	dnf install -y --setopt=install_weak_deps=False "$@"
	dnf clean all
else
	echo "this image has no apt-get, apk or dnf to install packages with" >&2
	exit 1
fi
