/**
 * What systemd is told of us: the units, the accounts, what is tidied up. The files in deploy/systemd are these
 * texts with the paths of the packages; a test keeps them equal.
 *
 * A shell has what its agent has: whoever is in a sandbox cannot administer the machine. So the device is two
 * services: its mesh side, which talks to everybody, in as small a sandbox as V8 runs in; and beside it, as root as
 * sshd does, what proves, decides and opens shells, with nothing taken away from the shells of its owners. The hub,
 * which carries the traffic of others, is in a sandbox as a whole.
 */

export type Role = 'device' | 'hub'
/** The units there are: a device has two. */
export type UnitName = Role | 'mesh'

export const SERVICES: Readonly<Record<UnitName, string>> = {
  device: 'secushare-box.service',
  hub: 'secushare-box-hub.service',
  mesh: 'secushare-box-mesh.service',
}
/** Options of all, one variable each; see `options`. */
export const OPTIONS_FILE = '/etc/default/secushare-box'
/** Where the mesh side lends the peer: RuntimeDirectory is its own, so that only root and it come in. */
const MESH_SOCKET = '/run/secushare-box/mesh.sock'
const MESH_USER = 'secushare-box-mesh'
const HUB_USER = 'secushare-box'

/** The unit of this name, for an agent started by these words. */
export function unit(name: UnitName, program: readonly string[]): string {
  switch (name) {
    case 'device':
      return deviceUnit(quoted(program))
    case 'mesh':
      return meshUnit(quoted(program))
    case 'hub':
      return hubUnit(quoted(program))
  }
}

const deviceUnit = (program: string) => `[Unit]
Description=secushare BOX: this machine, reachable for its owners
Documentation=man:box-agent(1)
# Wanted and not required: where the mesh side fails, this one stays and waits for it.
Wants=network-online.target ${SERVICES.mesh}
After=network-online.target ${SERVICES.mesh}
# Whoever looks after a machine from afar has no other way in: it is never given up.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
EnvironmentFile=-${OPTIONS_FILE}
# Options that say which peer to be (--mesh, --hub, --listen) make it one process, as without this.
Environment=BOX_MESH_SOCKET=${MESH_SOCKET}
# What an owner has measured; the directory need not be there.
Environment=BOX_PROBES=/etc/secushare-box/probes
ExecStart=${program} run $DEVICE_OPTIONS
Restart=always
RestartSec=5
TimeoutStartSec=90
TimeoutStopSec=15
WatchdogSec=90
# What an owner has open or left running (shells of box ssh, tmux, an upgrade) goes on when the agent is started again.
KillMode=process
OOMPolicy=continue
StateDirectory=secushare-box
StateDirectoryMode=0700
CacheDirectory=secushare-box
CacheDirectoryMode=0700
UMask=0077

[Install]
WantedBy=multi-user.target
`

/**
 * The peer of a device that was one service before goes on: its key, and the clock that must not go back, are copied
 * once, by root, into a directory that is the account's. Nothing of that account runs then, and `install` makes files
 * of its own: it follows no link that was laid in its way.
 */
const adoptPeer = [
  `cd /var/lib/${MESH_USER} || exit`,
  'for f in peer-seed monotime',
  `do test -e $$f || test ! -f /var/lib/secushare-box/$$f || install -m 0600 -o ${MESH_USER} -g ${MESH_USER} /var/lib/secushare-box/$$f $$f`,
  'done',
].join('; ')

const meshUnit = (program: string) => `[Unit]
Description=secushare BOX: the mesh side of this machine's device
Documentation=man:box-agent(1)
Wants=network-online.target
After=network-online.target
# Stopped and started again with the device; the other way round, the device waits.
PartOf=${SERVICES.device}
StartLimitIntervalSec=0

[Service]
Type=notify
# The main process has no capability to speak for itself through systemd-notify.
NotifyAccess=all
EnvironmentFile=-${OPTIONS_FILE}
ExecStartPre=+/bin/sh -c '${adoptPeer}'
ExecStart=${program} mesh --socket ${MESH_SOCKET} $MESH_OPTIONS
RuntimeDirectory=secushare-box
RuntimeDirectoryMode=0700
${sandboxed(MESH_USER, 'secushare-box-mesh')}`

const hubUnit = (program: string) => `[Unit]
Description=secushare BOX: a hub, which relays what it cannot read
Documentation=man:box-agent(1)
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
# The main process has no capability to speak for itself through systemd-notify.
NotifyAccess=all
EnvironmentFile=-${OPTIONS_FILE}
ExecStart=${program} run --hub $HUB_OPTIONS
${sandboxed(HUB_USER, 'secushare-box-hub')}
[Install]
WantedBy=multi-user.target
`

/** What a service has that speaks with everybody and needs nothing of the machine. */
const sandboxed = (user: string, directory: string) => `Restart=always
RestartSec=5
TimeoutStartSec=90
TimeoutStopSec=15
WatchdogSec=90
User=${user}
Group=${user}
StateDirectory=${directory}
StateDirectoryMode=0700
CacheDirectory=${directory}
CacheDirectoryMode=0700
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateIPC=yes
PrivateUsers=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
# V8 writes machine code at run time.
MemoryDenyWriteExecute=no
LimitNOFILE=16384
`

/** sysusers.d(5). */
export const sysusers =
  (): string => `u ${HUB_USER} - "secushare BOX hub" /var/lib/secushare-box-hub /usr/sbin/nologin
u ${MESH_USER} - "secushare BOX mesh" /var/lib/secushare-box-mesh /usr/sbin/nologin
`

/** tmpfiles.d(5): libraries laid down by versions that are gone. */
export const tmpfiles = (): string => `e /var/cache/secushare-box 0700 root root 90d
e /var/cache/secushare-box-hub 0700 ${HUB_USER} ${HUB_USER} 90d
e /var/cache/secushare-box-mesh 0700 ${MESH_USER} ${MESH_USER} 90d
`

/** The owner's to edit; never replaced. */
export const options = (): string => `# Options of the services; see box-agent run --help.
# For example: DEVICE_OPTIONS="--hub-url gnunet://hello/..."
DEVICE_OPTIONS=
# The mesh side of the device; see box-agent mesh --help.
MESH_OPTIONS=
# For example: HUB_OPTIONS="--advertise 192.0.2.1:2086"
HUB_OPTIONS=
`

/** systemd.service(5), "Command lines". */
const quoted = (program: readonly string[]): string =>
  program
    .map(word =>
      /^[\w@+=:,./-]+$/.test(word)
        ? word
        : `"${word.replaceAll(/["\\]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`,
    )
    .join(' ')
