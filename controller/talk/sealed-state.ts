/**
 * What is known of people and said to them, encrypted in the state directory under a key that lies beside it: whoever
 * gets hold of these files alone has nothing of them, and names of files tell no zone. Whoever has the whole directory
 * is its owner (docs/threats.md).
 */

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import type { Random } from '../../src/base/random.ts'
import { openAead, sealAead } from '../../src/crypto/aead.ts'
import { hmacSha256 } from '../../src/crypto/hash.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { State } from '../state.ts'

const KEY_FILE = 'talk-key'
const KEY_SIZE = 32
const NONCE_SIZE = 12
/** 80 bits: two of a few hundred are never the same. */
const ID_CHARS = 16
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class SealedState {
  readonly state: State
  private readonly key: Uint8Array
  private readonly random: Random

  private constructor(state: State, key: Uint8Array, random: Random) {
    this.state = state
    this.key = key
    this.random = random
  }

  /** Makes the key where there is none. Fails with STATE_UNREADABLE, STATE_UNWRITABLE, STATE_LOCKED. */
  static async open(state: State, random: Random): Promise<SealedState> {
    return (
      SealedState.find(state, random) ??
      (await state.exclusively(() => {
        const found = SealedState.find(state, random)
        if (found) return found
        const key = random.bytes(KEY_SIZE)
        state.writeText(KEY_FILE, `${Buffer.from(key).toString('hex')}\n`)
        return new SealedState(state, key, random)
      }))
    )
  }

  /** Null where nobody was ever talked to. Throws STATE_UNREADABLE. */
  static find(state: State, random: Random): SealedState | null {
    const text = state.readText(KEY_FILE)
    if (text === null) return null
    const key = Uint8Array.from(Buffer.from(text.trim(), 'hex'))
    if (key.length === KEY_SIZE) return new SealedState(state, key, random)
    throw new BoxError('STATE_UNREADABLE', `The key of what was said (${KEY_FILE}) is damaged.`)
  }

  /** What files that have to do with somebody are called. */
  idOf(zone: ZoneKey): string {
    return encodeBase32(hmacSha256(this.key, zone)).slice(0, ID_CHARS)
  }

  /** What a file says, as JSON; null where there is none. Throws STATE_UNREADABLE. */
  read(name: string): unknown {
    const text = this.state.readText(name)
    return text === null ? null : this.unseal(name, text)
  }

  /** Another text as soon as the file is another one. */
  revision(name: string): string {
    const stat = statSync(join(this.state.directory, name), { throwIfNoEntry: false })
    return stat ? `${stat.mtimeMs} ${stat.size}` : ''
  }

  /** Replaces a file. Throws STATE_UNWRITABLE. */
  write(name: string, value: unknown): void {
    this.state.writeText(name, `${this.seal(name, value)}\n`)
  }

  /** As text, bound to the name of the file it is for. */
  seal(name: string, value: unknown): string {
    const nonce = this.random.bytes(NONCE_SIZE)
    const plain = encoder.encode(JSON.stringify(value))
    const sealed = sealAead(this.key, nonce, plain, encoder.encode(name))
    return Buffer.concat([nonce, sealed]).toString('base64')
  }

  /** Throws STATE_UNREADABLE. */
  unseal(name: string, text: string): unknown {
    const bytes = Uint8Array.from(Buffer.from(text, 'base64'))
    const nonce = bytes.subarray(0, NONCE_SIZE)
    const plain =
      nonce.length === NONCE_SIZE
        ? openAead(this.key, nonce, bytes.subarray(NONCE_SIZE), encoder.encode(name))
        : null
    if (!plain) throw new BoxError('STATE_UNREADABLE', `The file ${name} is damaged.`)
    return JSON.parse(decoder.decode(plain))
  }
}
