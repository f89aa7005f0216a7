/**
 * Fetches a file that was offered: from whoever offered it, or, in a room, from any member that has it and is there. What
 * comes is believed part by part; who hands out something else is not asked again. It may be killed at any time, and goes
 * on where it was.
 */

import { equalBytes } from '../../src/base/bytes.ts'
import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import type { DeviceRecord } from '../../src/box/device-record.ts'
import { authenticate } from '../../src/box/handshake.ts'
import type { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Channel, Mesh } from '../../src/mesh/mesh.ts'
import { type FileOffer, fileLabel, filePort } from '../../src/social/file-offer.ts'
import { encodeAsk, encodeHave, openPart } from '../../src/social/file-part.ts'
import { FileGone, FilePart } from '../../src/social/messages.ts'
import { messageType } from '../../src/wire/dispatch.ts'
import { WireError } from '../../src/wire/layout.ts'
import type { Context } from '../context.ts'
import { search } from '../device-search.ts'
import { openResolver } from '../names.ts'
import type { Contact } from '../talk/contact-book.ts'
import { keysKnown } from '../talk/tie.ts'
import { canHandFiles } from './file-keys.ts'
import type { PartFile } from './part-file.ts'

/** Asked at once who of a room is there. */
const ASKED_AT_ONCE = 8
/** A holder that sends nothing for so long is left for another. */
const STALL_MS = 30_000
/** Whoever handed it out closes when it has heard that we have it. */
const THANKS_MS = 3_000

/** Somebody who may have the file, and where they were the last time. */
export interface Holder {
  readonly zone: ZoneKey
  readonly known: DeviceRecord | null
  /** Ours, by which they may know us. */
  readonly own: ZoneSecret
}

export interface FetchOptions {
  readonly offer: FileOffer
  readonly part: PartFile
  /** The most likely first. */
  readonly holders: readonly Holder[]
  /** How long they are looked for, again after each that was lost. */
  readonly timeoutMs: number
  readonly step: (done: number) => void
  /** Puts it in its place; those who handed it out are told only then. */
  readonly finish: () => Promise<void>
}

/**
 * Resolves when the file is in its place. Fails with why nobody hands it out (PEER_UNREACHABLE, NOT_PERMITTED,
 * FILE_UNKNOWN), FILE_DAMAGED where all that came was something else, and as `finish`.
 */
export async function fetchFile(context: Context, options: FetchOptions): Promise<void> {
  const { part, offer, finish } = options
  const mesh = await context.mesh()
  const left = new Set(options.holders)
  let failure = nobodyThere()
  while (!part.isWhole) {
    const before = part.next
    let from: Found | null = null
    try {
      from = await findHolder(context, mesh, offer, [...left], options.timeoutMs)
      const received = await receive(context, from.channel, options)
      await finish()
      await thank(context, from.channel, received)
      return
    } catch (error) {
      from?.channel.close()
      context.signal.throwIfAborted()
      const isOther = !(error instanceof BoxError)
      if (isOther || error.family === 'setup' || error.family === 'usage') throw error
      if (from === null) throw failureOf(error, failure)
      failure = error
      // Who was lost in the middle may be back; who gives nothing is not asked again.
      if (error.family !== 'unreachable' || part.next === before) left.delete(from.holder)
    }
  }
  await finish()
}

/** What was wrong with those who were there says more than that nobody else was. */
const failureOf = (last: BoxError, before: BoxError): BoxError =>
  before.family === 'unreachable' ? last : before

interface Found {
  readonly holder: Holder
  readonly channel: Channel
}

/** The first that answers, of some at a time. Fails with why none did. */
async function findHolder(
  context: Context,
  mesh: Mesh,
  offer: FileOffer,
  holders: readonly Holder[],
  timeoutMs: number,
): Promise<Found> {
  let failure: unknown = null
  for (let at = 0; at < holders.length; at += ASKED_AT_ONCE) {
    const won = new AbortController()
    const signal = AbortSignal.any([context.signal, won.signal])
    try {
      return await Promise.any(
        holders.slice(at, at + ASKED_AT_ONCE).map(async holder => {
          const channel = await dial({ ...context, signal }, mesh, offer, { holder, timeoutMs })
          if (won.signal.aborted) channel.close()
          won.abort(new BoxError('CHANNEL_CLOSED'))
          return { holder, channel }
        }),
      )
    } catch (error) {
      context.signal.throwIfAborted()
      // A refusal, or a mistake of ours, says more than silence.
      failure = (error as AggregateError).errors.find(one => !isSilence(one)) ?? failure
    }
  }
  throw failure ?? nobodyThere()
}

