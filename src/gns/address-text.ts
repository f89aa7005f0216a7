/** IP addresses between bytes and text (RFC 791, RFC 4291, RFC 5952). */

const GROUPS = 8

/** Dotted decimal. */
export const ipv4Text = (bytes: Uint8Array): string => bytes.join('.')

/** The four bytes; null where the text is no address. */
export function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split('.')
  const isByte = (part: string) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256
  return parts.length === 4 && parts.every(isByte) ? Uint8Array.from(parts, Number) : null
}

/** In the one canonical form: lower case, the longest run of zeros left out. */
export function ipv6Text(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const groups = Array.from({ length: GROUPS }, (_, at) => view.getUint16(2 * at))
  let [from, length] = [0, 0]
  for (let at = 0; at < GROUPS; at++) {
    let end = at
    while (end < GROUPS && groups[end] === 0) end++
    if (end - at > length) [from, length] = [at, end - at]
  }
  const hex = (part: readonly number[]) => part.map(group => group.toString(16)).join(':')
  if (length < 2) return hex(groups)
  return `${hex(groups.slice(0, from))}::${hex(groups.slice(from + length))}`
}

/** The sixteen bytes; null where the text is no address. Zones (`%eth0`) are none of an address. */
export function parseIpv6(text: string): Uint8Array | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const [before, after] = halves.map((half, at) => groupsOf(half, at === halves.length - 1))
  if (!before || after === null || text === '') return null
  const missing = GROUPS - before.length - (after?.length ?? 0)
  if (after === undefined ? missing !== 0 : missing < 1) return null
  const bytes = new Uint8Array(2 * GROUPS)
  const view = new DataView(bytes.buffer)
  before.forEach((group, at) => {
    view.setUint16(2 * at, group)
  })
  after?.forEach((group, at) => {
    view.setUint16(2 * (before.length + missing + at), group)
  })
  return bytes
}

/** The 16-bit groups of one side of a `::`; an IPv4 address at the very end counts as two. */
function groupsOf(text: string, isLast: boolean): number[] | null {
  if (text === '') return []
  const parts = text.split(':')
  const tail = isLast ? parseIpv4(parts.at(-1)!) : null
  if (tail) parts.pop()
  if (!parts.every(part => /^[0-9a-f]{1,4}$/i.test(part))) return null
  const groups = parts.map(part => Number.parseInt(part, 16))
  if (tail) groups.push((tail[0]! << 8) | tail[1]!, (tail[2]! << 8) | tail[3]!)
  return groups.length <= GROUPS ? groups : null
}
