/**
 * The dialogue about configuration, after the handshake: requests and answers in JSON, larger things in parts.
 *
 *     OFFER { size }, parts        -> { missing: [hex, …] }          the release, signed
 *     CONTENT { size }, parts      -> {}                             one of the missing
 *     PLAN {}                      -> { changes: […] }               of what was offered
 *     APPLY {}                     -> PROGRESS { step } …, Applied   of what was offered
 *     CONFIRM { id }               -> { outcome }                    on a channel opened after the change
 *     STATUS {}                    -> PushStatus
 *     BACK { generation | null }   -> as APPLY
 *     DRIFT {}                     -> { drift: […] }
 *     LIST { path }                -> { files: […] }
 *     READ { path }                -> { size, … }, parts
 *
 * The same words are said to a relay, which keeps parcels (bundle/parcel.ts) for devices that are off:
 *
 *     DEPOSIT { device, sequence, size }, parts -> {}                by whoever may push to the relay
 *     WAITING {}                   -> { parcels: [{ id, sequence, size }] }  for the device that asks
 *     COLLECT { id }               -> { size }, parts
 *     COLLECTED { id }             -> {}                             it is needed no longer
 *
 * and about other shelves of it, for jobs (job-statement.ts) on their way to a device, and results on theirs back:
 *
 *     LEAVE { shelf, to, sequence, size }, parts -> {}
 *     FIND { shelf }               -> as WAITING                     for whoever asks
 *     TAKE { shelf, id }           -> { size }, parts
 *     TAKEN { shelf, id }          -> {}
 *
 * On the port of jobs:
 *
 *     JOB { size }, parts          -> { id }                         a statement, signed by anybody
 *     JOBS { ids | null }          -> { size }, parts                reports, signed by the device for who asks
 *     FORGET { ids }               -> {}                             those that are over
 *
 * On the port `mail` of a relay, by whoever has a mailbox there (mail-talk.ts):
 *
 *     MAILBOX { size }, parts      -> {}                             the drops, each with its card
 *     MAIL {}                      -> { letters: [{ id, drop }] }    the oldest first
 *     LETTER { id }                -> { size }, parts
 *     LETTERED { id }              -> {}
 *
 * and by whoever names a drop with a proof, by a zone that need mean nothing:
 *
 *     CARD {}                      -> { size }, parts
 *     POST { size }, parts         -> {}                             a letter
 *
 * and about files for who is away (relayed-file.ts); each part is a message of its own, and a transfer goes on where it was:
 *
 *     STORE { tag, count, size }   -> { has, count, until }          at a drop: parts are to come
 *     BRING { tag, from }, parts   -> {}                             at a drop: from the first that is missing on
 *     STORED { tag }               -> { has, count, until }          by either; has is 0 where there is nothing
 *     HAND { tag, from }           -> { has, count, until }, parts   by whoever has the mailbox: those that are there
 *     UNSTORE { tag }              -> {}                             by either: it is not needed any more
 *
 * And these to the service `upgrade`, about the executable (executable-release.ts), by whoever has `admin`:
 *
 *     VERSION {}                   -> UpgradeState
 *     RELEASE { downgrade, head, size }, parts -> { missing: [[first, count], …] }   its head, and the hashes of its pieces
 *     PIECES { first, size }, parts -> {}                            some of the missing, one after the other
 *     UPGRADE {}                   -> PROGRESS { step } …, { before }   it is current, and on trial; the agent starts anew
 *     PROVE { version }            -> {}                             on a channel to the version that is on trial
 */

import type { Clock } from '../base/clock.ts'
import { BoxError, ERRORS, type ErrorCode } from '../base/errors.ts'
import type { Channel } from '../mesh/mesh.ts'
import { messageType } from '../wire/dispatch.ts'
import { WireError } from '../wire/layout.ts'
import { Conversation } from './conversation.ts'
import { PushAnswer, PushPart, PushPartAck, PushRequest } from './messages.ts'

