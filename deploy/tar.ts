/** Writes tar archives (POSIX ustar) whose bytes depend on nothing but what goes in. */

export type Entry =
  | { readonly path: string; readonly is: 'folder'; readonly mode?: number }
  | { readonly path: string; readonly is: 'link'; readonly to: string }
  | {
      readonly path: string
      readonly is: 'file'
      readonly content: Uint8Array
      readonly mode?: number
    }

export interface TarOptions {
  /** Further headers of an entry (PAX), as apk has them. */
  readonly extended?: (entry: Entry) => Readonly<Record<string, string>>
  /** Without the two empty blocks that mark the end, where another archive follows. */
  readonly open?: true
}

const BLOCK = 512
/** Of every file, always: Debian takes nothing that is older than Debian. */
const MODIFIED_S = Date.UTC(2026, 0, 1) / 1_000
/** Longer ones would need another header. */
const NAME_MAX = 100
const encoder = new TextEncoder()

/** The archive of these entries, in this order, all of root and of one day. */
export function tar(entries: readonly Entry[], { extended, open }: TarOptions = {}): Uint8Array {
  const parts = entries.flatMap(entry => {
    const more = Object.entries(extended?.(entry) ?? {})
    const records = encoder.encode(more.map(([key, value]) => record(key, value)).join(''))
    const before = records.length > 0 ? [header('x', entry, records.length), padded(records)] : []
    const content = entry.is === 'file' ? entry.content : new Uint8Array(0)
    return [...before, header(typeOf(entry), entry, content.length), padded(content)]
  })
  return new Uint8Array(Buffer.concat([...parts, new Uint8Array(open ? 0 : 2 * BLOCK)]))
}

/** Sorted by path, with the folders that lead to them. */
export function withFolders(entries: readonly Entry[], prefix: string): Entry[] {
  const folders = new Set<string>()
  for (const { path } of entries)
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1))
      folders.add(path.slice(0, at))
  const made = new Set(entries.filter(({ is }) => is === 'folder').map(({ path }) => path))
  const all = [
    ...[...folders].filter(path => !made.has(path)).map(path => ({ path, is: 'folder' as const })),
    ...entries,
  ].toSorted((a, b) => (a.path < b.path ? -1 : 1))
  return all.map(entry => ({ ...entry, path: prefix + entry.path }))
}

const typeOf = ({ is }: Entry): string => ({ file: '0', link: '2', folder: '5' })[is]

function header(type: string, entry: Entry, size: number): Uint8Array {
  const block = Buffer.alloc(BLOCK)
  const path = entry.is === 'folder' ? `${entry.path}/` : entry.path
  if (Buffer.byteLength(path) > NAME_MAX) throw new RangeError(`${path} is too long for a name`)
  const mode = entry.is === 'link' ? 0o777 : (entry.mode ?? (entry.is === 'folder' ? 0o755 : 0o644))
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at)
  block.write(type === 'x' ? 'pax' : path, 0)
  octal(mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(MODIFIED_S, 136, 12)
  block.write('        ', 148)
  block.write(type, 156)
  if (entry.is === 'link' && type !== 'x') block.write(entry.to, 157)
  block.write('ustar\u000000', 257)
  block.write('root', 265)
  block.write('root', 297)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (String(length).length + rest.length !== length)
    length = String(length).length + rest.length
  return `${length}${rest}`
}

function padded(content: Uint8Array): Uint8Array {
  const rest = content.length % BLOCK
  return rest === 0 ? content : Buffer.concat([content, new Uint8Array(BLOCK - rest)])
}
