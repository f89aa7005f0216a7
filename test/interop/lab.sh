#!/usr/bin/env bash
# gnunet-lab: start N isolated real GNUnet peers on loopback, connect them, tear them down.
#
#   lab.sh up N [mesh|line|none|apart]   start N peers and wait until the wanted CORE links exist
#                                  (none: no links; apart: they also refuse links to each other)
#   lab.sh down                    stop every peer of this lab (by pid) and remove its directory
#   lab.sh status                  one line per peer: id, port, version, pids, CORE neighbours
#   lab.sh conf K | id K | dir K   path of peer K's config / its identity / its directory
#   lab.sh hello K                 peer K's HELLO URI(s), as the peer itself states them
#   lab.sh run K CMD [ARG...]      run CMD (gnunet-*) against peer K (adds -c CONF; inside K's root)
#   lab.sh kill K | start K        stop / start one peer (keys and data are kept)
#   lab.sh link A B                give A the HELLO of B, and B that of A
#   lab.sh wait K COUNT [SEC]      wait until peer K has COUNT established CORE links
#
# environment
#   LAB_DIR   where the peers live (default /tmp/gnunet-lab; keep it short: socket paths < 108)
#   LAB_PORT  TCP ports are LAB_PORT+K on 127.0.0.1 (default 12000)
#   LAB_ROOT  root directory holding another GNUnet ("" = this machine's); LAB_ROOT_K overrides for peer K
#   LAB_MIN   1 = only what CADET and the DHT need (no GNS, NSE, revocation); default 0
#   LAB_REST  1 = also start gnunet-rest-server on LAB_PORT+500+K (no password); default 0
#   LAB_SEED  text from which the peers' keys are derived, so that identities are the same every time
#             (default: random keys)
#   LAB_LOG   log level of the services (default WARNING);  LAB_TIMEOUT  seconds (default 30)
#   LAB_CONF  a file appended to every peer's config; LAB_CONF_K likewise for peer K
set -u
LAB_DIR=${LAB_DIR:-/tmp/gnunet-lab}
LAB_PORT=${LAB_PORT:-12000}
LAB_TIMEOUT=${LAB_TIMEOUT:-30}
LAB_LOG=${LAB_LOG:-WARNING}
export LC_ALL=C
die() { echo "lab: $*" >&2; exit 1; }
now() { local t=${EPOCHREALTIME/[.,]/}; echo $((t/1000)); }
root_of() { cat "$LAB_DIR/p$1/root" 2>/dev/null; }
# A root needs /proc (GNUnet finds its libexec through /proc/self/maps); a private mount namespace per
# process gives it one without leaving mounts behind, and works for a plain user too (user namespace).
ENTER='mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"'
[ "$(id -u)" = 0 ] && NS=-m || NS=-rm
in_root() { # ROOT CMD...
  local r=$1; shift
  if [ -z "$r" ]; then "$@"; else unshare $NS sh -c "$ENTER" "$r" "$@"; fi; }
libexec_of() { # ROOT
  local d
  for d in "$1"/usr/lib/*/gnunet/libexec "$1"/usr/lib/gnunet/libexec "$1"/usr/local/lib/gnunet/libexec; do
    [ -x "$d/gnunet-service-arm" ] && { echo "${d#"$1"}"; return; }
  done; die "no gnunet-service-arm under '${1:-/}'"; }
peers() { local d; for d in "$LAB_DIR"/p[0-9]*; do [ -d "$d" ] && echo "${d##*/p}"; done | sort -n; }
run() { local k=$1 c=$2; shift 2; in_root "$(root_of "$k")" "$c" -c "$LAB_DIR/p$k/conf" "$@"; }
ask() { # as run, but gives up after 3 s (the tools wait for ever for a service that does not come)
  local k=$1 c=$2 r; shift 2; r=$(root_of "$k")
  if [ -z "$r" ]; then timeout 3 "$c" -c "$LAB_DIR/p$k/conf" "$@"
  else timeout 3 unshare $NS sh -c "$ENTER" "$r" "$c" -c "$LAB_DIR/p$k/conf" "$@"; fi; }
