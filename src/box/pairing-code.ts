/**
 * The code a device shows to be paired: its zone key and a one-time secret, as text for people and for
 * QR codes.
 *
 * Base32 (Crockford's alphabet, as GNUnet's) of: version u8, kind of zone u8, public key 32, secret 16,
 * hubs (count u8, then each: kind u8, length u8, bytes), checksum 4 (the first bytes of SHA-256 of what
 * precedes). A hub is the text of its HELLO URL (kind 0), or, shorter, the 32 bytes of the peer that the
 * URL begins with and the text that follows (kind 1).
 * Spaces, hyphens, case and the prefix `BOX:` mean nothing; O is 0, I and L are 1, U is V.
 */

import { concat, equalBytes } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { sha256 } from '../crypto/hash.ts'
import { type ZoneType, zoneKeyOf, zonePublicKey, zoneType } from '../crypto/zone-key.ts'
import { base32Length, decodeBase32, encodeBase32 } from '../wire/base32.ts'
import { bytes, Cursor, counted, u8 } from '../wire/layout.ts'

const VERSION = 1
const KINDS: readonly ZoneType[] = ['PKEY', 'EDKEY']
const KEY_SIZE = 32
export const SECRET_SIZE = 16
const CHECKSUM_SIZE = 4
/** Version, kind, key, secret, number of hubs. */
const FIXED_SIZE = 3 + KEY_SIZE + SECRET_SIZE
/** More make the QR code too fine for a terminal. */
const HUBS_MAX = 2
const HUB_SIZE_MAX = 255
const SIZE_MAX = FIXED_SIZE + HUBS_MAX * (2 + HUB_SIZE_MAX) + CHECKSUM_SIZE
const HUB_AS_TEXT = 0
const HUB_BY_PEER = 1
const HELLO = 'gnunet://hello/'
const GROUP = 5
const PREFIX = 'BOX:'

export interface PairingCode {
  readonly device: ZoneKey
  /** SECRET_SIZE bytes, good for one pairing. */
  readonly secret: Uint8Array
  /** HELLO URLs of hubs at which the device can be reached, for a controller that knows none. */
  readonly hubs: readonly string[]
}

/** A fresh code. Hubs that do not fit are left out. */
export function makePairingCode(
  device: ZoneKey,
  hubs: readonly string[],
  random: Random,
): PairingCode {
  const fitting = hubs.filter(hub => hubBytes(hub).length <= 2 + HUB_SIZE_MAX)
  return { device, secret: random.bytes(SECRET_SIZE), hubs: fitting.slice(0, HUBS_MAX) }
}

/** For people: upper case, in groups of five. */
export const formatPairingCode = (code: PairingCode): string =>
  encodeBase32(toBytes(code))
    .match(new RegExp(`.{1,${GROUP}}`, 'g'))!
    .join('-')

/** For QR codes: only characters of their alphanumeric mode, which takes the least space. */
export const pairingCodeForQr = (code: PairingCode): string => PREFIX + encodeBase32(toBytes(code))