export const PUSH_KIND = {
  offer: 1,
  content: 2,
  plan: 3,
  apply: 4,
  confirm: 5,
  status: 6,
  back: 7,
  drift: 8,
  list: 9,
  read: 10,
  deposit: 11,
  waiting: 12,
  collect: 13,
  collected: 14,
  leave: 15,
  find: 16,
  take: 17,
  taken: 18,
  job: 19,
  jobs: 20,
  forget: 21,
  version: 22,
  release: 23,
  pieces: 24,
  upgrade: 25,
  prove: 26,
  mailbox: 27,
  mail: 28,
  letter: 29,
  lettered: 30,
  card: 31,
  post: 32,
  store: 33,
  bring: 34,
  stored: 35,
  hand: 36,
  unstore: 37,
} as const
export type PushKind = keyof typeof PUSH_KIND

const DONE = 0
const PROGRESS = 1
const FAILED = 2

/** A roll-out with slow commands; whoever stays longer is cut off and may come again. */
const TIMEOUT_MS = 30 * 60_000
/** As the stream protocol: few messages a second, and yet a relay hands them on quickly. */
const PART_BYTES = 60 * 1_024
/** Parts under way: enough for a long line, few enough for a router. */
const WINDOW = 8

export type Json = Readonly<Record<string, unknown>>

export class PushTalk {
  private readonly talk: Conversation

  constructor(channel: Channel, clock: Clock, signal?: AbortSignal) {
    this.talk = new Conversation(channel, { clock, timeoutMs: TIMEOUT_MS, signal })
  }

  close(): void {
    this.talk.close()
  }

  /** Asks, and waits for the answer. Fails with what the device says, or the end of the channel. */
  async ask(
    kind: PushKind,
    body: object,
    progress: (said: Json) => void = () => {},
  ): Promise<Json> {
    this.talk.send(PushRequest.encode({ kind: PUSH_KIND[kind], body: encode(body) }))
    return await this.hear(progress)
  }

  /** Asks with something large, and perhaps with words about it. */
  async give(kind: PushKind, content: Uint8Array, about: Json = {}): Promise<Json> {
    const body = encode({ ...about, size: content.length })
    this.talk.send(PushRequest.encode({ kind: PUSH_KIND[kind], body }))
    await this.sendParts(content)
    return await this.hear(() => {})
  }

  /** Asks with many parts, each of which counts by itself; `heard` is told as each has arrived. */
  async giveEach(
    kind: PushKind,
    body: object,
    parts: Iterable<Uint8Array>,
    heard: () => void,
  ): Promise<Json> {
    this.talk.send(PushRequest.encode({ kind: PUSH_KIND[kind], body: encode(body) }))
    await this.sendEach(parts, heard)
    return await this.hear(() => {})
  }

  /** Asks for something large, of at most `sizeMax` bytes. */
  async fetch(kind: PushKind, body: object, sizeMax: number): Promise<[Json, Uint8Array]> {
    const said = await this.ask(kind, body)
    return [said, await this.takeParts(said.size, sizeMax)]
  }

  /** The device's side: what is asked next; null for a kind that a newer controller may know. */
  async asked(): Promise<{ kind: PushKind | null; body: Json }> {
    let raw = await this.talk.next()
    // Parts of what was refused while they were under way.
    while (wire(messageType, raw) === PushPart.type) raw = await this.talk.next()
    const { kind, body } = wire(PushRequest.decode, raw)
    const found = (Object.keys(PUSH_KIND) as PushKind[]).find(name => PUSH_KIND[name] === kind)
    return { kind: found ?? null, body: decode(body) }
  }

  /**
   * The device's side: answers what is asked, `most` times at most, and tells what was refused, and why. Never
   * fails for what the other side does; closes the channel.
   */
  async serve(
    most: number,
    answer: (kind: PushKind | null, body: Json) => Promise<void>,
    refused: (kind: PushKind | null, why: BoxError) => void,
  ): Promise<void> {
    try {
      for (let i = 0; i < most; i++) {
        const { kind, body } = await this.asked()
        try {
          await answer(kind, body)
        } catch (error) {
          if (!(error instanceof BoxError) || error.family === 'unreachable') throw error
          refused(kind, error)
          this.fail(error)
        }
      }
    } catch (error) {
      // The other side is done, or talks nonsense: either way the dialogue ends.
      if (!(error instanceof BoxError)) throw error
    } finally {
      this.close()
    }
  }

  progress(body: object): void {
    this.talk.send(PushAnswer.encode({ status: PROGRESS, body: encode(body) }))
  }

