/** What a name of the GNU Name System has, asked of the mesh and verified here. */

import { BoxError } from '../src/base/errors.ts'
import { memoryStore } from '../src/base/store.ts'
import { typeNumber } from '../src/gns/record-text.ts'
import { type Resolution, Resolver } from '../src/gns/resolver.ts'
import { ZoneDatabase } from '../src/gns/zone.ts'
import { type Context, knownHubs } from './context.ts'
import { daemonNames } from './daemon-egos.ts'
import { findEgo } from './ego.ts'
import { openResolver } from './names.ts'
import { revokedZones } from './revoked-zones.ts'

/** Fails as Resolver.resolve, and with NO_HUB where there is nobody to ask. */
export async function lookUp(
  context: Context,
  name: string,
  type: string | null,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<Resolution> {
  const { output, state, fleet, signal } = context
  const wanted = type === null ? 'any' : typeNumber(type)
  const options = { signal, timeoutMs }
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
async function openOwnResolver(context: Context): Promise<Resolver> {
  const { state, fleet, clock, mesh } = context
  const ego = findEgo(state)
  const started = await mesh()
  const more = await daemonNames(started.names, ego?.secret ?? null)
  const revocations = await revokedZones(context)
  if (ego) return openResolver(started, clock, ego, fleet.devices(), { more, revocations })
  const database = new ZoneDatabase(memoryStore())
  const zones = more?.zones ?? (() => null)
  return new Resolver({ mesh: started, clock, zones, database, revocations })
}