/** Throws CODE_INVALID, which says what is wrong and where. */
export function parsePairingCode(text: string): PairingCode {
  const characters = charactersOf(text)
  const byteLength = Math.floor((characters.length * 5) / 8)
  const shortest = base32Length(FIXED_SIZE + CHECKSUM_SIZE)
  if (characters.length < shortest)
    throw invalid(`It is too short: ${characters.length} characters, at least ${shortest} wanted.`)
  if (byteLength > SIZE_MAX || base32Length(byteLength) !== characters.length)
    throw invalid(`No code has ${characters.length} characters: some are missing, or too many.`)
  const whole = decodeCharacters(characters, byteLength)
  const content = whole.subarray(0, -CHECKSUM_SIZE)
  if (!equalBytes(checksum(content), whole.subarray(-CHECKSUM_SIZE)))
    throw invalid('The checksum is wrong: some character is mistyped.')
  return fromBytes(content)
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
const invalid = (detail: string, cause?: unknown) => new BoxError('CODE_INVALID', detail, cause)
const checksum = (content: Uint8Array): Uint8Array => sha256(content).subarray(0, CHECKSUM_SIZE)

function toBytes({ device, secret, hubs }: PairingCode): Uint8Array {
  const type = zoneType(device)
  if (!type || secret.length !== SECRET_SIZE || hubs.length > HUBS_MAX)
    throw new RangeError('this cannot be a pairing code')
  const packed = hubs.map(hubBytes)
  if (packed.some(({ length }) => length > 2 + HUB_SIZE_MAX)) throw new RangeError('a hub too long')
  const head = Uint8Array.of(VERSION, KINDS.indexOf(type))
  const count = Uint8Array.of(hubs.length)
  const content = concat(head, zonePublicKey(device), secret, count, ...packed)
  return concat(content, checksum(content))
}

/** Kind, length, bytes. The length is wrong where it does not fit: see who calls. */
function hubBytes(hub: string): Uint8Array {
  const [, peer, rest] = new RegExp(`^${HELLO}([0-9A-Z]{52})(.*)$`, 's').exec(hub) ?? []
  const key = peer === undefined ? null : peerBytes(peer)
  const body = key ? concat(key, encoder.encode(rest)) : encoder.encode(hub)
  return concat(Uint8Array.of(key ? HUB_BY_PEER : HUB_AS_TEXT, body.length), body)
}

/** The bytes of a peer, where they give this very text again. */
function peerBytes(peer: string): Uint8Array | null {
  try {
    const key = decodeBase32(peer, KEY_SIZE)
    return encodeBase32(key) === peer ? key : null
  } catch {
    return null
  }
}

function readHub(from: Cursor): string {
  const kind = u8.get(from, {})
  const body = counted('size').get(from, { size: u8.get(from, {}) })
  if (kind === HUB_AS_TEXT) return decoder.decode(body)
  if (kind !== HUB_BY_PEER || body.length < KEY_SIZE) throw new RangeError('no hub')
  const peer = encodeBase32(body.subarray(0, KEY_SIZE))
  return HELLO + peer + decoder.decode(body.subarray(KEY_SIZE))
}

/** The characters that count. Throws CODE_INVALID with the place of one that cannot be part of a code. */
function charactersOf(text: string): string {
  const trimmed = text.trimStart()
  const prefixed = trimmed.slice(0, PREFIX.length).toUpperCase() === PREFIX
  const start = text.length - trimmed.length + (prefixed ? PREFIX.length : 0)
  let characters = ''
  for (let i = start; i < text.length; i++) {
    const character = text[i]!
    if (/[\s-]/.test(character)) continue
    if (!/[0-9A-Za-z]/.test(character))
      throw invalid(`Character ${i + 1} (${JSON.stringify(character)}) is not part of any code.`)
    characters += character
    if (characters.length > base32Length(SIZE_MAX)) throw invalid('It is too long.')
  }
  return characters
}

function decodeCharacters(characters: string, byteLength: number): Uint8Array {
  try {
    return decodeBase32(characters, byteLength)
  } catch (cause) {
    throw invalid('The last character is mistyped.', cause)
  }
}

function fromBytes(content: Uint8Array): PairingCode {
  const from = new Cursor(content)
  const version = u8.get(from, {})
  if (version !== VERSION)
    throw invalid(`It is of version ${version}; this program reads version ${VERSION}.`)
  const type = KINDS[u8.get(from, {})]
  if (!type) throw invalid('It names a kind of key that this program does not know.')
  const publicKey = bytes(KEY_SIZE).get(from, {})
  const secret = bytes(SECRET_SIZE).get(from, {}).slice()
  try {
    const hubs = Array.from({ length: u8.get(from, {}) }, () => readHub(from))
    if (from.at !== from.end || hubs.length > HUBS_MAX) throw new RangeError('more than hubs')
    return { device: zoneKeyOf(type, publicKey), secret, hubs }
  } catch (cause) {
    throw invalid('Its hubs are not readable.', cause)
  }
}
