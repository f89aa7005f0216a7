/** Times on the wire: microseconds since 1970 in a u64, all ones for never (gnunet_time_lib.h). */

export const NEVER = 0xffff_ffff_ffff_ffffn

/** Milliseconds as the wire has them; Infinity becomes NEVER. */
export const toMicros = (ms: number): bigint =>
  ms === Infinity ? NEVER : BigInt(Math.max(0, Math.round(ms * 1_000)))

/** Microseconds of the wire as milliseconds; NEVER becomes Infinity. */
export const toMs = (micros: bigint): number =>
  micros === NEVER ? Infinity : Number(micros / 1_000n)
