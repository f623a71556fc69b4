# Installs a package of npm that brings a program: NAME VERSION SPEC PROGRAM SHA256
tool=$1 version=$2 spec=$3 program=$4 sum=$5
if [ "$(uname -m)" != x86_64 ]; then
	echo "$tool $version is not known for $(uname -m)" >&2
	exit 1
fi
if ! command -v npm >/dev/null; then
	echo "this image has no npm to download $tool with: try --package npm, or an image of Node.js" >&2
	exit 1
fi
work=$(mktemp -d)
echo "downloading $spec"
if ! (cd "$work" && npm pack --silent "$spec" >/dev/null && mv ./*.tgz download); then
	echo "npm cannot download $spec" >&2
	rm -rf "$work"
	exit 1
fi
if ! echo "$sum  $work/download" | sha256sum -c - >/dev/null 2>&1; then
	echo "$tool $version is not what it should be: the SHA-256 of its package is not $sum" >&2
	rm -rf "$work"
	exit 1
fi
tar -xzf "$work/download" -C "$work" --no-same-owner package
mkdir -p /usr/local/bin /usr/local/lib
rm -rf "/usr/local/lib/$tool"
mv "$work/package" "/usr/local/lib/$tool"
chmod 755 "/usr/local/lib/$tool/$program"
ln -sfn "../lib/$tool/$program" "/usr/local/bin/$tool"
rm -rf "$work"
