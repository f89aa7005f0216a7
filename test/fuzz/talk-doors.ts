/** The doors of private talk: letters, cards, introductions, and what relays and zones say. See doors.ts. */

import { readRelays, readWhereabouts } from '../../controller/talk/whereabouts.ts'
import { concat } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import { decodeMailbox, encodeMailbox, readWaitingLetters } from '../../src/box/mail-talk.ts'
import { readFrom, readLying, readRelayedFile, readTag } from '../../src/box/relayed-file.ts'
import { sealAead } from '../../src/crypto/aead.ts'
import { AgreementKey } from '../../src/crypto/agreement.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { RECORD_TYPE } from '../../src/gns/record.ts'
import { envelopeHint, openEnvelope, sealEnvelope, writerOf } from '../../src/social/envelope.ts'
import { encodePart, openPart } from '../../src/social/file-part.ts'
import { leafHash } from '../../src/social/file-tree.ts'
import { readIntroduction, signIntroduction } from '../../src/social/introduction.ts'
import { decodeLetter, encodeLetter } from '../../src/social/letter.ts'
import { openCard, sealCard } from '../../src/social/prekeys.ts'
import { decodeSaying, encodeSaying } from '../../src/social/saying.ts'
import { utf8 } from '../vectors.ts'
import { type ByteDoor, now, random, type TextDoor, zone } from './doors.ts'

const [own, other] = [1, 2].map(() => ZoneSecret.generate('EDKEY', random)) as [
  ZoneSecret,
  ZoneSecret,
]
const prekey = AgreementKey.fromSecret(random.bytes(32))
const letter = { number: now, packet: encodeSaying({ is: 'text', text: 'hello\n|\n' }) }
const to = { zone: own.zone, prekey: prekey.publicKey }
const key = random.bytes(32)
const card = sealCard({ serial: now, keys: [prekey.publicKey] }, key, random)
const content = utf8('what is in a file')
const offer = {
  ...{ name: 'notes.txt', size: content.length, root: leafHash(content) },
  key: random.bytes(32),
}
const label = utf8('secushare-box card 1')
const nonce = new Uint8Array(12)

export const TALK_BYTE_DOORS: readonly ByteDoor[] = [
  {
    name: 'envelope',
    of: ['openEnvelope'],
    right: [sealEnvelope(letter, writerOf(other), to, random)],
    read: bytes => {
      envelopeHint(bytes)
      return openEnvelope(bytes, other.zone, own, prekey)
    },
    isSlow: true,
  },
  { name: 'letter', of: ['decodeLetter'], right: [encodeLetter(letter, 56)], read: decodeLetter },
  {
    name: 'card of prekeys',
    of: ['openCard'],
    right: [card],
    read: bytes => openCard(bytes, key),
  },
  {
    name: 'card that was sealed',
    of: [],
    right: [concat(new Uint8Array(8), prekey.publicKey)],
    read: plain => openCard(concat(nonce, sealAead(key, nonce, plain, label)), key),
  },
  {
    name: 'introduction',
    of: ['readIntroduction'],
    right: [signIntroduction(other, { to: own.zone, zone: zone.zone, name: 'eve', at: now })],
    read: readIntroduction,
    isSlow: true,
  },
  {
    name: 'what people say',
    of: ['decodeSaying'],
    right: [
      letter.packet,
      encodeSaying({ is: 'received', numbers: [now, 7], again: true }),
      encodeSaying({ is: 'introduction', signed: random.bytes(30) }),
    ],
    read: decodeSaying,
  },
  {
    name: 'offer of a file',
    of: ['readOffer'],
    right: [encodeSaying({ is: 'file', offer })],
    read: bytes => decodeSaying(bytes),
  },
  {
    name: 'part of a file',
    of: ['openPart'],
    right: [encodePart(offer, { index: 0, plain: content, proof: [] })],
    read: bytes => openPart(offer, bytes),
  },
  {
    name: 'mailbox',
    of: ['decodeMailbox'],
    right: [encodeMailbox([{ drop: random.bytes(32), card }])],
    read: decodeMailbox,
  },
  {
    name: 'where somebody says to be',
    of: ['readWhereabouts', 'readRelays'],
    right: [utf8(`box1-mail ${zoneToText(zone.zone)}`), utf8('box1-away')],
    read: data => {
      const records = [{ type: RECORD_TYPE.TXT, data, flags: 0 }]
      return [readWhereabouts(records), readRelays(records)]
    },
  },
]

export const TALK_TEXT_DOORS: readonly TextDoor[] = [
  {
    name: 'letters that wait',
    of: ['readWaitingLetters'],
    right: ['{"letters":[{"id":"A-1-2","drop":"A"}]}'],
    read: text => readWaitingLetters(json(text)),
  },
  {
    name: 'a file at a relay',
    of: ['readRelayedFile', 'readTag', 'readFrom', 'readLying'],
    right: [
      '{"tag":"0123456789abcdefghjkmnpqrs","count":2,"size":61696,"from":1,"has":1,"until":5}',
    ],
    read: text => {
      const said = json(text)
      return [readRelayedFile(said), readTag(said), readFrom(said), readLying(said)]
    },
  },
]

function json(text: string) {
  try {
    return JSON.parse(text) ?? {}
  } catch (error) {
    if (error instanceof SyntaxError) throw new BoxError('STATE_UNEXPECTED')
    throw error
  }
}
