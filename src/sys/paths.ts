/** Where things lie on the machine: the XDG base directories for people, /var/lib for the service. */

import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { BoxError } from '../base/errors.ts'

const NAME = 'secushare-box'
const SERVICE_DIRECTORY = `/var/lib/${NAME}`
const ROOT = 0

/** What decides, besides the program itself. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number
  readonly home: string
}

export const surroundings = (): Surroundings => ({
  env: process.env,
  uid: process.getuid?.() ?? -1,
  home: homedir(),
})

/**
 * The state directory of a program. First of: BOX_STATE; for the agent STATE_DIRECTORY (set by
 * systemd) and, as root, /var/lib/secushare-box; then `secushare-box/<program>` in XDG_STATE_HOME,
 * or in ~/.local/state. Throws BoxError CONFIG_INVALID where none of these is known.
 */
export function stateDirectory(
  program: 'agent' | 'controller',
  { env, uid, home }: Surroundings,
): string {
  if (env.BOX_STATE) return resolve(env.BOX_STATE)
  if (program === 'agent') {
    const [given] = env.STATE_DIRECTORY?.split(':') ?? []
    if (given) return given
    if (uid === ROOT) return SERVICE_DIRECTORY
  }
  // The specification: a path that is not absolute counts as not set.
  if (env.XDG_STATE_HOME && isAbsolute(env.XDG_STATE_HOME))
    return join(env.XDG_STATE_HOME, NAME, program)
  if (isAbsolute(home)) return join(home, '.local', 'state', NAME, program)
  throw new BoxError('CONFIG_INVALID', 'There is no home directory: set BOX_STATE.')
}

/** The Unix socket on which a running program takes orders from its owner. */
export const controlSocket = (state: string): string => join(state, 'control.sock')

/** The Unix socket on which the keeper of an agent's shells listens. */
export const keeperSocket = (state: string): string => join(state, 'keeper.sock')
