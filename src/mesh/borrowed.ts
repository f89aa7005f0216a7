/**
 * The peer of another process as the mesh of this one, over a Unix socket: that of a running `box up` for other
 * commands of the same person, that of `box-agent mesh` for the device's agent. What goes through its channels is
 * proven and encrypted here, as with a peer of our own: to whoever borrows, the lender is one more hub.
 *
 * Where it is to last, the lender may be ended and started again at any time: channels end with CHANNEL_LOST,
 * neighbours go, and once it is back ports, hubs and questions are said anew, and neighbours come.
 */

import { equalBytes } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import { type PeerId, type PortId, peerId } from '../base/ids.ts'
import type { Log } from '../base/log.ts'
import type { Stream } from '../base/stream.ts'
import { decodeBase32, encodeBase32 } from '../wire/base32.ts'
import { isWords, type Words } from '../wire/json-words.ts'
import type { DialService } from './ipc/service.ts'
import { BorrowedChannel } from './loan/borrowed-channel.ts'
import { BorrowedPorts } from './loan/borrowed-ports.ts'
import { converse, LoanLine } from './loan/loan-line.ts'
import {
  blockWords,
  pathOf,
  pathWords,
  peerOf,
  queryWords,
  resultOf,
  statusOf,
  stringOf,
  wholeOf,
  wordsOf,
} from './loan/words.ts'
import type {
  Channel,
  ConnectOptions,
  Dht,
  DhtQuery,
  DhtResult,
  Listening,
  Mesh,
  MeshStatus,
  NeighbourWatch,
  Trouble,
  TunnelStatus,
} from './mesh.ts'

/** Whoever is up answers in milliseconds; whoever hangs is done without. */
const ANSWER_MS = 1_000
/** It may be started at the same time as we are, on a slow machine. */
const START_MS = 60_000

export interface BorrowOptions {
  /** The socket of the lender. */
  readonly path: string
  readonly dial: DialService
  readonly clock: Clock
  readonly log: Log
}

/** The mesh that is lent at the path; null where none is, or by another version. It ends with the lender. */
export async function borrowMesh(options: BorrowOptions): Promise<Mesh | null> {
  try {
    return await opened(new BorrowedMesh(options, { lasts: false }), options.clock, ANSWER_MS)
  } catch (error) {
    if (error instanceof BoxError) return null
    throw error
  }
}

/** The same, from now on: waits for the lender, and for the next one. Fails with MESH_ABSENT. */
export async function keepBorrowing(options: BorrowOptions): Promise<Mesh> {
  const mesh = new BorrowedMesh(options, { lasts: true })
  try {
    return await opened(mesh, options.clock, START_MS)
  } catch (cause) {
    throw new BoxError('MESH_ABSENT', mesh.trouble, cause)
  }
}

async function opened(mesh: BorrowedMesh, clock: Clock, ms: number): Promise<Mesh> {
  const timer = clock.after(ms, () => void mesh.close())
  try {
    await mesh.open()
    return mesh
  } finally {
    timer.cancel()
  }
}

interface Question {
  readonly query: DhtQuery
  readonly found: (result: DhtResult) => void
  stream: Stream | null
}

const AWAY = { engine: 'embedded', neighbours: [], tunnels: [], counters: {} } as const

class BorrowedMesh implements Mesh {
  self!: PeerId
  readonly dht: Dht
  /** Why the lender is not there. */
  trouble: string
  private readonly options: BorrowOptions
  private readonly lasts: boolean
  private readonly line: LoanLine
  private readonly ports: BorrowedPorts
  private readonly channels = new Set<BorrowedChannel>()
  private readonly questions = new Set<Question>()
  private readonly hellos = new Set<string>()
  private readonly watches = new Set<NeighbourWatch>()
  private now: MeshStatus = AWAY
  private ownHello = ''
  private identityTrouble: Trouble | null = null
  private isUp = false
  private wasUp = false
  private closed = false
  private starting: { done(): void; fail(reason: BoxError): void } | null = null

