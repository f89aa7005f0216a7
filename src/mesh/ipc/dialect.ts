/**
 * Which GNUnet this is. Nothing in its protocols says so, and the one question that would (type 1) crashes
 * it: what can be told is told by which sockets there are and by the size of CORE's first answer; the rest
 * by the version that its tools print, where they are installed.
 */

import { BoxError } from '../../base/errors.ts'

/** What differs between releases for a client of the services. */
export interface Dialect {
  /** The releases that speak it. */
  readonly releases: string
  /** The wire class of the peer: only peers of one class reach each other. */
  readonly wireClass: 'A' | 'B' | 'C or D'
  /** HELLOs are kept by PEERINFO (up to 0.20) or by PEERSTORE. */
  readonly hellos: 'peerinfo' | 'peerstore'
  /** How NAMESTORE is told to store: records alone, or with a flag for the transaction (since 0.22). */
  readonly namestoreStore: 'plain' | 'transaction'
  /** Whether the DHT may be asked for routes: daemons of 0.25 and later crash over blocks that have one. */
  readonly recordsRoutes: boolean
  /** The states of CORE's monitor in which a peer is connected, and those in which it is gone. */
  readonly connected: readonly number[]
  readonly gone: readonly number[]
  readonly listEnd: number
}

const OLD_CORE = { connected: [3, 4], gone: [0, 5], listEnd: 6 } as const
const NEW_CORE = { connected: [7, 8, 9], gone: [0, 10], listEnd: 11 } as const

export const DIALECTS = {
  A: {
    releases: '0.19 to 0.20',
    wireClass: 'A',
    hellos: 'peerinfo',
    namestoreStore: 'plain',
    recordsRoutes: true,
    ...OLD_CORE,
  },
  B21: {
    releases: '0.21',
    wireClass: 'B',
    hellos: 'peerstore',
    namestoreStore: 'plain',
    recordsRoutes: false,
    ...OLD_CORE,
  },
  B: {
    releases: '0.22 to 0.24',
    wireClass: 'B',
    hellos: 'peerstore',
    namestoreStore: 'transaction',
    recordsRoutes: false,
    ...OLD_CORE,
  },
  CD: {
    releases: '0.25 to 0.27',
    wireClass: 'C or D',
    hellos: 'peerstore',
    namestoreStore: 'transaction',
    recordsRoutes: false,
    ...NEW_CORE,
  },
} as const satisfies Record<string, Dialect>

export interface Evidence {
  /** Whether the socket of this service is there. */
  has(service: string): boolean
  /** Whether CORE tells the class of the peer in its first answer (44 bytes instead of 40). */
  readonly tellsClass: boolean
  /** As `gnunet-config --version` prints it (`0.19.3`); null where that is not installed. */
  readonly version: string | null
}

/** The dialect of a daemon. Throws GNUNET_TOO_OLD. */
export function dialectOf({ has, tellsClass, version }: Evidence): Dialect {
  const release = /^(\d+)\.(\d+)/.exec(version ?? '')
  const minor = release?.[1] === '0' ? Number(release[2]) : null
  if (tellsClass || has('pils')) return DIALECTS.CD
  if (!has('peerinfo')) return minor === 21 ? DIALECTS.B21 : DIALECTS.B
  // The tools may be of another installation than the daemon: believed only where nothing else tells.
  if (minor !== null && minor < 19)
    throw new BoxError('GNUNET_TOO_OLD', `Its tools are of version ${version}.`)
  return DIALECTS.A
}
