/**
 * The file in which a person's keys and devices survive the machine: named values, encrypted under a
 * passphrase, padded so that its size does not tell how many devices there are.
 *
 *     magic 8 | u8 cost | salt 16 | nonce 12 | ChaCha20-Poly1305 of the files, see pack
 *
 * All before the ciphertext is authenticated with it. A changed bit, a cut end and a wrong passphrase
 * cannot be told apart, and nothing comes out of any of them.
 */

import { concat, equalBytes } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { openAead, sealAead } from '../crypto/aead.ts'
import { passphraseKey } from '../crypto/passphrase.ts'

export type BackupFiles = ReadonlyMap<string, Uint8Array>

/** 128 MiB and half a second on a small machine of today. */
const COST_LOG2 = 17
/** More would be a file made to use up our memory; less would be none of ours. */
const COST_LOG2_MIN = 14
const COST_LOG2_MAX = 20
const PASSPHRASE_MIN = 10
const BUCKET_MIN = 4_096
/** All that a controller keeps is some hundred kilobytes. */
export const BACKUP_SIZE_MAX = 64 * 2 ** 20

const MAGIC = new TextEncoder().encode('BOXBAK01')
const SALT_AT = MAGIC.length + 1
const NONCE_AT = SALT_AT + 16
const HEADER_SIZE = NONCE_AT + 12
/** Behind the size of the list. */
const LIST_AT = 4

/** Encrypts. Throws INPUT_INVALID where the passphrase is too short, or there is too much. */
export function sealBackup(
  files: BackupFiles,
  passphrase: string,
  random: Random,
  costLog2 = COST_LOG2,
): Uint8Array {
  if ([...passphrase].length < PASSPHRASE_MIN)
    throw new BoxError('INPUT_INVALID', `A passphrase has at least ${PASSPHRASE_MIN} letters.`)
  const plain = pack(files)
  if (plain.length > BACKUP_SIZE_MAX)
    throw new BoxError('INPUT_INVALID', 'This is too much for a backup.')
  const salt = random.bytes(NONCE_AT - SALT_AT)
  const nonce = random.bytes(HEADER_SIZE - NONCE_AT)
  const header = concat(MAGIC, Uint8Array.of(costLog2), salt, nonce)
  return concat(header, sealAead(passphraseKey(passphrase, salt, costLog2), nonce, plain, header))
}

/** Whether it begins as a backup does. */
export const isBackup = (bytes: Uint8Array): boolean =>
  bytes.length >= HEADER_SIZE && equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)

/** Decrypts. Throws BACKUP_UNREADABLE. */
export function openBackup(bytes: Uint8Array, passphrase: string): BackupFiles {
  const costLog2 = bytes[MAGIC.length]
  if (!isBackup(bytes) || bytes.length > BACKUP_SIZE_MAX + HEADER_SIZE + BUCKET_MIN)
    throw new BoxError('BACKUP_UNREADABLE')
  if (!(costLog2! >= COST_LOG2_MIN && costLog2! <= COST_LOG2_MAX))
    throw new BoxError('BACKUP_UNREADABLE')
  const header = bytes.subarray(0, HEADER_SIZE)
  const key = passphraseKey(passphrase, header.subarray(SALT_AT, NONCE_AT), costLog2!)
  const plain = openAead(key, header.subarray(NONCE_AT), bytes.subarray(HEADER_SIZE), header)
  if (!plain) throw new BoxError('BACKUP_UNREADABLE')
  try {
    return unpack(plain)
  } catch {
    // Without the cause: it may quote what is inside.
    throw new BoxError('BACKUP_UNREADABLE', 'It was made by another version.')
  }
}

/** u32 size of the list, the list as JSON, the contents one after the other, zeros up to the bucket. */
function pack(files: BackupFiles): Uint8Array {
  const list = [...files].map(([name, content]) => [name, content.length])
  const json = new TextEncoder().encode(JSON.stringify({ version: 1, files: list }))
  const parts = concat(new Uint8Array(LIST_AT), json, ...files.values())
  new DataView(parts.buffer).setUint32(0, json.length)
  const plain = new Uint8Array(Math.max(BUCKET_MIN, 2 ** Math.ceil(Math.log2(parts.length))))
  plain.set(parts)
  return plain
}

/** Throws where it is not as `pack` writes it. */
function unpack(plain: Uint8Array): BackupFiles {
  const view = new DataView(plain.buffer, plain.byteOffset, plain.length)
  let at = LIST_AT + view.getUint32(0)
  const { version, files } = JSON.parse(
    new TextDecoder('utf-8', { fatal: true }).decode(plain.subarray(LIST_AT, at)),
  ) as { version: unknown; files: readonly [unknown, unknown][] }
  if (version !== 1) throw new TypeError('another version')
  return new Map(
    files.map(([name, size]) => {
      if (typeof name !== 'string' || !Number.isSafeInteger(size)) throw new TypeError('no file')
      const content = plain.slice(at, at + (size as number))
      if (content.length !== size) throw new TypeError('cut off')
      at += content.length
      return [name, content]
    }),
  )
}
