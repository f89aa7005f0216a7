/**
 * What a file is called where it arrives: what somebody else wrote names one file in the directory that was chosen, never
 * another place, never a hidden one, and cannot steer a terminal.
 */

/** File systems allow 255 bytes; a partial file beside it has a longer name. */
export const FILE_NAME_BYTES_MAX = 180
const FALLBACK = 'file'
/** Control characters, those that turn the direction of writing around, what separates directories, and what shells of Windows refuse. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029/\\:*?"<>|]/gu
const encoder = new TextEncoder()

/** A name that is safe to make a file of, as near to the given one as that goes. */
export function safeFileName(text: string): string {
  const tidy = text
    .normalize('NFC')
    .replace(UNSAFE, '_')
    .replace(/^[.\s]+/u, '')
    .replace(/[.\s]+$/u, '')
  const name = shortened(tidy)
  return name === '' ? FALLBACK : name
}

/** The ending is kept, since it says what to open it with. */
function shortened(name: string): string {
  const [ending = ''] = /\.[A-Za-z0-9]{1,10}$/.exec(name) ?? []
  let stem = [...name.slice(0, name.length - ending.length)]
  while (stem.length > 0 && encoder.encode(stem.join('') + ending).length > FILE_NAME_BYTES_MAX)
    stem = stem.slice(0, -1)
  return stem.join('') + ending
}
