/**
 * What an owner says about somebody's rights on a device, signed with the owner's zone key: a grant, or,
 * with no rights in it, its end. Numbered, so that a device takes no older one after a newer one.
 */

import { BoxError } from '../base/errors.ts'
import { type ZoneKey, zoneKey } from '../base/ids.ts'
import { verifyZoneSignature, type ZoneSecret } from '../crypto/zone-key.ts'
import { struct } from '../wire/fields.ts'
import { bytes, rest, u16, u64, WireError } from '../wire/layout.ts'
import { isRight, type Right } from './grant.ts'
import { SIGNATURE_SIZE, ZONE_SIZE } from './messages.ts'
import { makesDemands, parseScope, type Scope } from './scope.ts'

/** The purpose number of these signatures; see HANDSHAKE_SIGNATURE. */
const GRANT_SIGNATURE = 0xb0c5_0002
const VERSION = 1
/** Of a statement with a demand: a device that does not know of demands takes none of it, rather than all but that. */
const VERSION_WITH_DEMANDS = 2
/** The same for the demand that somebody approves. */
const VERSION_WITH_APPROVAL = 3
/** A name, rights, and lists of a few hundred commands, paths and targets. */
const TERMS_MAX = 16_384
const NAME_MAX = 63

export interface GrantStatement {
  readonly device: ZoneKey
  readonly issuer: ZoneKey
  readonly holder: ZoneKey
  /** Later ones have higher numbers: the time of the issuer, in milliseconds since 1970. */
  readonly number: number
  readonly until: number | null
  /** How the issuer calls the holder. */
  readonly name: string
  /** None: all that the holder had ends. */
  readonly rights: readonly Right[]
  readonly scope: Scope
}

const Statement = struct('BOX_GRANT', {
  version: u16,
  device: bytes(ZONE_SIZE),
  issuer: bytes(ZONE_SIZE),
  holder: bytes(ZONE_SIZE),
  number: u64,
  /** Milliseconds since 1970; 0 is until revoked. */
  until: u64,
  /** JSON. */
  terms: rest,
})

const Signed = struct('BOX_SIGNED_GRANT', { signature: bytes(SIGNATURE_SIZE), statement: rest })

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Throws INPUT_INVALID where the terms are too long. */
export function signGrant(own: ZoneSecret, given: Omit<GrantStatement, 'issuer'>): Uint8Array {
  const { device, holder, number, until, name, rights, scope } = given
  const terms = encoder.encode(JSON.stringify({ name, rights, scope }))
  if (terms.length > TERMS_MAX) throw new BoxError('INPUT_INVALID', 'The grant is too long.')
  const statement = Statement.encode({
    version: versionFor(scope),
    ...{ device, issuer: own.zone, holder, terms },
    number: BigInt(number),
    until: BigInt(until ?? 0),
  })
  return Signed.encode({ signature: own.sign(GRANT_SIGNATURE, statement), statement })
}

function versionFor(scope: Scope): number {
  if (scope.approved) return VERSION_WITH_APPROVAL
  return makesDemands(scope) ? VERSION_WITH_DEMANDS : VERSION
}

/** Throws SIGNATURE_INVALID, WIRE_MALFORMED. */
export function readGrant(raw: Uint8Array): GrantStatement {
  try {
    const { signature, statement } = Signed.decode(raw)
    const { version, terms, ...fields } = Statement.decode(statement)
    if (version < VERSION || version > VERSION_WITH_APPROVAL)
      throw new TypeError('of another version')
    if (terms.length > TERMS_MAX) throw new TypeError('too long')
    const issuer = zoneKey(fields.issuer.slice())
    if (!verifyZoneSignature(issuer, GRANT_SIGNATURE, statement, signature))
      throw new BoxError('SIGNATURE_INVALID')
    return {
      issuer,
      device: zoneKey(fields.device.slice()),
      holder: zoneKey(fields.holder.slice()),
      number: Number(fields.number),
      until: fields.until === 0n ? null : Number(fields.until),
      ...readTerms(terms),
    }
  } catch (error) {
    if (error instanceof WireError || error instanceof TypeError || error instanceof SyntaxError)
      throw new BoxError('WIRE_MALFORMED', 'This is no grant.', error)
    throw error
  }
}

function readTerms(terms: Uint8Array): Pick<GrantStatement, 'name' | 'rights' | 'scope'> {
  const { name, rights, scope } = JSON.parse(decoder.decode(terms)) as Record<string, unknown>
  if (typeof name !== 'string' || name.length > NAME_MAX) throw new TypeError('no name')
  if (!Array.isArray(rights) || !rights.every(isRight)) throw new TypeError('no rights')
  return { name, rights, scope: parseScope(scope) }
}
