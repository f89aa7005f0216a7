/** Answers that go on: what changes in the fleet as server-sent events, and commands with what they print as lines of JSON. */

import { setMaxListeners } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Clock } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { inParallel } from '../parallel.ts'
import { selected } from '../push/selection.ts'
import { type Heard, runCommand } from '../remote-command.ts'
import { eventText, FleetNews } from './fleet-news.ts'
import type { FleetTexts } from './fleet-texts.ts'
import type { FleetWatch } from './fleet-watch.ts'
import { about, options, streamed, USER } from './schemas.ts'
import type { TalkHall } from './talk-hall.ts'
import type { WarmShells } from './warm-shells.ts'

/** Each holds a connection. */
const LISTENERS_MAX = 32
/** Proxies and browsers give a silent connection up. */
const BEAT_MS = 15_000
/** A reader that is so far behind is cut off: when it comes again, it gets all of it anew. */
const BEHIND_MAX = 4 * 1_048_576
const PARALLEL = 32
const COMMAND_MAX = 64 * 1_024
const DAY_S = 86_400

interface EventSources {
  readonly watch: FleetWatch
  readonly texts: FleetTexts
  readonly talk: TalkHall
}

/**
 * Answers with one `device` for each device and one `contact` for each contact, then with what changes; before all of
 * it, where there is something to tell, with that. Whether it does: so many may listen, and no more.
 */
export type TellAll = (reply: FastifyReply, first?: () => string) => boolean

export function tellingAll({ clock }: Context, { watch, talk, texts }: EventSources): TellAll {
  let listeners = 0
  return (reply, first = () => '') => {
    if (listeners >= LISTENERS_MAX) return false
    texts.by(reply)
    const head = first()
    listeners += 1
    const { raw, ended } = eventStream(reply, clock)
    if (head !== '') raw.write(head)
    const write = (text: string) => raw.write(text)
    const news = new FleetNews(clock, write, device => texts.of(device))
    raw.on('drain', () => news.drained())
    news.begin(watch.devices(), peopleOf(talk))
    const listening = [watch.listen(news), talk.listen(news)]
    const over = () => {
      listeners -= 1
      for (const one of listening) one.close()
      news.close()
    }
    ended.addEventListener('abort', over, { once: true })
    return true
  }
}

export function eventRoute(app: FastifyInstance, tellAll: TellAll): void {
  app.get(
    '/v1/events',
    {
      schema: about({
        summary:
          'Every device and contact, `complete`, then what changes: `device` with a Device, `removed` with a name; `alert` with an Alert; `contact` with a Contact, `forgotten` with a name and key',
        answer: streamed('text/event-stream', 'Server-sent events, until either side ends it.'),
      }),
    },
    async (_request, reply) => {
      if (!tellAll(reply)) throw tooMany('Too many listen already.')
      return reply
    },
  )
}

/** What is wrong with the contacts is told where they are asked for: the fleet is shown all the same. */
function peopleOf(talk: TalkHall) {
  try {
    return talk.people()
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    return []
  }
}

/** Server-sent events: how they are sent, when nobody hears them any more, and how they are ended. */
function eventStream(reply: FastifyReply, clock: Clock) {
  const raw = beginStream(reply, 'text/event-stream')
  const end = new AbortController()
  const send = (event: string, data: object) => {
    if (raw.writableLength > BEHIND_MAX) raw.destroy()
    else raw.write(eventText(event, data))
  }
  const beat = () => {
    raw.write(': still here\n\n')
    timer = clock.after(BEAT_MS, beat)
  }
  let timer = clock.after(BEAT_MS, beat)
  raw.once('close', () => {
    timer.cancel()
    end.abort()
  })
  return { raw, send, ended: end.signal, end: () => void raw.end() }
}

/** Somebody who follows a room or a talk. */
interface Follower {
  readonly send: (event: string, data: object) => void
  /** Says why nothing more comes, and ends it. */
  readonly over: (error: BoxError) => void
  readonly ended: AbortSignal
}

/** Answers with what is followed, to at most so many at once. What fails is its last event. */
export function followers(clock: Clock, max: number) {
  let count = 0
  return async (reply: FastifyReply, follow: (by: Follower) => Promise<void>) => {
    if (count >= max) throw tooMany('Too many listen already.')
    count += 1
    const { send, ended, end } = eventStream(reply, clock)
    const leave = () => {
      count -= 1
    }
    ended.addEventListener('abort', leave, { once: true })
    const over = ({ code, message }: BoxError) => {
      send('over', { code, message })
      end()
    }
    try {
      await follow({ send, over, ended })
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      over(error)
    }
    return reply
  }
}

