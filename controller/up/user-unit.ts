/** systemd's unit of `box up` for one person: started with their session, started again when it fails. */

import { join } from 'node:path'

export const UNIT = 'secushare-box-up.service'

/** Where it belongs (systemd.unit(5), "User Unit Search Path"). */
export const unitPath = (env: NodeJS.ProcessEnv, home: string): string =>
  join(env.XDG_CONFIG_HOME || join(home, '.config'), 'systemd', 'user', UNIT)

/** The unit for a `box` that is started by these words. */
export const userUnit = (program: readonly string[]): string => `[Unit]
Description=secushare BOX: the way to your devices, kept open
Documentation=man:box(1)
# Not before the network, which a user's systemd does not know: the mesh tries again by itself.

[Service]
ExecStart=${program.map(quoted).join(' ')}
Restart=on-failure
RestartSec=5
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=default.target
`

/** systemd.service(5), "Command lines". */
const quoted = (word: string): string =>
  /^[\w@+=:,./-]+$/.test(word)
    ? word
    : `"${word.replaceAll(/["\\]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`
