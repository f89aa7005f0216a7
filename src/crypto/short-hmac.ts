/**
 * HMAC and the derivation of kdf.ts where there is little to hash, which is nearly always: each message of CADET
 * takes twelve. An object of node:crypto costs two to five times as much then, and has to be collected.
 */

import { put, sizeOf } from '../base/bytes.ts'
import { assemble, type Machine } from './assembly.ts'
import {
  BLOCK_MAX,
  DERIVED_MAX,
  INFO,
  INFO_MAX,
  KEY,
  MEMORY_SIZE,
  placeConstants,
  RESULT,
  SECRET,
  sha2Routines,
  TEXT,
  TEXT_MAX,
} from './sha2-code.ts'

/** To put it together costs as much as so many take without it: a command that soon ends does not. */
const WITHOUT = 256

const DIGEST = { sha256: 32, sha512: 64 } as const
/** What ends a text may take as much. */
const TAIL = 2 * BLOCK_MAX

let machine: Machine | null | undefined
let asked = 0

/** The code of all parts; null: not here. */
export function hmacShort(
  algorithm: 'sha256' | 'sha512',
  key: Uint8Array,
  parts: readonly Uint8Array[],
): Uint8Array | null {
  const block = 2 * DIGEST[algorithm]
  if (key.length > block || sizeOf(parts) > TEXT_MAX) return null
  const ready = prepared()
  if (!ready) return null
  const { memory, run } = ready
  memory.set(key, KEY)
  const end = put(memory, TEXT, parts)
  if (algorithm === 'sha512') run.hmacSha512!(TEXT - block, end, RESULT)
  else run.hmacSha256!(TEXT - block, end, RESULT)
  const code = memory.slice(RESULT, RESULT + DIGEST[algorithm])
  memory.fill(0, SECRET, end + TAIL)
  return code
}

/** As of kdf.ts; null: not here. */
export function hkdfShort(
  length: number,
  salt: Uint8Array,
  ikm: Uint8Array,
  context: readonly Uint8Array[],
): Uint8Array | null {
  if (salt.length > BLOCK_MAX || ikm.length > TEXT_MAX) return null
  if (sizeOf(context) > INFO_MAX || length > DERIVED_MAX) return null
  const ready = prepared()
  if (!ready) return null
  const { memory, run } = ready
  memory.set(salt, KEY)
  memory.set(ikm, TEXT)
  const end = TEXT + ikm.length
  run.derive!(end, put(memory, INFO, context), RESULT + length)
  const derived = memory.slice(RESULT, RESULT + length)
  memory.fill(0, SECRET, end + TAIL)
  return derived
}

function prepared(): Machine | null {
  if (machine === undefined && asked++ >= WITHOUT) {
    machine = assemble(sha2Routines(), MEMORY_SIZE)
    if (machine) placeConstants(machine)
  }
  return machine ?? null
}
