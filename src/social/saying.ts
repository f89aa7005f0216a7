/**
 * What people say to each other in letters, as PSYC packets. Methods inherit: a newer `_message_private_reply` is shown
 * as a message; of what is none of these it is only said that there is something.
 */

import { BoxError } from '../base/errors.ts'
import { inherits } from '../psyc/keyword.ts'
import { modifier, type Packet, packet, renderPacket } from '../psyc/packet.ts'
import { PacketReader } from '../psyc/packet-reader.ts'
import { WireError } from '../wire/layout.ts'
import { type FileOffer, offerModifiers, offerText, readOffer } from './file-offer.ts'
import { PACKET_BYTES_MAX } from './letter.ts'

/** As in rooms. */
export const TEXT_BYTES_MAX = 4_096
/** Of one receipt; what is more is told in the next. */
export const RECEIVED_MAX = 256

export type Sayable =
  | { readonly is: 'text'; readonly text: string }
  /** Older versions show it as a text. */
  | { readonly is: 'file'; readonly offer: FileOffer }
  /** A signed introduction (introduction.ts). */
  | { readonly is: 'introduction'; readonly signed: Uint8Array }
  /** What has come over a relay. `again`: something could not be read, so send all else once more. */
  | { readonly is: 'received'; readonly numbers: readonly number[]; readonly again: boolean }
  /** Which key of whoever says it came after which (src/box/succession.ts). It is about nobody else. */
  | { readonly is: 'succession'; readonly chain: Uint8Array }

export type Saying = Sayable | { readonly is: 'unknown'; readonly method: string }

const METHODS = {
  text: '_message_private',
  file: '_message_private_file',
  introduction: '_notice_introduction',
  received: '_notice_received',
  succession: '_notice_succession',
} as const
const AGAIN = '_flag_again'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Throws INPUT_INVALID where it is too long. */
export function encodeSaying(saying: Sayable): Uint8Array {
  const method = METHODS[saying.is]
  switch (saying.is) {
    case 'text': {
      const data = encoder.encode(saying.text)
      if (data.length > TEXT_BYTES_MAX)
        throw new BoxError('INPUT_INVALID', `A message has at most ${TEXT_BYTES_MAX} bytes.`)
      return renderPacket(packet({ method, data }))
    }
    case 'file': {
      const { offer } = saying
      const data = encoder.encode(offerText(offer))
      return renderPacket(packet({ method, data, entity: offerModifiers(offer) }))
    }
    case 'introduction':
      return renderPacket(packet({ method, data: saying.signed }))
    case 'succession':
      return renderPacket(packet({ method, data: saying.chain }))
    case 'received': {
      const data = encoder.encode(saying.numbers.slice(0, RECEIVED_MAX).join(' '))
      const entity = saying.again ? [modifier(':', AGAIN, '1')] : []
      return renderPacket(packet({ method, data, entity }))
    }
  }
}

/** Throws WIRE_MALFORMED. */
export function decodeSaying(bytes: Uint8Array): Saying {
  const { method, data, entity } = onePacket(bytes)
  const content = data?.slice() ?? new Uint8Array(0)
  const offer = method !== null && inherits(method, METHODS.file) ? readOffer(entity) : null
  if (offer) return { is: 'file', offer }
  if (method !== null && inherits(method, '_message'))
    return { is: 'text', text: decoder.decode(content) }
  if (method !== null && inherits(method, METHODS.introduction))
    return { is: 'introduction', signed: content }
  if (method !== null && inherits(method, METHODS.succession))
    return { is: 'succession', chain: content }
  if (method !== null && inherits(method, METHODS.received)) {
    const words = decoder.decode(content).split(' ').slice(0, RECEIVED_MAX)
    const numbers = words.map(Number).filter(number => Number.isSafeInteger(number) && number > 0)
    return { is: 'received', numbers, again: entity.some(({ name }) => name === AGAIN) }
  }
  return { is: 'unknown', method: method ?? '' }
}

function onePacket(bytes: Uint8Array): Packet {
  const packets: Packet[] = []
  try {
    new PacketReader(view => packets.push(view.packet()), PACKET_BYTES_MAX).push(bytes)
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw new BoxError('WIRE_MALFORMED', 'What was said is no PSYC packet.', cause)
  }
  if (packets.length !== 1) throw new BoxError('WIRE_MALFORMED', 'A letter has one packet.')
  return packets[0]!
}
