/**
 * Where the services of a GNUnet installation listen, from its configuration (util/configuration.c,
 * util/os_installation.c): the defaults it ships, then the file of the peer, read as GNUnet reads them.
 *
 * Paths are expanded with the section PATHS, then the environment. The runtime directory hangs on TMPDIR by
 * default, and the daemon may have had another one than we: both are looked at.
 */

import { BoxError } from '../../base/errors.ts'

/** What is known of the machine: an argument, since this layer reads no files. */
export interface Installation {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The text of a file; null where there is none, or none that we may read. */
  read(path: string): string | null
  /** Names of the files in a directory; none where it cannot be read. */
  list(directory: string): readonly string[]
  exists(path: string): boolean
  /** The group of a file, by name; null where there is none. */
  groupOf(path: string): string | null
  /** What the tools of the installation say they are (`0.19.3`); null where there are none. */
  version(): string | null
}

/** A daemon's sockets, and what its configuration says that clients need. */
export interface Daemon {
  /** Its configuration file; null where only the defaults hold. */
  readonly file: string | null
  /** Where a service listens. */
  socket(service: string): string
  /** The suffixes for which a zone is configured: `.pin = ZTLD`, without the dot. */
  readonly tlds: ReadonlyMap<string, string>
}

/** Where distributions put the defaults. */
const DEFAULTS = ['/usr/share/gnunet/config.d', '/usr/local/share/gnunet/config.d']
const SYSTEM_FILES = ['/etc/gnunet.conf', '/var/run/gnunet/gnunet.conf']
/** As shipped since 0.19 (util.conf): used where the defaults are not installed, as in a container. */
const BUILT_IN = `
[PATHS]
GNUNET_RUNTIME_DIR = \${TMPDIR:-\${TMP:-/tmp}}/gnunet-system-runtime/
GNUNET_USER_RUNTIME_DIR = \${TMPDIR:-\${TMP:-/tmp}}/gnunet-\${USERHOME:-\${USER:-user}}-runtime/
`
/** Services of the user's part of an installation (RUN_PER_USER). */
const PER_USER = ['arm', 'identity', 'namestore', 'zonemaster']
/** A path that needs more is a circle. */
const DEPTH_MAX = 16
const INLINE_MAX = 8

type Sections = Map<string, Map<string, string>>

/** The daemon of a configuration file, or the one that is found. Throws CONFIG_INVALID, GNUNET_ABSENT. */
export function findDaemon(installation: Installation, file: string | null): Daemon {
  if (file !== null) {
    const text = installation.read(file)
    if (text === null) throw new BoxError('CONFIG_INVALID', `${file} cannot be read.`)
    const daemons = daemonsOf(installation, file)
    return daemons.find(daemon => installation.exists(daemon.socket('core'))) ?? daemons[0]!
  }
  const looked: string[] = []
  for (const candidate of candidates(installation))
    for (const daemon of daemonsOf(installation, candidate)) {
      const socket = daemon.socket('core')
      if (installation.exists(socket)) return daemon
      if (!looked.includes(socket)) looked.push(socket)
    }
  throw new BoxError('GNUNET_ABSENT', `No socket at ${looked.join(', ')}.`)
}

/** The user's own peer first, then the machine's. */
function candidates({ env, exists }: Installation): readonly (string | null)[] {
  const home = env.XDG_CONFIG_HOME ?? (env.HOME ? `${env.HOME}/.config` : null)
  const files = [...(home ? [`${home}/gnunet.conf`] : []), ...SYSTEM_FILES]
  return [...files.filter(exists), null]
}

/** The daemon with our environment, and with one that sets no TMPDIR. */
function daemonsOf(installation: Installation, file: string | null): readonly Daemon[] {
  const { TMPDIR: _tmpdir, TMP: _tmp, ...env } = installation.env
  const sections = readAll(installation, file)
  return [installation.env, env].map(environment => ({
    file,
    socket: service => socketPath(sections, environment, service),
    tlds: tldsOf(sections),
  }))
}

