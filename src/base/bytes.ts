/** Byte strings as values: compared, joined, used as keys. */

/** A text that is equal exactly where the bytes are: the key of a Map. Never for people to read. */
export const keyOf = (bytes: Uint8Array): string =>
  String.fromCharCode.apply(null, bytes as unknown as number[])

/** Whether two byte strings are the same. Not for secrets: those need crypto/hash.ts equalSecrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** The order of memcmp: negative where `a` comes first. GNUnet compares pids so (CADET roles). */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

/** All parts, one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(sizeOf(parts))
  put(whole, 0, parts)
  return whole
}

/** Of all parts together, in bytes. */
export function sizeOf(parts: readonly Uint8Array[]): number {
  let size = 0
  for (const { length } of parts) size += length
  return size
}

/** Writes all parts to `into`, one after the other, from there on; returns where they end. */
export function put(into: Uint8Array, from: number, parts: readonly Uint8Array[]): number {
  let at = from
  for (const part of parts) {
    into.set(part, at)
    at += part.length
  }
  return at
}