  answer(body: object): void {
    this.talk.send(PushAnswer.encode({ status: DONE, body: encode(body) }))
  }

  fail({ code, detail }: { code: ErrorCode; detail: string }): void {
    this.talk.send(PushAnswer.encode({ status: FAILED, body: encode({ code, detail }) }))
  }

  /** Sends something large; its size was told before. */
  async sendParts(content: Uint8Array): Promise<void> {
    await this.sendEach(piecesOf(content), () => {})
  }

  /** Sends parts, of which few are made before those ahead of them have arrived; `heard` is told of each that has. */
  async sendEach(parts: Iterable<Uint8Array>, heard: () => void): Promise<void> {
    let unheard = 0
    const hear = async () => {
      await this.heardAck()
      unheard--
      heard()
    }
    for (const payload of parts) {
      this.talk.send(PushPart.encode({ payload }))
      if (++unheard >= WINDOW) await hear()
    }
    while (unheard > 0) await hear()
  }

  /** Takes so many parts, one after the other. Fails with what the other side says in place of one, and as `take`. */
  async takeEach(count: number, take: (part: Uint8Array) => void): Promise<void> {
    for (let i = 0; i < count; i++) {
      const raw = await this.talk.next()
      if (wire(messageType, raw) !== PushPart.type) {
        this.read(raw)
        throw new BoxError('STATE_UNEXPECTED', 'A part is missing.')
      }
      take(wire(PushPart.decode, raw).payload)
      this.talk.send(PushPartAck.encode({}))
    }
  }

  /** Takes something large, of this size. Fails with LIMIT_EXCEEDED, STATE_UNEXPECTED. */
  async takeParts(said: unknown, sizeMax: number): Promise<Uint8Array> {
    const size = typeof said === 'number' ? said : -1
    if (!(Number.isInteger(size) && size >= 0))
      throw new BoxError('STATE_UNEXPECTED', 'A size is missing.')
    if (size > sizeMax)
      throw new BoxError('LIMIT_EXCEEDED', `${size} bytes are more than the ${sizeMax} allowed.`)
    const whole = new Uint8Array(size)
    for (let at = 0; at < size; ) {
      const { payload } = wire(PushPart.decode, await this.talk.next())
      if (payload.length === 0 || payload.length > size - at)
        throw new BoxError('STATE_UNEXPECTED', 'A part does not fit.')
      whole.set(payload, at)
      at += payload.length
      this.talk.send(PushPartAck.encode({}))
    }
    return whole
  }

  private async hear(progress: (said: Json) => void): Promise<Json> {
    for (;;) {
      const said = this.read(await this.talk.next())
      if (said.status === DONE) return said.body
      progress(said.body)
    }
  }

  private async heardAck(): Promise<void> {
    const raw = await this.talk.next()
    if (wire(messageType, raw) !== PushPartAck.type) this.read(raw) // The device may say no meanwhile.
  }

  private read(raw: Uint8Array): { status: number; body: Json } {
    const { status, body } = wire(PushAnswer.decode, raw)
    const said = decode(body)
    if (status === DONE || status === PROGRESS) return { status, body: said }
    const known = typeof said.code === 'string' && Object.hasOwn(ERRORS, said.code)
    const code = known ? (said.code as ErrorCode) : 'PUSH_REFUSED'
    throw new BoxError(code, typeof said.detail === 'string' ? said.detail : undefined)
  }
}

function* piecesOf(content: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < content.length; at += PART_BYTES)
    yield content.subarray(at, at + PART_BYTES)
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const encode = (value: object): Uint8Array => encoder.encode(JSON.stringify(value))

function decode(body: Uint8Array): Json {
  try {
    const value: unknown = JSON.parse(decoder.decode(body))
    if (value !== null && typeof value === 'object') return value as Json
  } catch (cause) {
    throw new BoxError('STATE_UNEXPECTED', 'This is no JSON.', cause)
  }
  throw new BoxError('STATE_UNEXPECTED', 'This is no object.')
}

function wire<T>(read: (raw: Uint8Array) => T, raw: Uint8Array): T {
  try {
    return read(raw)
  } catch (cause) {
    if (cause instanceof WireError) throw new BoxError('STATE_UNEXPECTED', undefined, cause)
    throw cause
  }
}
