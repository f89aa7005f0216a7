/** The zones that are revoked in GNS, as far as this controller knows; what it has heard is kept for all its commands. */

import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import { Revocations } from '../src/gns/revocations.ts'
import type { Context, ControllerMesh } from './context.ts'
import { publishedRevocations } from './revocation-book.ts'

const FILE = 'revoked-zones'

/** By the mesh, which passes on what is heard to one listener; contexts of one process differ by their signals. */
const open = new WeakMap<ControllerMesh, Revocations>()

/** One for all that a command does; it ends with the command. Fails with STATE_UNREADABLE, and as the mesh. */
export async function revokedZones(context: Context): Promise<Revocations> {
  const mesh = await context.mesh()
  const revocations = open.get(mesh) ?? begin(context, mesh)
  open.set(mesh, revocations)
  return revocations
}

function begin(context: Context, mesh: ControllerMesh): Revocations {
  const { state, clock, log, revocationBits: difficulty } = context
  const shelf = {
    read: () => {
      const text = state.readText(FILE)
      return text === null ? null : new Uint8Array(Buffer.from(text, 'base64'))
    },
    write: (value: Uint8Array) =>
      state.exclusively(() => state.writeText(FILE, `${Buffer.from(value).toString('base64')}\n`)),
  }
  const revocations = new Revocations({ mesh, shelf, clock, log, difficulty })
  context.ending(() => revocations.close())
  return revocations
}

/** Says again what we have published: a block of the DHT lives for a day. Never fails for what it finds. */
export async function republishRevocations(context: Context): Promise<void> {
  const { state, log } = context
  try {
    for (const { work, years } of publishedRevocations(state)) {
      const raw = work.certificate(years)
      if (raw) await (await revokedZones(context)).publish(raw)
    }
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    log.note('warn', 'controller', 'revocations not published', { code: error.code })
  }
}

/** Throws ZONE_REVOKED where it is known that the owner of the key does not stand by it any more. */
export function mustNotBeRevoked(
  revocations: Pick<Revocations, 'isRevoked'>,
  { name, zone }: { readonly name: string; readonly zone: ZoneKey },
): void {
  if (revocations.isRevoked(zone)) throw new BoxError('ZONE_REVOKED', `It is that of ${name}.`)
}