function socketPath(sections: Sections, env: Installation['env'], service: string): string {
  const directory = PER_USER.includes(service) ? '$GNUNET_USER_RUNTIME_DIR' : '$GNUNET_RUNTIME_DIR'
  const path = sections.get(service)?.get('UNIXPATH')
  return expand(path ?? `${directory}/gnunet-service-${service}.sock`, sections, env).replaceAll(
    /\/{2,}/g,
    '/',
  )
}

function tldsOf(sections: Sections): ReadonlyMap<string, string> {
  const tlds = new Map<string, string>()
  for (const [key, value] of sections.get('gns') ?? [])
    if (key.startsWith('.')) tlds.set(key.slice(1).toLowerCase(), value)
  return tlds
}

function readAll(installation: Installation, file: string | null): Sections {
  const sections: Sections = new Map()
  parseConfiguration(BUILT_IN, sections, () => null)
  for (const directory of DEFAULTS)
    for (const name of installation.list(directory).filter(name => name.endsWith('.conf')))
      parseConfiguration(installation.read(`${directory}/${name}`) ?? '', sections, () => null)
  if (file !== null)
    parseConfiguration(installation.read(file) ?? '', sections, path => installation.read(path))
  return sections
}

/** Adds what a configuration file says; lines that GNUnet would refuse are skipped. */
export function parseConfiguration(
  text: string,
  sections: Sections,
  inline: (path: string) => string | null,
  depth = 0,
): void {
  let section: Map<string, string> | null = null
  for (const untrimmed of text.split('\n')) {
    const line = untrimmed.trim()
    const [, included] = /^@INLINE@\s+(.+)$/i.exec(line) ?? []
    const [, name] = /^\[(.+)\]$/.exec(line) ?? []
    const [, key, value] = /^([^=#%]+?)\s*=\s*(.*)$/.exec(line) ?? []
    if (included !== undefined && depth < INLINE_MAX)
      parseConfiguration(inline(included) ?? '', sections, inline, depth + 1)
    else if (name !== undefined) {
      // Sections are compared without case (strcasecmp).
      const known = name.toUpperCase() === 'PATHS' ? 'PATHS' : name.toLowerCase()
      section = sections.get(known) ?? new Map()
      sections.set(known, section)
    } else if (key !== undefined) section?.set(key.toUpperCase(), unquoted(value!))
  }
}

const unquoted = (value: string): string => /^"(.*)"$/.exec(value)?.[1] ?? value

/** `$VAR`, `${VAR}` and `${VAR:-default}`, from PATHS first and the environment second. */
export function expand(
  text: string,
  sections: Sections,
  env: Installation['env'],
  depth = 0,
): string {
  const at = text.indexOf('$')
  if (at < 0 || depth > DEPTH_MAX) return text
  const head = text.slice(0, at)
  const { name, fallback, rest } = variableAt(text, at + 1)
  // Its own: a file may ask for $constructor.
  const known = Object.hasOwn(env, name) ? env[name] : undefined
  const found = sections.get('PATHS')?.get(name.toUpperCase()) ?? known
  const value = found ?? fallback
  // A variable nobody knows stands as it is, as in GNUnet.
  const inserted = value === null ? text.slice(at, text.length - rest.length) : value
  const expanded = value === null ? inserted : expand(inserted, sections, env, depth + 1)
  return head + expanded + expand(rest, sections, env, depth + 1)
}

function variableAt(
  text: string,
  start: number,
): { name: string; fallback: string | null; rest: string } {
  if (text[start] !== '{') {
    const [name = ''] = /^\w*/.exec(text.slice(start)) ?? []
    return { name, fallback: null, rest: text.slice(start + name.length) }
  }
  let depth = 1
  let end = start + 1
  for (; end < text.length && depth > 0; end++) {
    if (text[end] === '{') depth++
    if (text[end] === '}') depth--
  }
  const inside = text.slice(start + 1, end - 1)
  const split = inside.indexOf(':-')
  return split < 0
    ? { name: inside, fallback: null, rest: text.slice(end) }
    : { name: inside.slice(0, split), fallback: inside.slice(split + 2), rest: text.slice(end) }
}
