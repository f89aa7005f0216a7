/**
 * Ed25519 keys of SSH in OpenSSH's own format (PROTOCOL.key of OpenSSH, not encrypted), and their public
 * blobs (RFC 8709): for host keys and for the keys controllers log in with.
 *
 * Made here and not by ssh2, since of the keys that ssh2 1.17.0 makes one in some 200 cannot be read again.
 */

import { concat, equalBytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import { sha256 } from '../crypto/hash.ts'
import { SigningKey } from '../crypto/signing.ts'
import { encodeBase32 } from '../wire/base32.ts'
import { bytes, Cursor, u32 } from '../wire/layout.ts'

const TYPE = 'ssh-ed25519'
const BEGIN = '-----BEGIN OPENSSH PRIVATE KEY-----'
const END = '-----END OPENSSH PRIVATE KEY-----'
const LINE = 70
const SEED_SIZE = 32
const PUBLIC_SIZE = 32
/** The block size of the cipher `none`. */
const BLOCK = 8

export interface SshKey {
  /** As a file of OpenSSH has it. A secret. */
  readonly secret: string
  /** The blob of RFC 4253 section 6.6. */
  readonly publicKey: Uint8Array
}

/** Of a public blob, short enough for a line of the journal. */
export const sshKeyMark = (publicKey: Uint8Array): string =>
  encodeBase32(sha256(publicKey)).slice(0, 16)

/** A new key. */
export function generateSshKey(random: Random, comment: string): SshKey {
  const key = SigningKey.fromSeed(random.bytes(SEED_SIZE))
  const publicKey = concat(text(TYPE), string(key.publicKey))
  const check = random.bytes(4)
  const both = string(concat(key.seed, key.publicKey))
  const open = concat(check, check, publicKey, both, text(comment))
  const padding = Uint8Array.from({ length: -open.length & (BLOCK - 1) }, (_, i) => i + 1)
  const whole = concat(
    encoder.encode(MAGIC),
    text('none'),
    text('none'),
    string(new Uint8Array(0)),
    number(1),
    string(publicKey),
    string(concat(open, padding)),
  )
  const lines = toBase64(whole).match(new RegExp(`.{1,${LINE}}`, 'g'))!
  return { secret: [BEGIN, ...lines, END, ''].join('\n'), publicKey }
}

/** The key in a file of OpenSSH; null where it is none of this kind, is encrypted, or damaged. */
export function readSshKey(secret: string): SshKey | null {
  const [, body] = new RegExp(`^\\s*${BEGIN}([A-Za-z0-9+/=\\s]+)${END}\\s*$`).exec(secret) ?? []
  if (body === undefined) return null
  try {
    const publicKey = parse(fromBase64(body.replaceAll(/\s/g, '')))
    return publicKey && { secret, publicKey }
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

const MAGIC = 'openssh-key-v1\0'
const encoder = new TextEncoder()

function number(value: number): Uint8Array {
  const raw = new Uint8Array(4)
  new DataView(raw.buffer).setUint32(0, value)
  return raw
}

const string = (value: Uint8Array): Uint8Array => concat(number(value.length), value)
const text = (value: string): Uint8Array => string(encoder.encode(value))

/** The public key, where everything belongs together; throws RangeError where something is missing. */
function parse(whole: Uint8Array): Uint8Array | null {
  const from = new Cursor(whole)
  const take = (size: number) => bytes(size).get(from, {})
  const next = () => take(u32.get(from, {}))
  const isText = (wanted: string) => equalBytes(next(), encoder.encode(wanted))
  if (!equalBytes(take(MAGIC.length), encoder.encode(MAGIC))) return null
  if (!isText('none') || !isText('none') || next().length > 0 || u32.get(from, {}) !== 1)
    return null
  const publicKey = next().slice()
  const secrets = new Cursor(next())
  if (from.at !== from.end) return null
  const inner = () => bytes(u32.get(secrets, {})).get(secrets, {})
  const check = u32.get(secrets, {})
  if (u32.get(secrets, {}) !== check) return null
  if (!equalBytes(inner(), encoder.encode(TYPE))) return null
  const stated = inner()
  const both = inner()
  if (both.length !== SEED_SIZE + PUBLIC_SIZE) return null
  const key = SigningKey.fromSeed(both.slice(0, SEED_SIZE))
  const blob = concat(text(TYPE), string(key.publicKey))
  const agrees = equalBytes(stated, key.publicKey) && equalBytes(blob, publicKey)
  return agrees ? publicKey : null
}

const toBase64 = (raw: Uint8Array): string =>
  btoa(Array.from(raw, byte => String.fromCharCode(byte)).join(''))

/** Throws RangeError on what is no Base64. */
function fromBase64(encoded: string): Uint8Array {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(encoded))
    throw new RangeError('no Base64')
  return Uint8Array.from(atob(encoded), character => character.charCodeAt(0))
}
