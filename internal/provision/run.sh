# Runs the script on standard input: MARK sh|bash|itself
#
# The script is read by the shell itself so that a failure can be told with its
# line; it stops at the first command that fails. bash tells lines better than
# other shells do, so it runs scripts for sh too where it is installed; dash
# cannot tell them at all.
banger_mark=$1 banger_how=$2 banger_posix=
set --
banger_dir=$(mktemp -d -p /run 2>/dev/null || mktemp -d) || exit
trap 'rm -rf "$banger_dir"' EXIT
cat >"$banger_dir/script" || exit
exec </dev/null

if [ "$banger_how" = itself ]; then
	chmod 700 "$banger_dir/script"
	"$banger_dir/script"
	exit
fi
if banger_shell=$(command -v bash); then
	[ "$banger_how" = bash ] || banger_posix=--posix
else
	[ "$banger_how" = sh ] || { echo "this image has no bash" >&2; exit 127; }
	banger_shell=/bin/sh
fi
# shellcheck disable=SC2086 # no option is no word
"$banger_shell" $banger_posix -n "$banger_dir/script" || exit

# What is in a trap, and what starts the script, is on a line 1, which does not
# count: a script that fails on its own line 1 has told no other before.
cat >"$banger_dir/trace" <<-'END'
	banger_line=1
	if [ -n "$BASH_VERSION" ]; then
		set -ET
		trap 'banger_status=$?; trap - DEBUG ERR EXIT; [ $banger_status = 0 ] || printf "\n%s %s\n" "$banger_mark" "$banger_line" >&2; exit $banger_status' EXIT
		trap '[ $LINENO -gt 1 ] && banger_line=$LINENO' ERR
		trap '[ $LINENO -gt 1 ] && banger_line=$LINENO' DEBUG
	else
		trap 'banger_status=$?; [ $banger_status = 0 ] || printf "\n%s %s\n" "$banger_mark" "$LINENO" >&2; exit $banger_status' EXIT
	fi
END
# shellcheck disable=SC2016,SC2086 # for the other shell to expand; as above
"$banger_shell" $banger_posix -c 'banger_mark=$1 banger_dir=$2; set --; . "$banger_dir/trace"; set -e; . "$banger_dir/script"' sh "$banger_mark" "$banger_dir"
