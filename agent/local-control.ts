/**
 * Orders from the machine itself: `box-agent pair`, `status` and `reset` talk to the running agent over a
 * Unix socket in its state directory, which only its owner can open.
 *
 * A request is one line, `{ "do": "pair", ... }`; answers are lines `{ "say": ... }`, as many as there are,
 * then `{ "done": true }` or `{ "error": { "code", "detail" } }`, and the end of the stream.
 */

import { BoxError, ERRORS, type ErrorCode } from '../src/base/errors.ts'
import type { Log } from '../src/base/log.ts'
import type { Stream, StreamEvents } from '../src/base/stream.ts'
import { dialUnix, listenUnix, type UnixListener } from '../src/sys/unix-socket.ts'
import { JsonLines, writeLine } from './json-lines.ts'

export type Request = Readonly<Record<string, unknown>> & { readonly do: string }

/** Answers one request. `say` may be called any number of times; `gone` is aborted when nobody listens any more. */
export type Answer = (
  request: Request,
  say: (value: object) => void,
  gone: AbortSignal,
) => Promise<void>

/** Takes orders at `path` until closed. Fails with ADDRESS_IN_USE. */
export const listenForOrders = (path: string, answer: Answer, log: Log): Promise<UnixListener> =>
  listenUnix(path, stream => serve(stream, answer, log))

function serve(stream: Stream, answer: Answer, log: Log): StreamEvents {
  const lines = new JsonLines()
  const gone = new AbortController()
  let asked = false
  const end = (value: object) => {
    if (gone.signal.aborted) return
    writeLine(stream, value)
    stream.close()
  }
  const begin = async (value: unknown) => {
    if (!isRequest(value)) throw new BoxError('INPUT_INVALID', 'This is no request.')
    await answer(
      value,
      say => void (gone.signal.aborted || writeLine(stream, { say })),
      gone.signal,
    )
  }
  const failed = (error: unknown) => {
    if (!(error instanceof BoxError)) throw error
    log.note('debug', 'control', 'order failed', { code: error.code })
    end({ error: { code: error.code, message: error.message } })
  }
  return {
    opened: () => {},
    received: chunk => {
      if (asked) return
      try {
        const [value] = lines.take(chunk)
        if (value === undefined) return
        asked = true
        begin(value).then(() => end({ done: true }), failed)
      } catch (error) {
        asked = true
        failed(error)
      }
    },
    drained: () => {},
    closed: () => gone.abort(),
  }
}

const isRequest = (value: unknown): value is Request =>
  value !== null && typeof value === 'object' && typeof (value as Request).do === 'string'

/**
 * Gives an order to the agent that listens at `path`; `heard` gets each answer. Fails with what the agent
 * says, AGENT_NOT_RUNNING, CHANNEL_LOST where it ends meanwhile, or the reason of the signal.
 */
export function order(
  path: string,
  request: Request,
  heard: (value: Readonly<Record<string, unknown>>) => void,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const lines = new JsonLines()
    let opened = false
    const abort = () => {
      reject(signal?.reason)
      stream.close()
    }
    const take = (value: unknown) => {
      const { say, done, error } = value as Record<string, unknown>
      if (say) heard(say as Record<string, unknown>)
      else if (done) resolve()
      else reject(errorOf(error))
    }
    const stream = dialUnix(path, {
      opened: () => {
        opened = true
        writeLine(stream, request)
      },
      received: chunk => {
        try {
          for (const value of lines.take(chunk)) take(value)
        } catch (error) {
          reject(error)
          stream.close()
        }
      },
      drained: () => {},
      closed: () => {
        signal?.removeEventListener('abort', abort)
        // After an answer this changes nothing.
        reject(new BoxError(opened ? 'CHANNEL_LOST' : 'AGENT_NOT_RUNNING'))
      },
    })
    signal?.addEventListener('abort', abort, { once: true })
  })
}

/** The agent's error, with its sentence as it was. */
function errorOf(error: unknown): Error {
  const { code, message } = (error ?? {}) as Record<string, unknown>
  if (typeof code !== 'string' || !Object.hasOwn(ERRORS, code) || typeof message !== 'string')
    return new BoxError('STATE_UNEXPECTED', 'The agent did not understand.')
  const sentence = ERRORS[code as ErrorCode][1]
  return new BoxError(code as ErrorCode, message.slice(sentence.length).trim())
}
