/**
 * How far the rights of a grant go: as which users, which commands, which files, where forwarding leads; and on
 * which conditions.
 */

/** What narrows the rights; null does not. */
export interface Scope {
  /**
   * As which users of the machine shells, commands, files and forwarding are had; null: as whoever the agent runs as,
   * and for its owners as any, where the agent can.
   */
  readonly users: readonly string[] | null
  /** Which commands, word for word; a `*` at the end stands for plain words. */
  readonly commands: readonly string[] | null
  /** Below which directories files may be reached, from the root. */
  readonly paths: readonly string[] | null
  /** Where forwarding may lead, and what may be listened on (see `target` and `listening`). */
  readonly targets: readonly string[] | null
  /** What is done is recorded, or not done. */
  readonly recorded: boolean
  /** What is done is approved by another person (approval.ts), or not done. */
  readonly approved: boolean
}

/** The parts that narrow by what they name. */
const LISTS = ['users', 'commands', 'paths', 'targets'] as const

export const WHOLE_SCOPE: Scope = {
  ...{ users: null, commands: null, paths: null, targets: null },
  ...{ recorded: false, approved: false },
}

/** Of whoever has no grant, or none any more. */
export const NO_SCOPE: Scope = {
  ...{ users: [], commands: [], paths: [], targets: [] },
  ...{ recorded: true, approved: true },
}

/** What `*` may stand for: words a shell takes as they are, so that nothing else can follow. */
const PLAIN_WORDS = /^[\w@%+=:,./ -]*$/

export function allowsCommand({ commands }: Scope, command: string): boolean {
  if (commands === null) return true
  return commands.some(pattern => {
    if (!pattern.endsWith('*')) return pattern === command
    const begin = pattern.slice(0, -1)
    return command.startsWith(begin) && PLAIN_WORDS.test(command.slice(begin.length))
  })
}

export const allowsUser = ({ users }: Scope, user: string): boolean =>
  users === null || users.includes(user)

/** Whether it is for this user: one that it names or, where it names none, whoever the agent runs as. */
export const isForUser = (scope: Scope, user: string, isOwn: boolean): boolean =>
  scope.users === null ? isOwn : allowsUser(scope, user)

/** An end of a forwarding: a host and a port, or the path of a Unix socket. */
export type Endpoint = { readonly host: string; readonly port: number } | { readonly path: string }

/** Whether a connection may be made: `host:port`, with `*` for any of either, or the path. */
export const allowsTarget = ({ targets }: Scope, endpoint: Endpoint): boolean =>
  targets === null || targets.some(pattern => fits(pattern, endpoint))

/** Whether the device may listen: `listen:port`, `listen:*` or `listen:/path`. */
export const allowsListening = ({ targets }: Scope, endpoint: Endpoint): boolean =>
  targets === null ||
  targets.some(
    pattern => pattern.startsWith(LISTEN) && fits(`*:${pattern.slice(LISTEN.length)}`, endpoint),
  )

const LISTEN = 'listen:'

function fits(pattern: string, endpoint: Endpoint): boolean {
  if ('path' in endpoint) return pattern === endpoint.path || pattern === `*:${endpoint.path}`
  if (pattern.startsWith(LISTEN)) return false
  const colon = pattern.lastIndexOf(':')
  const host = pattern.slice(0, colon).toLowerCase()
  const port = pattern.slice(colon + 1)
  return (
    (host === '*' || host === endpoint.host.toLowerCase()) &&
    (port === '*' || port === `${endpoint.port}`)
  )
}

/** A scope as JSON has it; what is missing narrows nothing. Throws TypeError. */
export function parseScope(value: unknown): Scope {
  const given = (value ?? {}) as Partial<Record<keyof Scope, unknown>>
  const list = (name: (typeof LISTS)[number]): readonly string[] | null => {
    const texts = given[name] ?? null
    if (texts === null) return null
    if (Array.isArray(texts) && texts.every(text => typeof text === 'string')) return texts
    throw new TypeError(`${name} is no list of texts`)
  }
  const truth = (name: 'recorded' | 'approved'): boolean => {
    const said = given[name] ?? false
    if (typeof said === 'boolean') return said
    throw new TypeError(`${name} is neither true nor false`)
  }
  return {
    users: list('users'),
    commands: list('commands'),
    paths: list('paths'),
    targets: list('targets'),
    recorded: truth('recorded'),
    approved: truth('approved'),
  }
}

/** Whether nothing is narrowed. */
export const reachesAll = (scope: Scope): boolean => LISTS.every(name => scope[name] === null)

/** Whether nothing is narrowed, and nothing demanded. */
export const isWhole = (scope: Scope): boolean => reachesAll(scope) && !makesDemands(scope)

/** Whether it asks for what a device that does not know of it would not do. */
export const makesDemands = ({ recorded, approved, users }: Scope): boolean =>
  recorded || approved || users !== null

/** What narrows it, without what is demanded. */
export const scopeLists = ({ users, commands, paths, targets }: Scope) => ({
  ...{ users, commands, paths, targets },
})

/** What narrows it, for people. */
export const scopeWords = (scope: Scope): string =>
  [
    ...LISTS.flatMap(name => scope[name] ?? []),
    ...(scope.recorded ? ['recorded'] : []),
    ...(scope.approved ? ['approved'] : []),
  ].join(' ')
