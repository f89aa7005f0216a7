/** Chance as the protocol code sees it, so that a simulation can replay it. */

export interface Random {
  bytes(count: number): Uint8Array
  /** A whole number from 0 up to, but not including, `bound` (at most 2^48). */
  below(bound: number): number
}