  constructor(options: BorrowOptions, { lasts }: { lasts: boolean }) {
    this.options = options
    this.trouble = `${options.path}: nobody answers.`
    this.lasts = lasts
    this.line = new LoanLine(
      { ...options, lasts },
      {
        greeted: words => this.greeted(peerOf(words.self)),
        heard: words => this.heard(words),
        lost: reason => this.lost(reason),
      },
    )
    this.ports = new BorrowedPorts({
      say: value => this.line.say(value),
      refused: code => options.log.note('warn', 'mesh', 'port refused', { code }),
      channel: (peer, request, unfetched) => this.channel(peer, request, unfetched),
    })
    this.dht = {
      put: block => {
        this.mustBeOpen()
        this.line.say({ put: blockWords(block) })
      },
      get: (query, found) => this.ask(query, found),
    }
  }

  /** Resolves once it stands. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.starting = { done: resolve, fail: reject }
      this.line.open()
    })
  }

  listen(port: PortId, accept: (channel: Channel) => void): Listening {
    this.mustBeOpen()
    return this.ports.listen(port, accept)
  }

  async connect(peer: PeerId, port: PortId, options: ConnectOptions = {}): Promise<Channel> {
    this.mustBeOpen()
    const { via = [], signal } = options
    signal?.throwIfAborted()
    // What is listened on here may be meant: it is listened on before it is asked for.
    await this.ports.standing()
    signal?.throwIfAborted()
    this.mustBeOpen()
    if (!this.isUp) throw new BoxError('PEER_UNREACHABLE', 'The mesh process is away.')
    const words = { do: 'connect', peer: encodeBase32(peer), port: encodeBase32(port) }
    const channel = this.channel(peer, { ...words, via: via.map(pathWords) })
    const abort = () => channel.fail(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await channel.open()
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  introduce(hello: string): PeerId {
    this.mustBeOpen()
    const peer = peerNamed(hello)
    if (this.lasts) this.hellos.add(hello)
    this.line.say({ introduce: hello })
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
    const { lasts, identityTrouble, isUp, now } = this
    const told = { ...now, tunnels: [...now.tunnels, ...this.newTunnels()] }
    if (!lasts) return told
    const { path } = this.options
    const troubles = [
      ...(now.troubles ?? []),
      ...(identityTrouble ? [identityTrouble] : []),
      ...(isUp || this.closed ? [] : [awayTrouble(path, this.trouble)]),
    ]
    return { ...told, about: `${now.about ? `${now.about}, ` : ''}lent at ${path}`, troubles }
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.line.close()
    this.gone(new BoxError('ENGINE_CLOSED'))
    for (const { stream } of this.questions) stream?.close()
    this.questions.clear()
    this.watches.clear()
    this.ports.down()
    this.starting?.fail(new BoxError('PEER_TIMEOUT'))
  }

  private channel(peer: PeerId, request: object, unheard = () => {}): BorrowedChannel {
    const { path, dial } = this.options
    const channel: BorrowedChannel = new BorrowedChannel({
      peer,
      dial: events => dial(path, events),
      request: wordsOf(request),
      lost: this.lasts ? 'CHANNEL_LOST' : 'ENGINE_CLOSED',
      ended: ({ isKnown }) => {
        this.channels.delete(channel)
        if (!isKnown) unheard()
      },
    })
    this.channels.add(channel)
    return channel
  }

  private ask(query: DhtQuery, found: (result: DhtResult) => void): Listening {
    this.mustBeOpen()
    const question: Question = { query, found, stream: null }
    this.questions.add(question)
    if (this.isUp) this.askAnew(question)
    const close = () => {
      this.questions.delete(question)
      question.stream?.close()
    }
    return { close }
  }

  private askAnew(question: Question): void {
    const { path, dial } = this.options
    const request = { do: 'get', ...queryWords(question.query) }
    question.stream = converse(path, dial, request, {
      heard: words => {
        if (words.data !== undefined && this.questions.has(question))
          question.found(resultOf(words))
      },
      closed: () => {
        question.stream = null
      },
    })
  }

  private greeted(self: PeerId): void {
    const isOther = this.wasUp && !equalBytes(self, this.self)
    if (isOther) {
      const name = encodeBase32(self).slice(0, 4)
      this.options.log.note('warn', 'mesh', 'it is another peer now', { peer: name })
      this.identityTrouble = {
        kind: 'identity-changed',
        peer: self,
        detail: `The mesh process came back as another peer, ${name}.`,
        cure: 'Nothing, if that was meant: the new one is published. Others may take an hour to learn it.',
      }
    }
    this.self = self
  }

  /** Throws BoxError. */
  private heard(words: Words): void {
    if (isWords(words.status)) this.told(statusOf(words.status), stringOf(words.hello))
    if (words.listening !== undefined) this.ports.stands(stringOf(words.listening))
    if (words.refused !== undefined)
      this.ports.refused(stringOf(words.refused), stringOf(words.code))
    if (words.unreadable !== undefined)
      this.options.log.note('warn', 'mesh', 'hello not understood', {
        hello: stringOf(words.unreadable).slice(0, 80),
      })
    if (words.offer !== undefined) {
      const offer = wholeOf(words.offer, Number.MAX_SAFE_INTEGER)
      const way = words.path === null ? null : pathOf(words.path)
      this.ports.offered({ offer, port: stringOf(words.port), peer: peerOf(words.peer), way })
    }
  }

