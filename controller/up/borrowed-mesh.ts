/**
 * The peer of a running `box up` as the mesh of another command: channels are opened there, at once, for it
 * is connected already. What goes through them is proven and encrypted here, as with a peer of our own.
 */

import type { Clock } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { PeerId, PortId } from '../../src/base/ids.ts'
import type { Stream } from '../../src/base/stream.ts'
import { VERSION } from '../../src/base/version.ts'
import { helloPeer } from '../../src/box/device-record.ts'
import type {
  Channel,
  ConnectOptions,
  Dht,
  Listening,
  Mesh,
  MeshStatus,
  NeighbourWatch,
} from '../../src/mesh/mesh.ts'
import { dialUnix } from '../../src/sys/unix-socket.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { MessageSplitter } from '../../src/wire/framing.ts'
import { BorrowedChannel } from './borrowed-channel.ts'
import {
  blockWords,
  bytesText,
  isWords,
  peerOf,
  queryWords,
  readWords,
  resultOf,
  statusOf,
  type Words,
  wordsOf,
} from './loan.ts'

/** Whoever is up answers in milliseconds; whoever hangs is done without. */
const ANSWER_MS = 1_000

/** The mesh of the `box up` that listens at the path; null where none does, or one of another version. */
export async function borrowMesh(path: string, clock: Clock): Promise<Mesh | null> {
  const late = new AbortController()
  const timer = clock.after(ANSWER_MS, () => late.abort(new BoxError('PEER_TIMEOUT')))
  try {
    return await BorrowedMesh.open(path, late.signal)
  } catch (error) {
    if (error instanceof BoxError) return null
    throw error
  } finally {
    timer.cancel()
  }
}

class BorrowedMesh implements Mesh {
  readonly self: PeerId
  readonly dht: Dht
  private readonly path: string
  private readonly ownHello: string
  private readonly line: Stream
  private readonly channels = new Set<BorrowedChannel>()
  private readonly others = new Set<Stream>()
  private readonly watches = new Set<NeighbourWatch>()
  private now: MeshStatus
  private closed = false

  static open(path: string, signal: AbortSignal): Promise<BorrowedMesh> {
    return new Promise((resolve, reject) => {
      let about: Words | null = null
      let mesh: BorrowedMesh | null = null
      const line = ask(
        path,
        { do: 'mesh' },
        {
          words: words => {
            if (words.version !== undefined) about = words
            if (!about || words.status === undefined) return
            if (about.version !== VERSION) line.close()
            const status = statusOf(words.status as Words)
            if (mesh) mesh.changed(status)
            else if (about.version === VERSION) {
              mesh = new BorrowedMesh(path, line, about, status)
              resolve(mesh)
            }
          },
          closed: () => {
            mesh?.end()
            reject(new BoxError('AGENT_NOT_RUNNING'))
          },
        },
      )
      signal.addEventListener('abort', () => {
        if (!mesh) line.close()
      })
    })
  }

  private constructor(path: string, line: Stream, about: Words, status: MeshStatus) {
    this.path = path
    this.line = line
    this.self = peerOf(about.self)
    this.ownHello = `${about.hello}`
    this.now = status
    this.dht = {
      put: block => {
        this.mustBeOpen()
        this.line.write(wordsOf({ put: blockWords(block) }))
      },
      get: (query, found) => {
        const stream = this.open({ do: 'get', ...queryWords(query) }, words => {
          if (words.data !== undefined) found(resultOf(words))
        })
        return { close: () => stream.close() }
      },
    }
  }

  /** It is the peer of somebody else: what it accepts is not for us. */
  listen(): Listening {
    throw new BoxError('ADDRESS_IN_USE', 'The peer belongs to the box that is up.')
  }

  async connect(peer: PeerId, port: PortId, options: ConnectOptions = {}): Promise<Channel> {
    this.mustBeOpen()
    const { via = [], signal } = options
    signal?.throwIfAborted()
    const ways = via.map(way => way.map(encodeBase32))
    const request = { do: 'connect', peer: encodeBase32(peer), port: bytesText(port), via: ways }
    const channel = new BorrowedChannel(peer, () => this.channels.delete(channel))
    this.channels.add(channel)
    const abort = () => channel.fail(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await channel.open(events => dialUnix(this.path, events), wordsOf(request))
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  introduce(hello: string): PeerId {
    this.mustBeOpen()
    const peer = helloPeer(hello)
    this.line.write(wordsOf({ introduce: hello }))
    return peer
  }

  hello(): string {
    return this.ownHello
  }

  watch(events: NeighbourWatch): Listening {
    this.watches.add(events)
    for (const { peer, state } of this.now.neighbours) if (state === 'up') events.up(peer)
    return { close: () => void this.watches.delete(events) }
  }

  status(): MeshStatus {
    return this.now
  }

  async close(): Promise<void> {
    this.end()
  }

  private open(request: object, words: (words: Words) => void): Stream {
    this.mustBeOpen()
    const stream = ask(this.path, request, { words, closed: () => void this.others.delete(stream) })
    this.others.add(stream)
    return stream
  }

  private changed(status: MeshStatus): void {
    const up = ({ neighbours }: MeshStatus) =>
      new Map(
        neighbours.flatMap(({ peer, state }) =>
          state === 'up' ? [[encodeBase32(peer), peer]] : [],
        ),
      )
    const [before, after] = [up(this.now), up(status)]
    this.now = status
    for (const watch of this.watches) {
      for (const [text, peer] of after) if (!before.has(text)) watch.up(peer)
      for (const [text, peer] of before) if (!after.has(text)) watch.down(peer)
    }
  }

  /** Also when the other one has ended. */
  private end(): void {
    if (this.closed) return
    this.closed = true
    for (const channel of this.channels) channel.fail(new BoxError('ENGINE_CLOSED'))
    for (const stream of this.others) stream.close()
    this.watches.clear()
    this.line.close()
  }

  private mustBeOpen(): void {
    if (this.closed) throw new BoxError('ENGINE_CLOSED')
  }
}

/** A connection on which words are heard; what is none ends it. */
function ask(
  path: string,
  request: object,
  events: { words(words: Words): void; closed(): void },
): Stream {
  const splitter = new MessageSplitter()
  const stream = dialUnix(path, {
    opened: () => void stream.write(wordsOf(request)),
    received: chunk => {
      for (const raw of splitter.push(chunk)) if (isWords(raw)) events.words(readWords(raw))
    },
    drained: () => {},
    closed: () => events.closed(),
  })
  return stream
}
