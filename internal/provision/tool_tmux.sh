# Installs plugins of tmux for all users: NAME COMMIT ...
plugins=/usr/local/share/tmux/plugins
mkdir -p "$plugins"
while [ $# -gt 0 ]; do
	dir=$plugins/$1
	rm -rf "$dir"
	git init -q "$dir"
	git -C "$dir" fetch -q --depth 1 "https://github.com/tmux-plugins/$1" "$2"
	git -C "$dir" -c advice.detachedHead=false checkout -q "$2"
	shift 2
done
touch /etc/tmux.conf
if ! grep -q "$plugins/tpm/tpm" /etc/tmux.conf; then
	cat >>/etc/tmux.conf <<END
set-environment -g TMUX_PLUGIN_MANAGER_PATH "$plugins"
set -g @plugin "tmux-plugins/tpm"
set -g @plugin "tmux-plugins/tmux-sensible"
set -g @plugin "tmux-plugins/tmux-resurrect"
run "$plugins/tpm/tpm"
END
fi
