/** box-agent install and uninstall: make this machine's agent a service of systemd, and no service again. */

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { BoxError } from '../../src/base/errors.ts'
import { isOneFile, ownProgram } from '../../src/sys/own-programs.ts'
import { command, type Surroundings } from '../command.ts'
import { type Change, look, type Piece, pieces, place, remove } from '../installation.ts'
import { SERVICES } from '../systemd-unit.ts'

const OPTIONS = {
  hub: {
    type: 'boolean',
    default: false,
    describe: 'the hub, as a service of its own in a sandbox, instead of the device',
  },
  'dry-run': { type: 'boolean', default: false, describe: 'only say what would be done' },
  root: {
    type: 'string',
    default: '/',
    describe: 'the system in this directory (an image), whose services are not started',
  },
} as const

export const install = command({
  name: 'install',
  describe: 'make the agent a service of systemd, and start it',
  examples: [
    ['box-agent install', 'this machine is a device from now on, also after a restart'],
    ['box-agent install --hub', 'and a hub, in a sandbox, with a state of its own'],
    ['box-agent install --dry-run', 'says what it would do'],
  ],
  options: OPTIONS,
  run: async (surroundings, args) => {
    const service = SERVICES[args.hub ? 'hub' : 'device']
    const commands = [
      ['systemd-sysusers', '/etc/sysusers.d/secushare-box.conf'],
      ['systemctl', 'daemon-reload'],
      ['systemctl', 'enable', '--now', service],
    ]
    const live = mayCommand(args.root, args['dry-run'])
    const put = (piece: Piece) =>
      args['dry-run'] ? look(piece, args.root) : place(piece, args.root)
    const changes = wanted(args.hub).map(piece => ({ path: piece.path, change: put(piece) }))
    if (live) for (const words of commands) order(words)
    report(surroundings, { changes, commands: live || args['dry-run'] ? commands : [], args })
    if (live && changes.some(({ change }) => change === 'changed'))
      surroundings.terminal.show(
        `What is running goes on as it was until: systemctl restart ${service}`,
      )
  },
})

export const uninstall = command({
  name: 'uninstall',
  describe: 'stop the service and take it away; keys, owners and edited settings stay',
  examples: [
    ['box-agent uninstall', 'this machine is no device any more, until it is installed again'],
  ],
  options: OPTIONS,
  run: async (surroundings, args) => {
    const service = SERVICES[args.hub ? 'hub' : 'device']
    const live = mayCommand(args.root, args['dry-run'])
    const isInstalled = existsSync(`/etc/systemd/system/${service}`)
    const before = [['systemctl', 'disable', '--now', service]]
    const after = [['systemctl', 'daemon-reload']]
    if (live && isInstalled) for (const words of before) order(words)
    const changes = leaving(args.hub, args.root).map(piece => ({
      path: piece.path,
      change: remove(piece, args.root, { dryRun: args['dry-run'] }),
    }))
    if (live) for (const words of after) order(words)
    const commands = live || args['dry-run'] ? [...before, ...after] : []
    report(surroundings, { changes, commands, args })
  },
})

function wanted(hub: boolean): readonly Piece[] {
  return pieces({
    role: hub ? 'hub' : 'device',
    executable: isOneFile() ? process.execPath : null,
    program: ownProgram('box-agent'),
  })
}

/** What goes: of what both services use, only what the other one does not need. */
function leaving(hub: boolean, root: string): readonly Piece[] {
  const mine = wanted(hub)
  const other = wanted(!hub)
  const isOtherThere = look(other.at(-1)!, root) !== 'new'
  return isOtherThere ? mine.filter(({ path }) => other.every(one => one.path !== path)) : mine
}

/** Whether systemd is to be told. Throws NO_SYSTEMD where it should be and is not. */
function mayCommand(root: string, dryRun: boolean): boolean {
  if (root !== '/' || dryRun) return false
  if (existsSync('/run/systemd/system')) return true
  throw new BoxError('NO_SYSTEMD', 'Start `box-agent run` from whatever starts things here.')
}

function order([program, ...words]: readonly string[]): void {
  try {
    execFileSync(program!, words, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' })
  } catch (cause) {
    const said = String((cause as { stderr?: string }).stderr ?? '').trim()
    throw new BoxError(
      'SERVICE_FAILED',
      `${program} ${words.join(' ')}: ${said || 'no reason told'}.`,
    )
  }
}

const TOLD: Readonly<Record<Change, string>> = {
  new: 'written',
  changed: 'replaced',
  same: 'is there',
  kept: 'kept as it is',
  removed: 'removed',
  absent: 'is not there',
}

function report(
  { terminal }: Surroundings,
  told: {
    readonly changes: readonly { readonly path: string; readonly change: Change }[]
    readonly commands: readonly (readonly string[])[]
    readonly args: { readonly 'dry-run': boolean; readonly root: string }
  },
): void {
  const { changes, commands, args } = told
  const width = Math.max(...Object.values(TOLD).map(text => text.length))
  const lines = [
    ...(args['dry-run'] ? ['Nothing was done. It would be:'] : []),
    ...changes.map(({ path, change }) => `${TOLD[change].padEnd(width)}  ${path}`),
    ...commands.map(words => `${'run'.padEnd(width)}  ${words.join(' ')}`),
  ]
  terminal.say(lines.join('\n'), {
    dry_run: args['dry-run'],
    root: args.root,
    changes,
    commands: commands.map(words => words.join(' ')),
  })
}
