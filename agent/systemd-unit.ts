/**
 * What systemd is told of us: the units, the account of the hub, what is tidied up. The files in
 * deploy/systemd are these texts with the paths of the packages; a test keeps them equal.
 *
 * A shell has what its agent has: whoever is in a sandbox cannot administer the machine. So there are two.
 * The device runs as root, as sshd does, with nothing taken away from the shells of its owners. The hub,
 * which carries the traffic of others and listens to everybody, is in as small a sandbox as V8 runs in.
 */

export type Role = 'device' | 'hub'

export const SERVICES: Readonly<Record<Role, string>> = {
  device: 'secushare-box.service',
  hub: 'secushare-box-hub.service',
}
/** Options of both, one variable each; see `options`. */
export const OPTIONS_FILE = '/etc/default/secushare-box'

/** The unit of a role, for an agent started by these words. */
export const unit = (role: Role, program: readonly string[]): string =>
  role === 'device' ? deviceUnit(quoted(program)) : hubUnit(quoted(program))

const deviceUnit = (program: string) => `[Unit]
Description=secushare BOX: this machine, reachable for its owners
Documentation=man:box-agent(1)
Wants=network-online.target
After=network-online.target
# Whoever looks after a machine from afar has no other way in: it is never given up.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
EnvironmentFile=-${OPTIONS_FILE}
ExecStart=${program} run $DEVICE_OPTIONS
Restart=always
RestartSec=5
TimeoutStartSec=90
TimeoutStopSec=15
WatchdogSec=90
# What an owner has left running (tmux, an upgrade) goes on when the agent is started again.
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
Restart=always
RestartSec=5
TimeoutStartSec=90
TimeoutStopSec=15
WatchdogSec=90
User=secushare-box
Group=secushare-box
StateDirectory=secushare-box-hub
StateDirectoryMode=0700
CacheDirectory=secushare-box-hub
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

[Install]
WantedBy=multi-user.target
`

/** sysusers.d(5). */
export const sysusers = (): string =>
  'u secushare-box - "secushare BOX hub" /var/lib/secushare-box-hub /usr/sbin/nologin\n'

/** tmpfiles.d(5): libraries laid down by versions that are gone. */
export const tmpfiles = (): string => `e /var/cache/secushare-box 0700 root root 90d
e /var/cache/secushare-box-hub 0700 secushare-box secushare-box 90d
`

/** The owner's to edit; never replaced. */
export const options = (): string => `# Options of the services; see box-agent run --help.
# For example: DEVICE_OPTIONS="--hub-url gnunet://hello/..."
DEVICE_OPTIONS=
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
