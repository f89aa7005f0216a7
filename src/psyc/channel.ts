/**
 * What a chain of fragments says to those who have its keys: messages, and the state they leave behind.
 *
 * Everybody reads the same fragments in the same order, so everybody has the same state. A message that is
 * malformed is passed over, by all alike.
 */

import { concat } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import type { AgreementKey } from '../crypto/agreement.ts'
import { WireError } from '../wire/layout.ts'
import { type Fragment, KIND } from './fragment.ts'
import { type Framed, FrameReader, frameParts, STATELESS, TRANSMIT } from './frame.ts'
import { type KeyRing, openBack, openContent, openRekey } from './group-key.ts'
import type { History } from './history.ts'
import { inherits } from './keyword.ts'
import { PlaceContent } from './messages.ts'
import type { Modifier } from './packet.ts'
import { contentPadding, PARTS_MAX } from './padding.ts'
import { State } from './state.ts'

/** Something that was said in a place. */
export interface Message {
  /** The number of its last fragment: messages are in this order, with gaps. */
  readonly id: bigint
  /** Milliseconds since 1970, by the host's clock. */
  readonly at: number
  readonly method: string
  readonly entity: readonly Modifier[]
  readonly data: Uint8Array
  /** Whether it begins with forgetting the state. */
  readonly isReset: boolean
}

/** What is to be said. */
export interface Saying {
  readonly method: string
  readonly entity?: readonly Modifier[]
  readonly data?: Uint8Array
  /** Forgets the state first. */
  readonly reset?: boolean
}

const FLAG = { first: 1, last: 2 } as const
const EMPTY = new Uint8Array(0)

/** The contents of the fragments that say it, not yet encrypted. Throws WireError. */
export function contentsOf(saying: Saying, at: number): Uint8Array[] {
  const { method, entity = [], data = EMPTY, reset = false } = saying
  const isStateful = reset || entity.some(({ operator }) => operator !== ':')
  const flags = (reset ? TRANSMIT.reset : 0) | (isStateful ? TRANSMIT.modify : 0)
  // The chain orders all messages, so how far back the last stateful one is need not be said.
  const stateDelta = reset ? 0n : isStateful ? 1n : STATELESS
  const whole = frameParts({ method, entity, data, flags, stateDelta })
  const contents: Uint8Array[] = []
  for (let from = 0; from < whole.length; from += PARTS_MAX) {
    const parts = whole.subarray(from, from + PARTS_MAX)
    const isLast = from + PARTS_MAX >= whole.length
    contents.push(
      PlaceContent.encode({
        flags: (from === 0 ? FLAG.first : 0) | (isLast ? FLAG.last : 0),
        at: BigInt(Math.trunc(at)),
        parts,
        padding: new Uint8Array(contentPadding(parts.length)),
      }),
    )
  }
  return contents
}

/** Puts messages together from the contents of fragments. */
class Assembler {
  private parts: Uint8Array[] = []
  private size = 0

  /** Whether a message has begun and not ended. */
  get isOpen(): boolean {
    return this.parts.length > 0
  }

  /** The message that this content completes, or null. */
  push(id: bigint, plain: Uint8Array): Message | null {
    try {
      const { flags, at, parts } = PlaceContent.decode(plain)
      if ((flags & FLAG.first) !== 0) this.clear()
      else if (!this.isOpen) return null
      this.parts.push(parts.slice())
      this.size += parts.length
      if (this.size > MESSAGE_MAX) this.clear()
      if ((flags & FLAG.last) === 0 || !this.isOpen) return null
      return messageOf(id, Number(at), this.finish())
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.clear()
      return null
    }
  }

  private finish(): Framed | 'cancelled' | null {
    const whole = concat(...this.parts)
    this.clear()
    return new FrameReader(MESSAGE_MAX).push(whole)
  }

  private clear(): void {
    this.parts = []
    this.size = 0
  }
}

