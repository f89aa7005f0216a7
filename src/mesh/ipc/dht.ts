/**
 * Blocks by way of the daemon's DHT (dht.h). Questions are asked again whenever the connection is made
 * anew; the service repeats them itself meanwhile. It believes its own store without looking, so nothing that
 * comes from here is verified: src/gns does that with every block.
 */

import { keyOf } from '../../base/bytes.ts'
import { BoxError } from '../../base/errors.ts'
import { hashCode, type PeerId, peerId } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import { Cursor, WireError } from '../../wire/layout.ts'
import { toMicros, toMs } from '../../wire/time.ts'
import {
  DHT_OPTION,
  type Dht,
  type DhtBlock,
  type DhtQuery,
  type DhtResult,
  type Listening,
} from '../mesh.ts'
import {
  DhtGet,
  DhtGetStop,
  DhtHop,
  DhtPut,
  DhtResultMessage,
  type ResultValue,
} from './messages.ts'
import { Service, type ServicePorts } from './service.ts'

/** GNUNET_CONSTANTS: what a message of the DHT carries. */
const BLOCK_SIZE_MAX = 63 * 1_024
/** Results of one question that are remembered, to be reported once. */
const TOLD_MAX = 256
const QUERIES_MAX = 1_024
/** Puts that wait for a connection: the names of a zone while a daemon restarts. */
const PUTS_MAX = 256

export interface DhtPorts extends ServicePorts {
  readonly path: string
  readonly random: Random
  /** Whether routes may be asked for: GNUnet 0.21 and later crash over it. */
  readonly recordsRoutes: () => boolean
  readonly digest: (block: Uint8Array) => Uint8Array
}

interface Question {
  readonly id: bigint
  readonly query: DhtQuery
  readonly found: (result: DhtResult) => void
  readonly told: Set<string>
}

export class DaemonDht implements Dht {
  private readonly ports: DhtPorts
  private readonly service: Service
  private readonly questions = new Map<bigint, Question>()
  private readonly waiting: Uint8Array[] = []
  private nextId: bigint
  private closed = false

  constructor(ports: DhtPorts) {
    this.ports = ports
    // Random, so that answers to an earlier process are not taken for ours.
    this.nextId = BigInt(ports.random.below(2 ** 32)) << 24n
    this.service = new Service('dht', ports.path, ports, {
      up: () => this.up(),
      received: (type, raw) => this.received(type, raw),
      down: () => {},
    })
  }

  start(): void {
    this.service.open()
  }

  get trouble(): BoxError | null {
    return this.service.trouble
  }

  put(block: DhtBlock): void {
    if (this.closed) throw new BoxError('ENGINE_CLOSED')
    if (block.data.length > BLOCK_SIZE_MAX)
      throw new BoxError('INPUT_INVALID', 'The block is too large.')
    if (block.type === 0) throw new BoxError('INPUT_INVALID', 'The block has no type.')
    const raw = DhtPut.encode({
      blockType: block.type,
      options: this.options(block.options),
      replication: block.replication,
      expiry: toMicros(block.expiresAt),
      key: block.key,
      data: block.data,
    })
    if (this.service.standing) this.service.send(raw)
    else {
      this.waiting.push(raw)
      if (this.waiting.length > PUTS_MAX) this.waiting.shift()
    }
  }

  get(query: DhtQuery, found: (result: DhtResult) => void): Listening {
    if (this.closed) throw new BoxError('ENGINE_CLOSED')
    if (this.questions.size >= QUERIES_MAX)
      throw new BoxError('LIMIT_EXCEEDED', 'Too many questions.')
    const question: Question = { id: this.nextId++, query, found, told: new Set() }
    this.questions.set(question.id, question)
    this.ask(question)
    return {
      close: () => {
        if (this.questions.delete(question.id))
          this.service.send(DhtGetStop.encode({ query: question.id, key: query.key }))
      },
    }
  }

  close(): void {
    this.closed = true
    this.questions.clear()
    this.service.close()
  }

  private up(): void {
    for (const question of this.questions.values()) this.ask(question)
    for (const raw of this.waiting.splice(0)) this.service.send(raw)
  }

  private ask({ id, query }: Question): void {
    this.service.send(
      DhtGet.encode({
        options: this.options(query.options),
        replication: query.replication,
        blockType: query.type,
        key: query.key,
        query: id,
        extendedQuery: new Uint8Array(0),
      }),
    )
  }

  private options(wished: number): number {
    return this.ports.recordsRoutes() ? wished : wished & ~DHT_OPTION.recordRoute
  }

  private received(type: number, raw: Uint8Array): void {
    if (type !== DhtResultMessage.type) {
      this.ports.counters.add('ipc.dht.unknown_type')
      return
    }
    const value = DhtResultMessage.decode(raw)
    const question = this.questions.get(value.query)
    if (!question) return
    const result = readResult(value)
    const routed = (result.options & DHT_OPTION.recordRoute) !== 0
    const route = routed ? [...result.putPath, ...result.getPath].map(keyOf).join() : ''
    const name = keyOf(this.ports.digest(result.data)) + route
    if (question.told.has(name)) return
    question.told.add(name)
    const [oldest] = question.told
    if (question.told.size > TOLD_MAX) question.told.delete(oldest!)
    question.found(result)
  }
}

/** Takes the paths and the block apart. Throws WireError where they do not fit. */
function readResult(value: ResultValue): DhtResult {
  const from = new Cursor(value.pathsAndData)
  const { putPathLength, getPathLength, options } = value
  const hops = putPathLength + getPathLength
  const skipped = (options & DHT_OPTION.truncated) !== 0 ? 32 : 0
  const size = skipped + hops * (DhtHop.width ?? 0)
  if (size > from.end)
    throw new WireError(DhtResultMessage.name, 'putPathLength', 16, `${hops} hops do not fit`)
  from.take(skipped)
  const path = (length: number): PeerId[] =>
    Array.from({ length }, () => peerId(DhtHop.get(from, {}).peer.slice()))
  return {
    type: value.blockType,
    key: hashCode(value.key.slice()),
    putPath: path(putPathLength),
    getPath: path(getPathLength),
    data: value.pathsAndData.slice(from.at),
    expiresAt: toMs(value.expiry),
    replication: 1,
    options,
  }
}
