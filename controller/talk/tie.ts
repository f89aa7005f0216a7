/**
 * The keys of ours by which somebody may know us: that of today, and those from before (`box rotate ego`), as long as
 * they have not shown that they know a later one. Whoever is known by one of them is found, reached and written to by
 * what that key and theirs have in common, and told what leads from it to the key of today.
 */

import { equalBytes } from '../../src/base/bytes.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import type { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { Bond } from '../../src/social/bond.ts'
import type { Ego } from '../ego.ts'
import type { Contact } from './contact-book.ts'

export interface Tie {
  readonly own: ZoneSecret
  readonly bond: Bond
  /** What leads from the key of ours to that of today, signed; empty where it is that one. */
  readonly chain: Uint8Array
}

const NOTHING = new Uint8Array(0)

/** Which keys of ours somebody may know us by who knows this one for sure, that of today first. */
export function keysKnown(
  { secret, former }: Pick<Ego, 'secret' | 'former'>,
  knowsUs: ZoneKey | null,
  now: number,
): readonly Omit<Tie, 'bond'>[] {
  const today = { own: secret, chain: NOTHING }
  if (knowsUs && equalBytes(knowsUs, secret.zone)) return [today]
  const since = former.findIndex(one => knowsUs !== null && equalBytes(one.secret.zone, knowsUs))
  const living = former.slice(Math.max(0, since)).filter(({ until }) => until > now)
  return [today, ...living.map(one => ({ own: one.secret, chain: one.chain })).toReversed()]
}

/** The ties to people, each made once: it costs an agreement of keys. */
export class Ties {
  private readonly bonds = new Map<string, Bond>()

  /** Never empty, that of today first. Throws INPUT_INVALID where the two cannot talk: see Bond. */
  to({ zone, knowsUs }: Contact, ego: Ego, now: number): readonly Tie[] {
    return keysKnown(ego, knowsUs, now).map(key => ({ ...key, bond: this.bond(key.own, zone) }))
  }

  private bond(own: ZoneSecret, zone: ZoneKey): Bond {
    const name = tieName(own.zone, zone)
    const bond = this.bonds.get(name) ?? new Bond(own, zone)
    this.bonds.set(name, bond)
    return bond
  }
}

export const tieName = (own: ZoneKey, other: ZoneKey): string =>
  `${zoneToText(own)} ${zoneToText(other)}`
