/** How much may be under way in a channel: what both windows must agree on. */

import { OPTIONS_RELIABLE } from './messages.ts'

/** GNUnet keeps so many messages ahead (max_pending_messages), and says nothing about it. */
export const WINDOW_GNUNET = 4

/** Ours, among ourselves: as many as an acknowledgement has bits for. */
export const WINDOW_OURS = 64

/** Ours: bytes not yet taken by the receiver's client; a long fat line takes 10 MiB/s over 200 ms so. */
export const WINDOW_BYTES = 2 * 1_024 * 1_024

/**
 * Ours, among ourselves: so long an acknowledgement waits for data to travel with, where nothing is missing and
 * little came since the last one. It costs as much as a message, at both ends. Less than any wait before a repetition,
 * also of versions that do not know of it.
 */
export const ACKNOWLEDGED_WITHIN_MS = 25
/** ...and no longer than this many messages or bytes: whoever has few under way is not to stand still. */
export const UNACKNOWLEDGED_MAX = WINDOW_GNUNET
export const UNACKNOWLEDGED_BYTES_MAX = 16 * 1_024

const WINDOW_BITS = 0xffff

/** The options of CHANNEL_OPEN that also say how many messages ahead we keep. */
export const OPEN_OPTIONS = OPTIONS_RELIABLE | WINDOW_OURS

/** The window that the options of an OPEN, or the reserved field of an OPEN_ACK, speak of. */
export const windowOf = (field: number): number =>
  Math.max(WINDOW_GNUNET, Math.min(WINDOW_OURS, field & WINDOW_BITS))