id_of() { cat "$LAB_DIR/p$1/id" 2>/dev/null; }
port_of() { echo $((LAB_PORT + $1)); }
pids_of() { # every live process of peer K: in arm's session, not a zombie, and started with K's config
  local a; a=$(cat "$LAB_DIR/p$1/arm.pid" 2>/dev/null) || return 0
  [ -n "$a" ] && ps -ww -o pid=,stat=,args= --sid "$a" 2>/dev/null |
    awk -v c="-c $LAB_DIR/p$1/conf" '$2 !~ /^Z/ && index($0, c) {print $1}'; return 0; }

write_conf() { # K
  local k=$1 n=$2 topo=$3 d=$LAB_DIR/p$1
  cat >"$d/conf" <<END
[PATHS]
GNUNET_HOME = $d
GNUNET_DATA_HOME = $d/data/
GNUNET_CONFIG_HOME = $d/cfg/
GNUNET_CACHE_HOME = $d/cache/
GNUNET_RUNTIME_DIR = $d/run/
GNUNET_USER_RUNTIME_DIR = $d/run/
GNUNET_TMP = $d/tmp/
[arm]
START_SYSTEM_SERVICES = YES
START_USER_SERVICES = YES
OPTIONS = -l $d/log -L $LAB_LOG
[transport]
PLUGINS = tcp
[transport-tcp]
PORT = $(port_of "$k")
ADVERTISED_PORT = $(port_of "$k")
BINDTO = 127.0.0.1
[communicator-tcp]
BINDTO = 127.0.0.1:$(port_of "$k")
DISABLE_V6 = YES
[communicator-udp]
IMMEDIATE_START = NO
START_ON_DEMAND = NO
[communicator-unix]
IMMEDIATE_START = NO
START_ON_DEMAND = NO
[nat]
ENABLE_UPNP = NO
USE_STUN = NO
STUN_SERVERS =
BEHIND_NAT = NO
DISABLEV6 = YES
[hostlist]
IMMEDIATE_START = NO
START_ON_DEMAND = NO
OPTIONS =
SERVERS =
[peerinfo]
USE_INCLUDED_HELLOS = NO
[topology]
FRIENDS-ONLY = NO
MINIMUM-FRIENDS = 0
[nse]
WORKDELAY = 60 s
[rest]
IMMEDIATE_START = $([ "${LAB_REST:-0}" = 1 ] && echo YES || echo NO)
START_ON_DEMAND = NO
HTTP_PORT = $((LAB_PORT + 500 + k))
BIND_TO = 127.0.0.1
BASIC_AUTH_ENABLED = NO
END
  local s off="pt fs datastore vpn dns exit conversation"
  [ "${LAB_MIN:-0}" = 1 ] && off="$off gns zonemaster namestore namecache nse revocation setu"
  for s in $off; do printf '[%s]\nIMMEDIATE_START = NO\nSTART_ON_DEMAND = NO\n' "$s" >>"$d/conf"; done
  if [ "$topo" = line ]; then # the transport refuses everyone but the neighbours
    echo "[transport-blacklist-$(id_of "$k")]" >>"$d/conf"
    for s in $(seq "$n"); do
      [ "$s" -ge $((k-1)) ] && [ "$s" -le $((k+1)) ] || echo "$(id_of "$s") =" >>"$d/conf"
    done
  fi
  if [ "$topo" = apart ]; then
    echo "[transport-blacklist-$(id_of "$k")]" >>"$d/conf"
    for s in $(seq "$n"); do [ "$s" = "$k" ] || echo "$(id_of "$s") =" >>"$d/conf"; done
  fi
  local extra=LAB_CONF_$k
  [ -n "${LAB_CONF:-}" ] && cat "$LAB_CONF" >>"$d/conf"
  [ -n "${!extra:-}" ] && cat "${!extra}" >>"$d/conf"
  return 0; }

