/**
 * Pairing, seen from the owner-to-be: proves to know the secret of the code, and has the device prove it.
 *
 * Runs on a channel to the device's port for `pair`, after the handshake, whose session key binds the
 * proofs to both zone keys, both pids and this channel. Both sides end with each other's key, or with
 * what they had before. The device's side is pairing-window.ts.
 *
 *     owner                                device
 *     Request { proof, names }       ->
 *                                    <-    Offer { proof, record }
 *     Confirm                        ->
 *                                    <-    Stored
 *     (stores the device) Done       ->    (the code is spent)
 */

import type { Clock } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { PeerId, ZoneKey } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { equalSecrets, hmacSha256 } from '../crypto/hash.ts'
import type { ZoneSecret } from '../crypto/zone-key.ts'
import type { Channel } from '../mesh/mesh.ts'
import { WireError } from '../wire/layout.ts'
import { checkWords } from './check-words.ts'
import { Conversation } from './conversation.ts'
import { type DeviceRecord, parseDeviceRecord } from './device-record.ts'
import { authenticate, type Session } from './handshake.ts'
import {
  PairConfirm,
  PairDone,
  PairOffer,
  PairRefused,
  PairRequest,
  PairStored,
} from './messages.ts'
import type { PairingCode } from './pairing-code.ts'

const TIMEOUT_MS = 20_000
/** A label of GNS has at most 63 bytes. */
export const NAME_SIZE_MAX = 63

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export interface PairOptions {
  /** mesh.self. */
  readonly self: PeerId
  /** `contact`: with a person, who shows a code as a device does; absent: with a device. */
  readonly purpose?: 'pair' | 'contact'
  /** The owner's key. */
  readonly own: ZoneSecret
  readonly code: PairingCode
  /** How the owner will call the device; the device shows it as BOX_DEVICE. At most NAME_SIZE_MAX bytes. */
  readonly deviceName: string
  /** How the owner calls itself, for the device's list of owners. At most NAME_SIZE_MAX bytes. */
  readonly ownerName: string
  readonly clock: Clock
  readonly random: Random
  /**
   * Called when both sides have proven themselves and the device has stored its owner: stores the device.
   * If it throws, the device keeps an owner that does not know it; the same code works again then.
   */
  readonly store: (paired: PairedDevice) => void | Promise<void>
  readonly signal?: AbortSignal | undefined
}

export interface PairedDevice {
  readonly zone: ZoneKey
  readonly record: DeviceRecord
  /** The device shows the same. */
  readonly checkWords: readonly string[]
}

/**
 * Pairs over a fresh channel to servicePort('pair', code.device). Fails with PAIRING_REFUSED (wrong, used
 * or expired code: the device's log says which), IDENTITY_WRONG, and whatever `authenticate` fails with.
 */
export async function pairWithDevice(
  channel: Channel,
  options: PairOptions,
): Promise<PairedDevice> {
  const { self, own, code, clock, random, signal, purpose = 'pair' } = options
  const session = await authenticate(channel, {
    self,
    purpose,
    own,
    device: code.device,
    clock,
    random,
    signal,
  })
  const talk = new Conversation(session.channel, { clock, timeoutMs: TIMEOUT_MS, signal })
  try {
    return await request(talk, session, options)
  } catch (error) {
    if (error instanceof WireError) throw new BoxError('STATE_UNEXPECTED', undefined, error)
    throw error
  } finally {
    talk.close()
  }
}

async function request(
  talk: Conversation,
  session: Session,
  { code, deviceName, ownerName, store }: PairOptions,
): Promise<PairedDevice> {
  talk.send(
    PairRequest.encode({
      proof: pairingProof('owner', session, code.secret),
      deviceName: nameBytes(deviceName),
      ownerName: nameBytes(ownerName),
    }),
  )
  const offer = PairOffer.decode(refusalOr(await talk.next()))
  if (!equalSecrets(pairingProof('device', session, code.secret), offer.proof))
    throw new BoxError('IDENTITY_WRONG', 'It does not know the secret of the code.')
  const record = parseDeviceRecord(recordText(offer.record))
  talk.send(PairConfirm.encode({}))
  PairStored.decode(refusalOr(await talk.next()))
  const words = checkWords(session.sessionKey, code.secret)
  const paired: PairedDevice = { zone: session.peerZone, record, checkWords: words }
  await store(paired)
  talk.send(PairDone.encode({}))
  // The device closes when it has read that; closing before would take it back.
  await talk.next().catch(() => {})
  return paired
}

/** A MAC with the secret over the session, one for each direction. */
export const pairingProof = (
  by: 'owner' | 'device',
  { sessionKey }: Pick<Session, 'sessionKey'>,
  secret: Uint8Array,
): Uint8Array => hmacSha256(secret, encoder.encode(`secushare-box pairing 1 ${by}`), sessionKey)

/** The message, unless it is the refusal. */
function refusalOr(message: Uint8Array): Uint8Array {
  const type = new DataView(message.buffer, message.byteOffset).getUint16(2)
  if (type === PairRefused.type)
    throw new BoxError(
      'PAIRING_REFUSED',
      'The code may be mistyped, used already or expired: `box-agent pair` makes a new one.',
    )
  return message
}

function nameBytes(name: string): Uint8Array {
  const bytes = encoder.encode(name)
  if (bytes.length === 0 || bytes.length > NAME_SIZE_MAX)
    throw new BoxError('NAME_INVALID', `A name has 1 to ${NAME_SIZE_MAX} bytes.`)
  return bytes
}

function recordText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new BoxError('STATE_UNEXPECTED', 'The device does not say where it is.', cause)
  }
}
