/**
 * Which paths a bundle may name: absolute, written in the one plain way, below one of the allowed roots.
 * What the path really leads to (symbolic links) only the device can see: agent/apply checks it there.
 */

/** Where bundles may put files unless the device's configuration says otherwise. */
export const DEFAULT_ROOTS: readonly string[] = [
  '/etc',
  '/home',
  '/opt',
  '/root',
  '/srv',
  '/usr/local',
  '/var/lib',
  '/www',
]

/** Linux allows 4096; what people write is far shorter, and we add to the last name. */
export const PATH_BYTES_MAX = 1_024
/** File systems allow 255 bytes; the rest is for our marks of unfinished files. */
const NAME_BYTES_MAX = 230

const encoder = new TextEncoder()

/** What is wrong with a path, as the end of a sentence; null where nothing is. */
export function pathFault(path: string): string | null {
  if (!path.startsWith('/')) return 'is not absolute'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'has control characters in it'
  if (encoder.encode(path).length > PATH_BYTES_MAX) return 'is too long'
  const names = path.slice(1).split('/')
  if (names.includes('..')) return 'has ".." in it'
  if (names.some(name => name === '' || name === '.'))
    return 'is not written plainly (no "//", no "/./", no "/" at the end)'
  if (names.some(name => encoder.encode(name).length > NAME_BYTES_MAX)) return 'has a name too long'
  return null
}

/** The root of the list that a path lies below; the path itself does not count. The longest wins. */
export function rootOf(path: string, roots: readonly string[]): string | null {
  const above = roots.filter(root => path.startsWith(root === '/' ? root : `${root}/`))
  return above.toSorted((a, b) => b.length - a.length)[0] ?? null
}
