/** IP addresses as bytes and as people write them (RFC 4291 section 2.2, RFC 5952). */

export const IPV4_SIZE = 4
export const IPV6_SIZE = 16
const GROUPS = 8

/** 4 or 16 bytes; null for anything else than one literal without brackets, zone or port. */
export function parseIp(text: string): Uint8Array | null {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** The shortest spelling: equal addresses give equal texts. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === IPV4_SIZE) return bytes.join('.')
  const groups = Array.from({ length: GROUPS }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!)
  const [start, length] = longestZeros(groups)
  const words = groups.map(group => group.toString(16))
  if (length < 2) return words.join(':')
  return `${words.slice(0, start).join(':')}::${words.slice(start + length).join(':')}`
}

/** Whether a host that somebody told us of can only be that somebody, or us: 127.0.0.0/8, ::1. */
export function isLoopback(host: string): boolean {
  const bytes = parseIp(host)
  if (!bytes) return false
  if (bytes.length === IPV4_SIZE) return bytes[0] === 127
  return bytes[15] === 1 && bytes.subarray(0, 15).every(byte => byte === 0)
}

/** The host of an address as people write it: `192.0.2.1:2086`, `[2001:db8::1]:2086`. */
export const hostOf = (address: string): string =>
  address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')

/** Whether the host stands for every address of a machine: 0.0.0.0, ::. Nobody can dial that. */
export function isUnspecified(host: string): boolean {
  return parseIp(host)?.every(byte => byte === 0) ?? false
}

function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split('.')
  if (parts.length !== IPV4_SIZE) return null
  if (!parts.every(part => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return null
  return Uint8Array.from(parts, Number)
}

function parseIpv6(text: string): Uint8Array | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const head = parseGroups(halves[0]!)
  const tail = halves.length === 2 ? parseGroups(halves[1]!) : []
  if (!head || !tail) return null
  const missing = GROUPS - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail]
  return Uint8Array.from(groups.flatMap(group => [group >> 8, group & 0xff]))
}

/** The 16-bit groups of one side of `::`; the last may be an IPv4 address, two groups long. */
function parseGroups(text: string): number[] | null {
  if (text === '') return []
  const words = text.split(':')
  const groups: number[] = []
  for (const [i, word] of words.entries()) {
    const last = i === words.length - 1 ? parseIpv4(word) : null
    if (last) groups.push((last[0]! << 8) | last[1]!, (last[2]! << 8) | last[3]!)
    else if (/^[0-9a-fA-F]{1,4}$/.test(word)) groups.push(Number.parseInt(word, 16))
    else return null
  }
  return groups
}

/** Where the longest run of zero groups begins and how long it is; of equal runs, the first. */
function longestZeros(groups: readonly number[]): [number, number] {
  let best: [number, number] = [0, 0]
  for (let start = 0; start < GROUPS; start++) {
    let length = 0
    while (start + length < GROUPS && groups[start + length] === 0) length++
    if (length > best[1]) best = [start, length]
  }
  return best
}
