# Stands for OpenWrt's /lib/functions.sh and /lib/functions/procd.sh: reads a UCI file, and writes down what procd
# would be told. An unknown parameter of procd is a failure.
# Usage: sh procd-shim.sh INIT-SCRIPT UCI-FILE ACTION
# shellcheck shell=sh disable=SC1090,SC2034

script=$1 uci=$2 action=$3
sections=''

uci_line() { # the words of a line, already split as UCI does
	case "${1:-}" in
	'') ;;
	config)
		current=${3:-cfg$((count += 1))}
		sections="$sections $current"
		eval "type_$current=\$2"
		;;
	option) eval "option_${current}_$2=\$3" ;;
	list)
		eval "n=\${size_${current}_$2:-0}"
		n=$((n + 1))
		eval "size_${current}_$2=$n item_${current}_$2_$n=\$3"
		;;
	*) echo "uci: $1" >&2 && exit 1 ;;
	esac
}

config_load() {
	count=0
	while IFS= read -r line; do
		case "$line" in *'#'*) line=${line%%#*} ;; esac
		eval "uci_line $line"
	done <"$uci"
}
config_get() { eval "$1=\${option_${2}_$3:-\${4:-}}"; }
config_get_bool() {
	config_get "$@"
	eval "case \$$1 in 1 | on | true | yes | enabled) $1=1 ;; *) $1=0 ;; esac"
}
config_foreach() {
	for one in $sections; do
		eval "[ \"\$type_$one\" = $2 ]" && "$1" "$one"
	done
	return 0
}
config_list_foreach() {
	eval "n=\${size_${1}_$2:-0}"
	i=0
	while [ $((i += 1)) -le "$n" ]; do
		eval "\"$3\" \"\$item_${1}_$2_$i\""
	done
}

tell() { # a line of words, each in brackets
	printf '%s' "$1"
	shift
	for word in "$@"; do printf ' [%s]' "$word"; done
	echo
}
procd_known() {
	case "$1" in command | env | respawn | limits | term_timeout | stdout | stderr | file | user | nice) ;;
	*) echo "procd knows no $1" >&2 && exit 1 ;;
	esac
}
procd_open_instance() { tell open "$@"; }
procd_close_instance() { tell close; }
procd_set_param() { procd_known "$1" && tell set "$@"; }
procd_append_param() { procd_known "$1" && tell append "$@"; }
procd_add_reload_trigger() { tell reload_trigger "$@"; }
procd_add_raw_trigger() { tell raw_trigger "$@"; }
start() { start_service; }

. "$script"
[ "$USE_PROCD" = 1 ] || exit 1
case "$action" in
start) start ;;
reload) reload_service ;;
triggers) service_triggers ;;
esac
