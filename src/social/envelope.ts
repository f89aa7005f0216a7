/**
 * A letter on its way over a relay: sealed for one reader, from one writer, whom the reader knows by where it lay.
 *
 * The key comes from three agreements, as in X3DH without its signatures: of a fresh key with the prekey, of the
 * writer's zone with the prekey, of a fresh key with the reader's zone. Promises:
 * - Nobody but the two can read it; nobody at all once the reader has deleted the prekey, whatever is stolen later.
 * - The reader knows that the writer wrote it, and cannot show it to anybody: with the prekey and a fresh key of its
 *   own, the reader can make any envelope that the writer could have made.
 * - It has one of few sizes and says nothing of either.
 */

import { concat } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { AEAD_TAG_SIZE, openAead, sealAead } from '../crypto/aead.ts'
import { AgreementKey, ecdh } from '../crypto/agreement.ts'
import { hkdf } from '../crypto/kdf.ts'
import { agreeAsZone, agreeWithZone } from '../crypto/zone-agreement.ts'
import type { ZoneSecret } from '../crypto/zone-key.ts'
import { struct } from '../wire/fields.ts'
import { bytes, rest, WireError } from '../wire/layout.ts'
import { decodeLetter, encodeLetter, type Letter } from './letter.ts'
import { HINT_SIZE, prekeyHint } from './prekeys.ts'

const KEY_SIZE = 32
const NONCE = new Uint8Array(12) // Each key seals one letter.
const LABEL = new TextEncoder().encode('secushare-box envelope 1')
const AROUND = HINT_SIZE + KEY_SIZE + AEAD_TAG_SIZE

const Envelope = struct('BOX_ENVELOPE', {
  hint: bytes(HINT_SIZE),
  ephemeral: bytes(KEY_SIZE),
  sealed: rest,
})

/** Whoever writes: has the zone, or can agree with the one prekey in its place, which only its reader can besides. */
export interface Writer {
  readonly zone: ZoneKey
  /** Of the zone with an X25519 key. */
  agree(publicKey: Uint8Array): Uint8Array
}

export const writerOf = (own: ZoneSecret): Writer => ({
  zone: own.zone,
  agree: publicKey => agreeAsZone(own, publicKey),
})

/** Throws INPUT_INVALID, WIRE_MALFORMED where a key is none. */
export function sealEnvelope(
  letter: Letter,
  from: Writer,
  to: { readonly zone: ZoneKey; readonly prekey: Uint8Array },
  random: Random,
): Uint8Array {
  const ephemeral = AgreementKey.fromSecret(random.bytes(KEY_SIZE))
  const secret = concat(
    ecdh(ephemeral, to.prekey),
    from.agree(to.prekey),
    agreeWithZone(ephemeral, to.zone),
  )
  const setting = { writer: from.zone, reader: to.zone, prekey: to.prekey }
  const key = envelopeKey(secret, ephemeral.publicKey, setting)
  return Envelope.encode({
    hint: prekeyHint(to.prekey),
    ephemeral: ephemeral.publicKey,
    sealed: sealAead(key, NONCE, encodeLetter(letter, AROUND), LABEL),
  })
}

/** Which prekey an envelope wants. Throws WIRE_MALFORMED. */
export const envelopeHint = (envelope: Uint8Array): Uint8Array => read(envelope).hint.slice()

/** The letter, read with the secret half of its prekey; null where the writer has not written it so. Throws WIRE_MALFORMED. */
export function openEnvelope(
  envelope: Uint8Array,
  from: ZoneKey,
  own: ZoneSecret,
  prekey: AgreementKey,
): Letter | null {
  const { ephemeral, sealed } = read(envelope)
  const secret = concat(
    ecdh(prekey, ephemeral),
    agreeWithZone(prekey, from),
    agreeAsZone(own, ephemeral),
  )
  const setting = { writer: from, reader: own.zone, prekey: prekey.publicKey }
  const plain = openAead(envelopeKey(secret, ephemeral, setting), NONCE, sealed, LABEL)
  if (!plain) return null
  try {
    return decodeLetter(plain)
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw new BoxError('WIRE_MALFORMED', 'There is no letter in the envelope.', cause)
  }
}

interface Setting {
  readonly writer: ZoneKey
  readonly reader: ZoneKey
  readonly prekey: Uint8Array
}

const envelopeKey = (
  secret: Uint8Array,
  ephemeral: Uint8Array,
  { writer, reader, prekey }: Setting,
): Uint8Array => hkdf(KEY_SIZE, LABEL, secret, ephemeral, writer, reader, prekey)

function read(envelope: Uint8Array) {
  try {
    return Envelope.decode(envelope)
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw new BoxError('WIRE_MALFORMED', 'This is no envelope.', cause)
  }
}
