/** box name: what a name of the GNU Name System has, asked of the mesh and verified here. */

import { BoxError } from '../../src/base/errors.ts'
import { memoryStore } from '../../src/base/store.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { recordText, typeName, typeNumber } from '../../src/gns/record-text.ts'
import { type Resolution, Resolver } from '../../src/gns/resolver.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import { command } from '../command.ts'
import { type Context, knownHubs } from '../context.ts'
import { daemonNames } from '../daemon-egos.ts'
import { findEgo } from '../ego.ts'
import { openResolver } from '../names.ts'
import { timeoutMs } from '../timeout.ts'

/** Enough for a slow mesh to answer for each of a few labels. */
const TIMEOUT_S = 10

interface Arguments {
  readonly name: string
  readonly type: string | undefined
  readonly timeout: number
}

export const name = command<Arguments & { action: 'lookup' }>({
  usage: 'name <action> <name> [type]',
  examples: [
    ['box name lookup kitchen.home', 'prints the records of your device kitchen'],
    ['box name lookup www.000G00… A', 'prints only the addresses, of anybody’s name'],
  ],
  options: yargs =>
    yargs
      .positional('action', {
        choices: ['lookup'] as const,
        demandOption: true,
        describe: 'what to do',
      })
      .positional('name', {
        type: 'string',
        demandOption: true,
        describe: 'a name that ends in your own, or in the id of a zone',
      })
      .positional('type', { type: 'string', describe: 'TXT, A, AAAA, SSHFP, …; otherwise all' })
      .option('timeout', {
        type: 'number',
        default: TIMEOUT_S,
        describe: 'give up after so many seconds without an answer',
      }),
  run: async (context, args) => {
    const { output } = context
    const { records, zone } = await lookUp(context, args)
    for (const { type, data, expiresAt } of records) {
      const value = recordText(type, data)
      // Whoever asks for one type wants to use the value.
      output.result(args.type === undefined ? `${typeName(type)} ${value}` : value, {
        name: args.name,
        type: typeName(type),
        value,
        zone: zoneToText(zone),
        expires_at: new Date(expiresAt).toISOString(),
      })
    }
  },
})

/** Fails as Resolver.resolve, and with NO_HUB where there is nobody to ask. */
async function lookUp(context: Context, { name, type, timeout }: Arguments): Promise<Resolution> {
  const { output, state, fleet, signal } = context
  const wanted = type === undefined ? 'any' : typeNumber(type)
  const options = { signal, timeoutMs: timeoutMs(timeout) }
  if (context.engine.mesh === 'embedded' && knownHubs(state, fleet).length === 0)
    throw new BoxError('NO_HUB', 'None is known: pair a device, or see box hub --help.')
  const mesh = await context.mesh()
  const resolver = await openOwnResolver(context)
  const progress = output.progress(`asking for ${name}`)
  try {
    return await resolver.resolve(name, wanted, options)
  } catch (error) {
    const isAlone = !mesh.status().neighbours.some(({ state }) => state === 'up')
    if (isAlone && error instanceof BoxError && error.family === 'unreachable')
      throw new BoxError('NO_HUB', 'Without a hub nothing is found: see box doctor.', error)
    throw error
  } finally {
    progress.end()
    resolver.close()
  }
}

/** Names that end in a zone key need no identity. */
async function openOwnResolver({ state, fleet, clock, mesh }: Context): Promise<Resolver> {
  const ego = findEgo(state)
  const started = await mesh()
  const more = await daemonNames(started.names, ego?.secret ?? null)
  if (ego) return openResolver(started, clock, ego, fleet.devices(), more)
  const database = new ZoneDatabase(memoryStore())
  return new Resolver({ mesh: started, clock, zones: more?.zones ?? (() => null), database })
}
