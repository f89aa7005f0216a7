/** Asking `box up`: requests with the key of our session, answers that go on, and what went wrong in one form. */

/** Per origin, port included; worth nothing without the cookie, which no script can read. */
const KEY = 'box-key'

export class Refused extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, text: string) {
    super(text)
    this.status = status
    this.code = code
  }
}

const AGAIN_MS = 2_000

let whenOut = () => {}

/** `out` is called when we are not logged in any more. */
export const watchLogin = (out: () => void): void => {
  whenOut = out
}

export const ownKey = (): string | null => localStorage.getItem(KEY)

/** Exchanges the code of the address for a session. Fails with Refused. */
export async function logIn(code: string): Promise<void> {
  const answer = await send('POST', '/session', { code })
  const { key } = (await answer.json()) as { key: string }
  localStorage.setItem(KEY, key)
}

export async function logOut(): Promise<void> {
  await send('DELETE', '/session').catch(() => {})
  localStorage.removeItem(KEY)
  whenOut()
}

interface Options {
  readonly signal?: AbortSignal | undefined
  /** Where it is not POST. */
  readonly method?: 'DELETE'
}

/** Fails with Refused, or a TypeError where `box up` is not there. */
export async function ask<T>(path: string, options: Options = {}): Promise<T> {
  return (await (await send('GET', path, undefined, options)).json()) as T
}

export async function tell<T>(path: string, body: object, options: Options = {}): Promise<T> {
  const { method = 'POST' } = options
  return (await (await send(method, path, body, options)).json()) as T
}

async function send(
  method: string,
  path: string,
  body?: object,
  { signal }: Options = {},
): Promise<Response> {
  const answer = await fetch(path, {
    method,
    headers: {
      'x-box-key': ownKey() ?? '',
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  })
  if (answer.ok) return answer
  const said = (await answer.json().catch(() => null)) as {
    error?: { code: string; message: string }
  } | null
  const { code = 'UNKNOWN', message: text = `It answers ${answer.status}.` } = said?.error ?? {}
  if (answer.status === 401) whenOut()
  throw new Refused(answer.status, code, text)
}

/** Calls for each JSON line of an answer until it ends. */
export async function tellLines<T>(
  path: string,
  body: object,
  each: (value: T) => void,
  options: Options = {},
): Promise<void> {
  const answer = await send('POST', path, body, options)
  for await (const line of pieces(answer, '\n')) if (line !== '') each(JSON.parse(line) as T)
}

/** Calls for each server-sent event until it ends. */
export async function listen(
  path: string,
  each: (event: string, data: unknown) => void,
  options: Options = {},
): Promise<void> {
  const answer = await send('GET', path, undefined, options)
  for await (const block of pieces(answer, '\n\n')) {
    const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? []
    if (event !== undefined) each(event, JSON.parse(data!))
  }
}

interface Hearing {
  /** What comes; false where it was the last. */
  readonly hear: (event: string, data: unknown) => boolean
  /** Nothing comes at the moment, and why; told once for each reason. */
  readonly lost: (why: string) => void
  readonly signal: AbortSignal
}

/** Calls for each server-sent event, and asks again where they break off, until the last or a refusal. */
export async function stayTuned(path: string, { hear, lost, signal }: Hearing): Promise<void> {
  let told = ''
  while (!signal.aborted) {
    let why = 'box up has ended.'
    let isLast = false
    let isRefused = false
    const each = (event: string, data: unknown) => {
      told = ''
      isLast = !hear(event, data) || isLast
    }
    try {
      await listen(path, each, { signal })
    } catch (error) {
      if (signal.aborted) return
      isRefused = error instanceof Refused
      why = reasonOf(error)
    }
    if (isLast) return
    // Whoever reads by ear hears it once.
    if (told !== why) lost(why)
    told = why
    if (isRefused) return
    await new Promise(resolve => setTimeout(resolve, AGAIN_MS))
  }
}

async function* pieces({ body }: Response, end: string): AsyncGenerator<string> {
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    text += value
    const whole = text.split(end)
    text = whole.pop()!
    yield* whole
  }
}

/** What went wrong, for people. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof Refused) return error.message
  if (error instanceof TypeError) return 'box up does not answer on this machine.'
  throw error
}