  private told(status: MeshStatus, hello: string): void {
    this.ownHello = hello
    if (!this.isUp) this.stand()
    this.changed(status)
    this.starting?.done()
    this.starting = null
  }

  /** Says everything that the lender does not know, or not any more. */
  private stand(): void {
    this.isUp = true
    for (const hello of this.hellos) this.line.say({ introduce: hello })
    this.ports.up()
    for (const question of this.questions) this.askAnew(question)
    if (this.lasts && this.wasUp) this.options.log.note('info', 'mesh', 'the lender is back')
    this.wasUp = true
  }

  private lost(reason: BoxError): void {
    const { log, path } = this.options
    const { isUp } = this
    this.trouble = reason.detail
    this.isUp = false
    if (!this.lasts) {
      this.starting?.fail(reason)
      void this.close()
      return
    }
    if (!isUp) return
    log.note('warn', 'mesh', 'the lender is gone', { path, why: reason.detail })
    this.gone(new BoxError('CHANNEL_LOST', 'The mesh process has ended.'))
    this.ports.down()
    this.changed(AWAY)
  }

  private gone(reason: BoxError): void {
    for (const channel of [...this.channels]) channel.fail(reason)
  }

  private changed(status: MeshStatus): void {
    const [before, after] = [upIn(this.now), upIn(status)]
    this.now = status
    for (const watch of this.watches) {
      for (const [text, peer] of after) if (!before.has(text)) watch.up(peer)
      for (const [text, peer] of before) if (!after.has(text)) watch.down(peer)
    }
  }

  /** Those of our channels that the lender has not told of yet. */
  private newTunnels(): TunnelStatus[] {
    const known = new Set(this.now.tunnels.map(({ peer }) => encodeBase32(peer)))
    return [...this.channels].flatMap(channel => {
      const path = channel.path()
      const name = encodeBase32(channel.peer)
      if (path === null || known.has(name)) return []
      known.add(name)
      return [{ peer: channel.peer, state: 'up' as const, channels: 1, paths: [path] }]
    })
  }

  private mustBeOpen(): void {
    if (this.closed) throw new BoxError('ENGINE_CLOSED')
  }
}

const upIn = ({ neighbours }: MeshStatus): ReadonlyMap<string, PeerId> =>
  new Map(
    neighbours.flatMap(({ peer, state }) => (state === 'up' ? [[encodeBase32(peer), peer]] : [])),
  )

const awayTrouble = (path: string, why: string): Trouble => ({
  kind: 'service',
  peer: null,
  detail: `The mesh process (${path}) does not answer: ${why}`,
  cure: 'Start `box-agent mesh`, or look at `systemctl status secushare-box-mesh`.',
})

/** Whom a HELLO URL names; what else is in it, the lender reads. Throws INPUT_INVALID. */
function peerNamed(hello: string): PeerId {
  const [, name] = /^gnunet:\/\/hello\/([0-9A-Za-z]+)(?:[+/?]|$)/.exec(hello) ?? []
  if (name !== undefined) return peerId(decodeBase32(name, 32))
  throw new BoxError('INPUT_INVALID', `${JSON.stringify(hello)} is no HELLO URL.`)
}
