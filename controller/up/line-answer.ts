/**
 * Answers that go on as lines of JSON: what is being done, then what became of it. Whoever goes away in between does
 * not stop it. What fails once the answer has begun is its last line.
 */

import type { FastifyReply } from 'fastify'
import { BoxError } from '../../src/base/errors.ts'
import type { Context } from '../context.ts'
import { Output } from '../output.ts'
import { beginStream } from './streams.ts'

export interface Lines {
  readonly say: (value: object) => void
  /** For what a command would say with --json. */
  readonly output: Output
}

/** Begins the answer, and ends it when `run` has. Fails with what is no BoxError. */
export async function answerInLines(
  { signal, clock }: Context,
  reply: FastifyReply,
  run: (lines: Lines) => Promise<void>,
): Promise<FastifyReply> {
  const raw = beginStream(reply, 'application/x-ndjson')
  const write = (text: string | Uint8Array) => {
    if (!raw.destroyed) raw.write(text)
  }
  const say = (value: object) => write(`${JSON.stringify(value)}\n`)
  const out = { isTerminal: false, write }
  const err = { isTerminal: false, write: () => {} }
  try {
    await run({ say, output: new Output({ json: true, out, err, clock }) })
    raw.end()
  } catch (error) {
    if (!signal.aborted && error instanceof BoxError) {
      const { code, family, message } = error
      say({ error: { code, family, message } })
      raw.end()
      return reply
    }
    // When we end, it breaks off.
    raw.destroy()
    if (!signal.aborted) throw error
  }
  return reply
}

/** At most so many at once; one more fails with what `refusal` makes. */
export function atMost(max: number, refusal: () => BoxError) {
  let running = 0
  return async <T>(run: () => Promise<T>): Promise<T> => {
    if (running >= max) throw refusal()
    running += 1
    try {
      return await run()
    } finally {
      running -= 1
    }
  }
}

/** What goes on already is not begun a second time. */
export const inTheWay = (sentence: string): BoxError =>
  Object.assign(new BoxError('API_REFUSED', sentence), { statusCode: 409 })

/** What cannot be undone is said twice. Throws INPUT_INVALID. */
export function mustBeConfirmed(confirm: string, what: string): void {
  if (confirm !== what)
    throw new BoxError('INPUT_INVALID', `It cannot be undone: "confirm" has to be "${what}".`)
}