/** A whole state, or a picture; files go in parts. */
const MESSAGE_MAX = 2 * 1_048_576

function messageOf(id: bigint, at: number, framed: Framed | 'cancelled' | null): Message | null {
  if (!framed || framed === 'cancelled') return null
  const { method, entity, data, flags } = framed
  return { id, at, method, entity, data, isReset: (flags & TRANSMIT.reset) !== 0 }
}

export interface ReaderOptions {
  readonly place: Uint8Array
  readonly keys: KeyRing
  /** Ours, to which keys are sealed; the host makes the keys and needs none. */
  readonly agreement: AgreementKey | null
}

/** Reads a chain as it grows. */
export class ChannelReader {
  readonly state = new State()
  private readonly options: ReaderOptions
  private readonly assembler = new Assembler()
  /** Fragments for which there was no key: we are not a member, or not any more. */
  locked = 0

  constructor(options: ReaderOptions) {
    this.options = options
  }

  /** Whether a message has begun and not ended. */
  get isOpen(): boolean {
    return this.assembler.isOpen
  }

  /** Reads the next fragment; returns the message that it completes, its changes applied. */
  take(fragment: Fragment): Message | null {
    if (fragment.kind === KIND.rekey) {
      this.rekey(fragment)
      return null
    }
    if (fragment.kind !== KIND.content) return null
    const plain = decrypt(this.options, fragment)
    if (!plain) this.locked++
    const message = plain && this.assembler.push(fragment.id, plain)
    if (message) this.apply(message)
    return message
  }

  private apply({ isReset, entity }: Message): void {
    try {
      this.state.apply({ sync: isReset ? 'reset' : null, entity })
    } catch (error) {
      // The host does not say what it cannot apply itself; if one does, nobody applies it.
      if (!(error instanceof WireError) && !(error instanceof BoxError)) throw error
    }
  }

  private rekey({ body, generation }: Fragment): void {
    const { place, keys, agreement } = this.options
    if (!agreement || keys.get(generation)) return
    const old = keys.get(generation - 1)
    try {
      const key = openRekey(body, place, generation, { old, agreement })
      if (key) keys.set(generation, key)
    } catch (error) {
      if (!(error instanceof WireError) && !(error instanceof BoxError)) throw error
    }
  }
}

function decrypt({ place, keys }: ReaderOptions, fragment: Fragment): Uint8Array | null {
  const key = keys.get(fragment.generation)
  return key && openContent(key, place, fragment, fragment.body)
}

export interface HistoryQuery {
  /** The newest so many. */
  readonly last?: number
  /** From this message, and up to that one. */
  readonly from?: bigint
  readonly to?: bigint
  /** Only this method and what inherits from it. */
  readonly method?: string
}

/** What was said, oldest first, as far as it is kept and we have the keys. */
export function replay(history: History, options: ReaderOptions, query: HistoryQuery): Message[] {
  const { last = Infinity, from = 0n, to = history.head.id, method = '' } = query
  recoverKeys(history, options)
  const assembler = new Assembler()
  const found: Message[] = []
  for (const fragment of history.from(history.first)) {
    if (fragment.id > to) break
    if (fragment.kind !== KIND.content) continue
    const plain = decrypt(options, fragment)
    const message = plain && assembler.push(fragment.id, plain)
    if (!message || message.id < from || !inherits(message.method, method)) continue
    found.push(message)
    if (found.length > last) found.shift()
  }
  return found
}

/** Where history is open, each new key gives the one before. */
function recoverKeys(history: History, { place, keys }: ReaderOptions): void {
  const rekeys = [...history.from(history.first)].filter(({ kind }) => kind === KIND.rekey)
  for (const { body, generation } of rekeys.toReversed()) {
    const key = keys.get(generation)
    if (!key || keys.get(generation - 1)) continue
    const old = openBack(body, place, generation, key)
    if (old) keys.set(generation - 1, old)
  }
}