const nobodyThere = (): BoxError =>
  new BoxError('PEER_UNREACHABLE', 'Nobody who has the file is there: it takes their box up.')

const isSilence = (error: unknown): boolean =>
  error instanceof BoxError &&
  error.code !== 'NO_HUB' &&
  (error.family === 'unreachable' || error.family === 'unknown')

async function dial(
  context: Context,
  mesh: Mesh,
  offer: FileOffer,
  { holder, timeoutMs }: { readonly holder: Holder; readonly timeoutMs: number },
): Promise<Channel> {
  const { clock, random } = context
  const { zone, known, own } = holder
  const resolver = openResolver(mesh, clock, context.ego(), [])
  try {
    const { met } = await search(context, resolver, {
      called: `${zoneToText(zone).slice(0, 15)}…`,
      name: { labels: [fileLabel(offer, zone)], zone },
      ...{ zone, known, timeoutMs, port: filePort(offer, zone) },
      meet: (channel, signal) =>
        authenticate(channel, {
          ...{ self: mesh.self, purpose: 'file', own, device: zone, clock, random, signal },
        }),
    })
    return met.channel
  } finally {
    resolver.close()
  }
}

interface Received {
  /** Resolves when the other side has closed. */
  readonly over: Promise<void>
}

/** Resolves when all parts are there; fails with FILE_DAMAGED, FILE_UNKNOWN, and how the channel was lost. */
function receive(
  { clock, signal }: Context,
  channel: Channel,
  { offer, part, step }: FetchOptions,
): Promise<Received> {
  return new Promise((resolve, reject) => {
    let closed!: () => void
    const over = new Promise<void>(done => {
      closed = done
    })
    let stalled: Timer
    const end = (settle: () => void) => {
      stalled.cancel()
      signal.removeEventListener('abort', abort)
      settle()
    }
    const fail = (reason: unknown) => end(() => reject(reason))
    const abort = () => fail(signal.reason)
    const stir = () => {
      stalled?.cancel()
      stalled = clock.after(STALL_MS, () => fail(new BoxError('PEER_TIMEOUT')))
    }
    signal.addEventListener('abort', abort, { once: true })
    stir()
    channel.attach({
      message: raw => {
        if (part.isWhole) return
        stir()
        try {
          taking(raw, offer, part)
        } catch (error) {
          fail(error)
          return
        }
        step(part.bytes)
        if (part.isWhole) end(() => resolve({ over }))
      },
      drained: () => {},
      closed: reason => {
        closed()
        fail(reason)
      },
    })
    channel.send(encodeAsk(part.next))
    if (signal.aborted) abort()
  })
}

function taking(raw: Uint8Array, offer: FileOffer, part: PartFile): void {
  switch (messageType(raw)) {
    case FilePart.type:
      part.take(opened(raw, offer))
      return
    case FileGone.type:
      throw new BoxError('FILE_UNKNOWN', 'It was changed or removed since it was offered.')
    default:
    // A newer one may say more.
  }
}

function opened(raw: Uint8Array, offer: FileOffer) {
  try {
    return openPart(offer, raw)
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw new BoxError('FILE_DAMAGED', undefined, cause)
  }
}

/** Says that we have it; closing at once would take that back. */
async function thank({ clock }: Context, channel: Channel, { over }: Received): Promise<void> {
  channel.send(encodeHave())
  await new Promise<void>(resolve => {
    const timer = clock.after(THANKS_MS, resolve)
    void over.then(() => {
      timer.cancel()
      resolve()
    })
  })
  channel.close()
}

/**
 * Those of a list of zones who can hand out files, without ourselves and without one twice; once for each key of ours by
 * which they may know us.
 */
export function holdersOf(
  context: Context,
  zones: readonly ZoneKey[],
  about: (zone: ZoneKey) => Pick<Contact, 'where' | 'knowsUs'> | null,
): readonly Holder[] {
  const ego = context.ego()
  return zones
    .filter(zone => !equalBytes(zone, ego.secret.zone) && canHandFiles(zone))
    .filter((zone, at, all) => at === all.findIndex(one => equalBytes(one, zone)))
    .flatMap(zone => {
      const { where, knowsUs } = about(zone) ?? { where: null, knowsUs: ego.secret.zone }
      const keys = keysKnown(ego, knowsUs, context.clock.now())
      return keys.map(({ own }) => ({ zone, known: where, own }))
    })
}
