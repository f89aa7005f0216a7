/**
 * Names as strings without making them anew each time: a program knows a few hundred keywords, and hears
 * them over and over. A name's place is its hash; another with the same place replaces it, so the table
 * never grows whatever is sent.
 */

const SLOTS = 1_024
/** FNV-1a, 32 bits. */
const FNV_BASIS = 0x811c9dc5
const FNV_PRIME = 0x01000193

/** 1 for the bytes of a keyword: letters, digits, underscore. */
const IS_NAME = new Uint8Array(256)
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_')
  IS_NAME[char.charCodeAt(0)] = 1

export class NameTable {
  private readonly slots: (string | undefined)[] = new Array(SLOTS).fill(undefined)

  /** Where the keyword that begins at `from` ends: at most at `end`. */
  scan(bytes: Uint8Array, from: number, end: number): number {
    let at = from
    while (at < end && IS_NAME[bytes[at]!] === 1) at++
    return at
  }

  /** The keyword between two places, which `scan` has found. */
  name(bytes: Uint8Array, from: number, to: number): string {
    let hash = FNV_BASIS
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME)
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    const known = this.slots[slot]
    if (known !== undefined && isName(known, bytes, from, to)) return known
    const made = String.fromCharCode.apply(null, bytes.subarray(from, to) as unknown as number[])
    this.slots[slot] = made
    return made
  }
}

function isName(name: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) return false
  for (let at = 0; at < name.length; at++)
    if (name.charCodeAt(at) !== bytes[from + at]) return false
  return true
}
