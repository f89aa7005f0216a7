/**
 * Questions to a service that answers one after the other: each has its time, and none is left without an
 * answer, for better or worse. A service that does not answer is hung up on.
 */

import type { Timer } from '../../base/clock.ts'
import { BoxError } from '../../base/errors.ts'
import { Service, type ServicePorts } from './service.ts'

/** A local service that has not said anything by then, is stuck. */
const ANSWER_MS = 5_000
/** Questions that wait; with more, the oldest fails. */
const WAITING_MAX = 256

export interface Question {
  readonly ask: Uint8Array
  /**
   * A message of the service. True: it was the last of the answer. `say` asks for more of it.
   * May throw WireError.
   */
  heard(type: number, raw: Uint8Array, say: (raw: Uint8Array) => void): boolean
  /** No answer came: the service is not there, hung up, or is silent. */
  failed(reason: BoxError): void
}

export class Exchange {
  private readonly ports: ServicePorts
  private readonly service: Service
  private readonly waiting: Question[] = []
  private current: Question | null = null
  private deadline: Timer | null = null
  /** It takes connections, but has not answered the last question. */
  private silence: BoxError | null = null
  private closed = false

  constructor(name: string, path: string, ports: ServicePorts) {
    this.ports = ports
    this.service = new Service(name, path, ports, {
      up: () => this.next(),
      received: (type, raw) => this.received(type, raw),
      down: reason => this.down(reason),
    })
  }

  /** Why the service cannot be used now; null where it can, or was not asked yet. */
  get trouble(): BoxError | null {
    return this.service.trouble ?? this.silence
  }

  /** Connects, at the latest with the first question. */
  start(): void {
    this.service.open()
  }

  ask(question: Question): void {
    if (this.closed) {
      question.failed(new BoxError('ENGINE_CLOSED'))
      return
    }
    if (this.waiting.length >= WAITING_MAX)
      this.waiting.shift()!.failed(new BoxError('LIMIT_EXCEEDED', 'Too many questions wait.'))
    this.waiting.push(question)
    this.service.open()
    this.next()
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.service.close()
    this.failAll(new BoxError('ENGINE_CLOSED'))
  }

  private next(): void {
    if (this.current || !this.service.standing) return
    this.current = this.waiting.shift() ?? null
    if (!this.current) return
    this.service.send(this.current.ask)
    this.wait()
  }

  /** From the last message on: a long answer may take its time. */
  private wait(): void {
    this.deadline?.cancel()
    this.deadline = this.ports.clock.after(ANSWER_MS, () => {
      this.silence = new BoxError('GNUNET_SILENT', `It is ${this.service.name}.`)
      this.service.renew(this.silence)
    })
  }

  private received(type: number, raw: Uint8Array): void {
    const { current } = this
    if (!current) return
    this.silence = null
    this.wait()
    if (!current.heard(type, raw, more => void this.service.send(more))) return
    this.deadline?.cancel()
    this.current = null
    this.next()
  }

  /** What waits is not kept for the next connection: whoever asked decides. */
  private down(reason: BoxError): void {
    this.failAll(reason)
  }

  private failAll(reason: BoxError): void {
    this.deadline?.cancel()
    const failed = [...(this.current ? [this.current] : []), ...this.waiting.splice(0)]
    this.current = null
    for (const question of failed) question.failed(reason)
  }
}
