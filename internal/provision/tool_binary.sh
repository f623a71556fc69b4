# Installs a program: NAME VERSION URL ARCHIVE SHA256
tool=$1 version=$2 url=$3 archive=$4 sum=$5
if [ "$(uname -m)" != x86_64 ]; then
	echo "$tool $version is not known for $(uname -m)" >&2
	exit 1
fi
work=$(mktemp -d)
echo "downloading $url"
if command -v curl >/dev/null; then
	curl -fsSL --retry 3 -o "$work/download" "$url"
elif command -v wget >/dev/null; then
	wget -q -O "$work/download" "$url"
else
	echo "this image has neither curl nor wget to download $tool with: try --package curl --package ca-certificates" >&2
	exit 1
fi
if [ "$archive" = true ]; then
	tar -xzf "$work/download" -C "$work" "$tool"
else
	mv "$work/download" "$work/$tool"
fi
if ! echo "$sum  $work/$tool" | sha256sum -c - >/dev/null 2>&1; then
	echo "$tool $version is not what it should be: its SHA-256 is not $sum" >&2
	rm -rf "$work"
	exit 1
fi
mkdir -p /usr/local/bin
chmod 755 "$work/$tool"
mv "$work/$tool" "/usr/local/bin/$tool"
rm -rf "$work"
