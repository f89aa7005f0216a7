/** Whether a hub can be dialled now, by a connection of its own that is closed at once. */

import { isIP } from 'node:net'
import type { Clock } from '../src/base/clock.ts'
import type { Address, Network } from '../src/base/stream.ts'

/** A hub that does not answer by then is of no use to anybody. */
const TIMEOUT_MS = 5_000
/** Several hubs with several addresses: a few tries tell. */
const DIALS_MAX = 8

/** True as soon as one answers, and where there is none to dial. */
export function dialsAny(
  hubs: readonly string[],
  network: Network,
  clock: Clock,
): Promise<boolean> {
  const addresses = hubs.flatMap(addressesOf).slice(0, DIALS_MAX)
  if (addresses.length === 0) return Promise.resolve(true)
  return new Promise(resolve => {
    let left = addresses.length
    const timer = clock.after(TIMEOUT_MS, () => end(false))
    const end = (answer: boolean) => {
      timer.cancel()
      resolve(answer)
      for (const stream of streams) stream.close()
    }
    const streams = addresses.map(address =>
      network.dial(address, {
        opened: () => end(true),
        received: () => {},
        drained: () => {},
        closed: () => {
          if (--left === 0) end(false)
        },
      }),
    )
  })
}

/** The TCP addresses in a HELLO URL, `…+tcp+tcp.0.192.0.2.1%3A2086`; names are left out, as no name is asked here. */
export const addressesOf = (hello: string): readonly Address[] =>
  [...hello.matchAll(/\+tcp\+(?:tcp\.\d+\.)?([^+]+)/g)].flatMap(([, written]) => {
    const text = decodeURIComponent(written!)
    const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
    const host = v6 ?? v4 ?? ''
    return isIP(host) === 0 ? [] : [{ host, port: Number(port) }]
  })