start_peer() { # K   (arm stays in the foreground of its own session, so its pid is known)
  local k=$1 d=$LAB_DIR/p$1 r; r=$(root_of "$1")
  local arm; arm=$(libexec_of "$r")/gnunet-service-arm
  export TMPDIR=$d/tmp
  if [ -z "$r" ]; then set -- setsid; else set -- setsid unshare $NS sh -c "$ENTER" "$r"; fi
  "$@" "$arm" -c "$d/conf" -l "$d/log" </dev/null >>"$d/out" 2>&1 &
  echo $! >"$d/arm.pid"; disown $! 2>/dev/null || true; }

stop_peer() { # K   graceful first, then TERM, then KILL, only to pids of this peer's session
  local k=$1 d=$LAB_DIR/p$1 p i
  [ -s "$d/arm.pid" ] || return 0
  p=$(pids_of "$k"); [ -z "$p" ] && { rm -f "$d/arm.pid"; return 0; }
  kill -TERM "$(cat "$d/arm.pid")" 2>/dev/null
  for i in $(seq 60); do p=$(pids_of "$k"); [ -z "$p" ] && break; sleep 0.05; done
  if [ -n "$p" ]; then kill -TERM $p 2>/dev/null; sleep 0.5; p=$(pids_of "$k"); fi
  [ -n "$p" ] && { echo "lab: p$k: killing leftovers: $(echo $p)" >&2; kill -KILL $p 2>/dev/null; }
  rm -f "$d/arm.pid"; }

links() { ask "$1" gnunet-core 2>/dev/null | grep -c 'connection established'; }
wait_links() { # K COUNT SEC
  local t0; t0=$(now)
  while :; do
    [ "$(links "$1")" -ge "$2" ] && return 0
    [ $(( $(now) - t0 )) -ge $(( $3 * 1000 )) ] && return 1
    sleep 0.05
  done; }
hello_of() { # what K says of itself; waits until it has an address
  local k=$1 t0 h; t0=$(now)
  while :; do
    h=$(ask "$k" gnunet-peerinfo -s -g -n 2>/dev/null | grep -o "gnunet://hello/[^ ]*+tcp+.*")
    [ -n "$h" ] && { echo "$h"; return 0; }
    [ $(( $(now) - t0 )) -ge $(( LAB_TIMEOUT * 1000 )) ] && return 1
    sleep 0.05
  done; }
link() { # A B: B's HELLO to A and A's to B
  local h
  h=$(hello_of "$2") && ask "$1" gnunet-peerinfo -p "$h" >/dev/null || return 1
  h=$(hello_of "$1") && ask "$2" gnunet-peerinfo -p "$h" >/dev/null; }

