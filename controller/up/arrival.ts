/**
 * How long a request may take to arrive. One that comes slowly holds a place: its body has to be here within seconds,
 * but for files, which may take hours, and have to go on coming.
 */

import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock, Timer } from '../../src/base/clock.ts'

/** A body of a megabyte, from this machine. */
const BODY_TIMEOUT_MS = 10_000
/** Of a file, some of it. */
const STALL_MS = 30_000

const timers = new WeakMap<IncomingMessage, Timer>()

/** Cuts off what has not arrived in time. */
export function limitArrival(app: FastifyInstance, clock: Clock): void {
  app.addHook('onRequest', async ({ raw }) => {
    const { 'content-length': length, 'transfer-encoding': coding } = raw.headers
    if ((length === undefined || length === '0') && coding === undefined) return
    cutOffAfter(BODY_TIMEOUT_MS, raw, clock)
    const over = () => timers.get(raw)?.cancel()
    raw.once('end', over).once('close', over)
  })
}

/**
 * The body of a request, which may take as long as it goes on coming: it is cut off where none came for a while though
 * it was wanted. What is left of it when the answer has been sent has the time of every other body.
 */
export function arriving(
  { raw }: FastifyRequest,
  reply: FastifyReply,
  clock: Clock,
): AsyncIterable<Uint8Array> {
  timers.get(raw)?.cancel()
  reply.raw.once('finish', () => raw.readableEnded || cutOffAfter(BODY_TIMEOUT_MS, raw, clock))
  return pieces(raw, clock)
}

async function* pieces(raw: IncomingMessage, clock: Clock): AsyncGenerator<Uint8Array> {
  cutOffAfter(STALL_MS, raw, clock)
  // Whoever reads no further has an answer to send.
  for await (const chunk of raw.iterator({ destroyOnReturn: false })) {
    // While it is being handed on, nobody waits for more.
    timers.get(raw)?.cancel()
    yield chunk as Uint8Array
    cutOffAfter(STALL_MS, raw, clock)
  }
}

function cutOffAfter(ms: number, raw: IncomingMessage, clock: Clock): void {
  timers.get(raw)?.cancel()
  timers.set(
    raw,
    clock.after(ms, () => void raw.destroy()),
  )
}
