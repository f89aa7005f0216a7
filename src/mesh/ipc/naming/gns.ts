/**
 * What the daemon's own resolver says (gns.h). It believes its local DHT without looking: good enough to tell
 * why a name does not resolve, never to decide whom to trust.
 */

import type { BoxError } from '../../../base/errors.ts'
import type { ZoneKey } from '../../../base/ids.ts'
import { Service, type ServicePorts } from '../service.ts'
import { GnsLookup, GnsResult } from './messages.ts'

/** As gnunet-gns allows. */
const DEPTH_MAX = 128

export interface GnsQuestion {
  readonly zone: ZoneKey
  /** Relative to the zone; `@` for the zone itself. */
  readonly name: string
  /** 0: any. */
  readonly type: number
}

export interface GnsAnswer {
  readonly count: number
  readonly bytes: Uint8Array
}

/**
 * Asks once. `done` gets what is found, count 0 where an authority says that there is nothing, or why it
 * cannot be asked; nothing for as long as the search goes on. A question cannot be taken back but by
 * hanging up, so that each has a connection.
 */
export function askGns(
  path: string,
  ports: ServicePorts,
  { zone, name, type: recordType }: GnsQuestion,
  done: (answer: GnsAnswer | BoxError) => void,
): { close(): void } {
  const service = new Service('gns', path, ports, {
    up: () =>
      void service.send(
        GnsLookup.encode({ request: 1, options: 0, depth: DEPTH_MAX, recordType, zone, name }),
      ),
    received: (type, raw) => {
      if (type !== GnsResult.type) return
      const { recordCount, records } = GnsResult.decode(raw)
      service.close()
      done({ count: recordCount, bytes: records.slice() })
    },
    down: reason => {
      service.close()
      done(reason)
    },
  })
  service.open()
  return { close: () => service.close() }
}
