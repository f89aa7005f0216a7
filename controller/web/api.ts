/** Asking `box up`: requests with the key of our session, answers that go on, and what went wrong in one form. */

/** Per origin, port included; worth nothing without the cookie, which no script can read. */
const KEY = 'box-key'
const SESSION = '/session'

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

let whenOut = (_why?: string) => {}

/** `out` is called when we are not logged in any more. */
export const watchLogin = (out: (why?: string) => void): void => {
  whenOut = out
}

export const ownKey = (): string | null => localStorage.getItem(KEY)

/** While we log in, whoever asks for something waits for the key. */
let loggingIn: Promise<void> | null = null

/**
 * Exchanges the code of the address for a session. The answer goes on as the events of the fleet, so that nothing
 * has to be asked a second time. Fails with Refused, which is told to `out` as well.
 */
export async function logIn(code: string, each: Each, { signal }: Options): Promise<void> {
  let loggedIn = () => {}
  loggingIn = new Promise(resolve => {
    loggedIn = resolve
  })
  const keep = ({ key }: { readonly key: string }) => {
    localStorage.setItem(KEY, key)
    loggingIn = null
    loggedIn()
  }
  try {
    const answer = await request('POST', SESSION, { code, follow: true }, { signal })
    if (answer.headers.get('content-type')?.startsWith('application/json')) {
      // There are too many listeners already; it is asked for again, as ever.
      keep((await answer.json()) as { key: string })
      return
    }
    await hear(answer, (event, data) =>
      event === 'session' ? keep(data as { key: string }) : each(event, data),
    )
  } catch (error) {
    if (error instanceof Refused) whenOut(error.message)
    throw error
  } finally {
    loggingIn = null
    loggedIn()
  }
}

export async function logOut(): Promise<void> {
  await send('DELETE', SESSION).catch(() => {})
  localStorage.removeItem(KEY)
  whenOut()
}

/** Told of each event, with its data. */
type Each = (event: string, data: unknown) => void

interface Options {
  readonly signal?: AbortSignal | undefined
  /** Where it is not POST. */
  readonly method?: 'DELETE'
}

/** Fails with Refused, or a TypeError where `box up` is not there. */
export async function ask<T>(path: string, options: Options = {}): Promise<T> {
  return (await (await send('GET', path, undefined, options)).json()) as T
}

/** The answer itself, for whoever reads it piece by piece. Fails as `ask`. */
export const fetched = (path: string, options: Options = {}): Promise<Response> =>
  send('GET', path, undefined, options)

export async function tell<T>(path: string, body: object, options: Options = {}): Promise<T> {
  const { method = 'POST' } = options
  return (await (await send(method, path, body, options)).json()) as T
}

async function send(
  method: string,
  path: string,
  body?: object,
  options: Options = {},
): Promise<Response> {
  await loggingIn
  return await request(method, path, body, options)
}

async function request(
  method: string,
  path: string,
  body: object | undefined,
  { signal }: Options,
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
  throw refusedOf(answer.status, await answer.text().catch(() => ''))
}

/** What an answer says that is none. */
export function refusedOf(status: number, text: string): Refused {
  const { code = 'UNKNOWN', message = `It answers ${status}.` } = errorIn(text)
  if (status === 401) whenOut()
  return new Refused(status, code, message)
}

function errorIn(text: string): { readonly code?: string; readonly message?: string } {
  try {
    return (JSON.parse(text) as { error?: object } | null)?.error ?? {}
  } catch {
    return {}
  }
}

/** Calls for each JSON line of an answer until it ends. */
export async function tellLines<T>(
  path: string,
  body: object,
  each: (value: T) => void,
  options: Options = {},
): Promise<void> {
  const answer = await send('POST', path, body, options)
  for await (const lines of pieces(answer, '\n'))
    for (const line of lines) if (line !== '') each(JSON.parse(line) as T)
}

/** Calls for each server-sent event until it ends. */
export async function listen(path: string, each: Each, options: Options = {}): Promise<void> {
  await hear(await send('GET', path, undefined, options), each)
}

async function hear(answer: Response, each: Each): Promise<void> {
  for await (const blocks of pieces(answer, '\n\n'))
    for (const block of blocks) {
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

/** What has become whole, as it comes: a fleet is a few pieces, and thousands of turns if each were awaited. */
async function* pieces({ body }: Response, end: string): AsyncGenerator<readonly string[]> {
  const reader = body!.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    text += decoder.decode(value, { stream: true })
    const whole = text.split(end)
    text = whole.pop()!
    if (whole.length > 0) yield whole
  }
}

/** What went wrong, for people. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof Refused) return error.message
  if (error instanceof TypeError) return 'box up does not answer on this machine.'
  throw error
}
