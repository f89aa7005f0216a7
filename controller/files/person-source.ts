/** A file from a person who has it: whoever offered it, or a member of the room. */

import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import type { DeviceRecord } from '../../src/box/device-record.ts'
import { authenticate } from '../../src/box/handshake.ts'
import type { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Channel, Mesh } from '../../src/mesh/mesh.ts'
import { type FileOffer, fileLabel, filePort } from '../../src/social/file-offer.ts'
import { encodeAsk, encodeHave } from '../../src/social/file-part.ts'
import { FileGone, FilePart } from '../../src/social/messages.ts'
import { messageType } from '../../src/wire/dispatch.ts'
import type { Context } from '../context.ts'
import { search } from '../device-search.ts'
import { openResolver } from '../names.ts'
import { openedPart, type Receiving, type Source, STALL_MS } from './source.ts'

/** Whoever handed it out closes when it has heard that we have it. */
const THANKS_MS = 3_000

/** Somebody who may have the file, and where they were the last time. */
export interface Person {
  readonly zone: ZoneKey
  readonly known: DeviceRecord | null
  /** Ours, by which they may know us. */
  readonly own: ZoneSecret
}

/** Fails as `search` and `authenticate`; `dialling` ends the looking, and nothing after it. */
export async function dialPerson(
  context: Context,
  mesh: Mesh,
  offer: FileOffer,
  given: { readonly holder: Person; readonly dialling: AbortSignal; readonly timeoutMs: number },
): Promise<Source> {
  const { clock, random } = context
  const { dialling, timeoutMs } = given
  const { zone, known, own } = given.holder
  const resolver = openResolver(mesh, clock, context.ego(), [])
  try {
    const { met } = await search({ ...context, signal: dialling }, resolver, {
      called: `${zoneToText(zone).slice(0, 15)}…`,
      name: { labels: [fileLabel(offer, zone)], zone },
      ...{ zone, known, timeoutMs, port: filePort(offer, zone) },
      meet: (channel, signal) =>
        authenticate(channel, {
          ...{ self: mesh.self, purpose: 'file', own, device: zone, clock, random, signal },
        }),
    })
    return sourceOn(context, met.channel)
  } finally {
    resolver.close()
  }
}

function sourceOn(context: Context, channel: Channel): Source {
  let over: Promise<void> = Promise.resolve()
  return {
    receive: async receiving => {
      const received = await receive(context, channel, receiving)
      over = received.over
    },
    thank: () => thank(context, channel, over),
    close: () => channel.close(),
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
  { part, offer, step }: Receiving,
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
          taking(raw, { part, offer, step })
        } catch (error) {
          fail(error)
          return
        }
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

function taking(raw: Uint8Array, { part, offer, step }: Receiving): void {
  switch (messageType(raw)) {
    case FilePart.type:
      part.take(openedPart(offer, raw))
      break
    case FileGone.type:
      throw new BoxError('FILE_UNKNOWN', 'It was changed or removed since it was offered.')
    default:
    // A newer one may say more.
  }
  step(part.bytes)
}

/** Says that we have it; closing at once would take that back. */
async function thank({ clock }: Context, channel: Channel, over: Promise<void>): Promise<void> {
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