up() {
  local n=$1 topo=${2:-mesh} k j r t0 want; t0=$(now)
  [ "$n" -ge 1 ] 2>/dev/null || die "up: how many?"
  [ ${#LAB_DIR} -le 55 ] || die "LAB_DIR is too long for socket paths"
  for k in $(seq "$n"); do
    (exec 3<>"/dev/tcp/127.0.0.1/$(port_of "$k")") 2>/dev/null && die "port $(port_of "$k") is taken (set LAB_PORT)"
  done
  [ -e "$LAB_DIR" ] && [ -n "$(ls -A "$LAB_DIR" 2>/dev/null)" ] && die "$LAB_DIR is not empty (run: lab.sh down)"
  for k in $(seq "$n"); do
    r=LAB_ROOT_$k; r=${!r-${LAB_ROOT:-}}; mkdir -p "$LAB_DIR" || die "cannot write $LAB_DIR"
    if [ -n "$r" ]; then # the same path inside the root and out here
      mkdir -p "$r$LAB_DIR/p$k" && ln -sfn "$r$LAB_DIR/p$k" "$LAB_DIR/p$k" || die "cannot write $r$LAB_DIR"
    fi
    mkdir -p "$LAB_DIR/p$k/data" "$LAB_DIR/p$k/cfg" "$LAB_DIR/p$k/tmp" || die "cannot write $LAB_DIR"
    echo "$r" >"$LAB_DIR/p$k/root"
    if [ -n "${LAB_SEED:-}" ]; then
      printf '%b' "$(printf '%s' "$LAB_SEED $k" | sha256sum | cut -c1-64 | sed 's/../\\x&/g')" >"$LAB_DIR/p$k/data/private_key.ecc"
    else head -c 32 /dev/urandom >"$LAB_DIR/p$k/data/private_key.ecc"; fi
    chmod 600 "$LAB_DIR/p$k/data/private_key.ecc"
    in_root "$(root_of "$k")" gnunet-ecc -p "$LAB_DIR/p$k/data/private_key.ecc" >"$LAB_DIR/p$k/id" || die "gnunet-ecc failed"
  done
  for k in $(seq "$n"); do write_conf "$k" "$n" "$topo"; done
  [ "$topo" = apart ] && topo=none
  for k in $(seq "$n"); do start_peer "$k"; done
  [ "$topo" = none ] || for k in $(seq 2 "$n"); do
    for j in $(seq $((k-1))); do
      [ "$topo" = line ] && [ "$j" -ne $((k-1)) ] && continue
      link "$j" "$k" || { status; die "no HELLO from peer $j or $k"; }
    done
  done
  [ "$topo" = none ] || [ "$n" = 1 ] || for k in $(seq "$n"); do
    if [ "$topo" = mesh ]; then want=$((n-1)); elif [ "$k" = 1 ] || [ "$k" = "$n" ]; then want=1; else want=2; fi
    wait_links "$k" $want "$LAB_TIMEOUT" || { status; die "peer $k has not $want links after $LAB_TIMEOUT s"; }
  done
  if [ "$topo" = none ] || [ "$n" = 1 ]; then # nothing to connect: wait until CORE (hence transport) answers
    for k in $(seq "$n"); do ask "$k" gnunet-core >/dev/null || die "peer $k's CORE does not answer"; done
  fi
  echo "lab: $n peers up ($topo) in $(( $(now) - t0 )) ms under $LAB_DIR"; }

status() {
  local k v
  for k in $(peers); do
    v=$(in_root "$(root_of "$k")" gnunet-arm -v 2>/dev/null | grep -o '[0-9][0-9.]*[0-9]' | head -1)
    echo "p$k $(id_of "$k") 127.0.0.1:$(port_of "$k") gnunet=$v pids=$(pids_of "$k" | wc -l) links=$(ask "$k" gnunet-core 2>/dev/null | sed -n 's/.*connection established *\([^ ]*\).*/\1/p' | tr '\n' ' ')"
  done; }

down() {
  local k roots=
  for k in $(peers); do stop_peer "$k" & done; wait
  for k in $(peers); do
    [ -n "$(pids_of "$k")" ] && die "peer $k still has processes"
    roots="$roots $(root_of "$k")"
    rm -rf "$(readlink -f "$LAB_DIR/p$k")" "$LAB_DIR/p$k"
  done
  for k in "" $roots; do [ -L "$k$LAB_DIR" ] || rmdir "$k$LAB_DIR" 2>/dev/null; done; return 0; }

cmd=${1:-}; [ $# -gt 0 ] && shift
case $cmd in
  up) up "${1:-2}" "${2:-mesh}";;
  down) down;;
  status) status;;
  conf) echo "$LAB_DIR/p${1:?}/conf";;
  dir) echo "$LAB_DIR/p${1:?}";;
  id) id_of "${1:?}";;
  hello) hello_of "${1:?}";;
  run) run "$@";;
  kill) stop_peer "${1:?}";;
  start) start_peer "${1:?}";;
  link) link "${1:?}" "${2:?}";;
  wait) wait_links "${1:?}" "${2:?}" "${3:-$LAB_TIMEOUT}";;
  pids) pids_of "${1:?}";;
  *) sed -n '2,31s/^# \{0,1\}//p' "$0"; exit 2;;
esac