interface ExecBody {
  readonly selector: string
  readonly command: string
  readonly user?: string
  readonly input?: string
  readonly timeout_s?: number
  readonly limit_s?: number
}

/** Lines of `{ name, stream, data }` as it is printed, and one `{ name, exit_code, error, ms }` a device. */
export function execRoute(app: FastifyInstance, context: Context, shells: WarmShells): void {
  const seconds = { type: 'number', exclusiveMinimum: 0, maximum: DAY_S }
  const text = { type: 'string', minLength: 1, maxLength: COMMAND_MAX }
  const body = options(
    {
      selector: { ...text, description: 'A name, @tag, or @all.' },
      command: { ...text, description: 'For the shell of the device.' },
      user: USER,
      input: { type: 'string', description: 'Its standard input.' },
      timeout_s: { ...seconds, description: 'To reach a device; 30 unless told otherwise.' },
      limit_s: { ...seconds, description: 'After which the command is ended.' },
    },
    ['selector', 'command'],
  )
  app.post<{ Body: ExecBody }>(
    '/v1/exec',
    {
      schema: about({
        summary: 'Runs a command on devices, and hands on what it prints',
        body,
        answer: streamed('application/x-ndjson', 'A JSON object a line, until all have ended.'),
      }),
    },
    async ({ body }, reply) => {
      const devices = selected(context, body.selector)
      const raw = beginStream(reply, 'application/x-ndjson')
      const reader = whileRead(context, raw)
      setMaxListeners(0, reader.signal)
      await runAll(reader, devices, body, { raw, shells })
      return reply
    },
  )
}

async function runAll(
  context: Context,
  devices: readonly Device[],
  { command, user = '', input = '', timeout_s = 30, limit_s = 0 }: ExecBody,
  { raw, shells }: { readonly raw: ServerResponse; readonly shells: WarmShells },
): Promise<void> {
  const line = (value: object) => raw.write(`${JSON.stringify(value)}\n`)
  const job = {
    line: command,
    user: user === '' ? null : user,
    input: new TextEncoder().encode(input),
    timeoutMs: timeout_s * 1_000,
    limitS: limit_s > 0 ? limit_s : null,
  }
  try {
    await inParallel(devices, PARALLEL, async device => {
      const { name } = device
      const decoders = { out: new TextDecoder(), err: new TextDecoder() }
      const heard: Heard = (stream, piece) => {
        const data = decoders[stream].decode(piece, { stream: true })
        const isTaken = data === '' || line({ name, stream, data })
        return isTaken ? undefined : drained(raw)
      }
      const end = await runCommand(context, device, job, heard, shells.take)
      for (const stream of ['out', 'err'] as const) {
        const data = decoders[stream].decode()
        if (data !== '') line({ name, stream, data })
      }
      line({ name, ...end })
    })
    raw.end()
  } catch (error) {
    if (!context.signal.aborted) throw error
    raw.destroy()
  }
}

/** Also when it never will be. */
const drained = (raw: ServerResponse): Promise<void> =>
  new Promise(resolve => {
    const done = () => {
      raw.off('drain', done).off('close', done)
      resolve()
    }
    if (raw.destroyed) resolve()
    else raw.once('drain', done).once('close', done)
  })

/** Each of what goes on costs something for as long as it does. */
export const tooMany = (sentence: string): BoxError =>
  Object.assign(new BoxError('API_REFUSED', sentence), { statusCode: 503 })

/** Whoever goes away does not want it any more. */
export function whileRead(context: Context, raw: ServerResponse): Context {
  const gone = new AbortController()
  raw.once('close', () => gone.abort(new BoxError('CHANNEL_CLOSED')))
  return { ...context, signal: AbortSignal.any([context.signal, gone.signal]) }
}

/** From here on the answer is ours to write, and to end. */
export function beginStream(reply: FastifyReply, type: string): ServerResponse {
  const headers = { ...reply.getHeaders(), 'content-type': `${type}; charset=utf-8` }
  reply.hijack()
  reply.raw.on('error', () => {})
  reply.raw.writeHead(200, headers as Record<string, string>)
  reply.raw.flushHeaders()
  return reply.raw
}
