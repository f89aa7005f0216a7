/**
 * What two people have in common by their zone keys alone, with nothing exchanged: where in the zone of each the
 * other one looks, under which name a relay keeps letters from one to the other, and the key of what is left there.
 * Nobody else can tell that any of it has to do with them. Either could have made all of it, so it proves nothing.
 */

import { equalBytes } from '../base/bytes.ts'
import { type PortId, portId, type ZoneKey } from '../base/ids.ts'
import { hkdf } from '../crypto/kdf.ts'
import { agreeBetweenZones } from '../crypto/zone-agreement.ts'
import type { ZoneSecret } from '../crypto/zone-key.ts'
import { encodeBase32 } from '../wire/base32.ts'

/** Of the name under which a relay keeps letters. */
export const DROP_SIZE = 32
const KEY_SIZE = 32
const PORT_SIZE = 64
/** Nobody finds a label of 128 bits by trying. */
const LABEL_SIZE = 16
const LABEL = new TextEncoder().encode('secushare-box bond 1')

/** `where`: the peer of somebody who is there; `mail`: who keeps their letters. */
export type Whereabouts = 'where' | 'mail'

export class Bond {
  readonly own: ZoneKey
  readonly other: ZoneKey
  private readonly secret: Uint8Array

  /** Throws INPUT_INVALID, WIRE_MALFORMED where either zone is none of Ed25519. */
  constructor(own: ZoneSecret, other: ZoneKey) {
    this.own = own.zone
    this.other = other
    this.secret = agreeBetweenZones(own, other)
  }

  /** The label in the zone of `owner` under which the other one finds what it says. */
  label(of: Whereabouts, owner: ZoneKey): string {
    return encodeBase32(this.derive(LABEL_SIZE, of, owner)).toLowerCase()
  }

  /** The CADET port on which `owner` is reached by the other one: whoever is no contact cannot even knock. */
  port(owner: ZoneKey): PortId {
    return portId(this.derive(PORT_SIZE, 'port', owner))
  }

  /** What a relay calls letters for `owner` from the other one. */
  drop(owner: ZoneKey): Uint8Array {
    return this.derive(DROP_SIZE, 'drop', owner)
  }

  /** Seals the card (prekeys.ts) of `owner` for the other one. */
  cardKey(owner: ZoneKey): Uint8Array {
    return this.derive(KEY_SIZE, 'card', owner)
  }

  private derive(size: number, use: string, owner: ZoneKey): Uint8Array {
    const second = equalBytes(owner, this.own) ? this.other : this.own
    return hkdf(size, LABEL, this.secret, `${use} `, owner, second).slice()
  }
}
