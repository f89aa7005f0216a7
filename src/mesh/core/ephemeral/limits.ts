/** Times and sizes of CORE with ephemeral keys: first what GNUnet prescribes, then what we chose. */

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

// Of the specification (gnunet-service-core_kx.c, gnunet_constants.h, v0.20.0).

/** How long an ephemeral key is used (REKEY_FREQUENCY). */
export const KEY_LIFETIME_MS = 12 * HOUR
/** By how much clocks may differ (REKEY_TOLERANCE). */
export const CLOCK_TOLERANCE_MS = 5 * MINUTE
/** Messages with an older timestamp are refused (MAX_MESSAGE_AGE). */
export const MESSAGE_AGE_MAX_MS = 24 * HOUR
/** A session in which nothing valid arrives for so long is dead (IDLE_CONNECTION_TIMEOUT). */
export const SESSION_TIMEOUT_MS = 5 * MINUTE
/** When half of that is over, we ask; then at ever shorter intervals, down to this. */
export const PING_PERIOD_MIN_MS = 5 * SECOND
/** What one encrypted message may carry (MAX_ENCRYPTED_MESSAGE_SIZE). */
export const PAYLOAD_SIZE_MAX = 63 * 1024
/** How far behind the newest a message may come (the bits of last_packets_bitmap). */
export const REPLAY_WINDOW = 32
/** One bit for each message type. */
export const TYPE_MAP_SIZE = 8_192

// Ours.

/** The peer that does not begin gives the other so long: it has had our link for as long as we its. */
export const FIRST_KEY_DELAY_MS = 250
/** A key not confirmed is sent again after this, then after twice as long, and so on. GNUnet: 10 s. */
export const KEY_RETRY_MIN_MS = 2 * SECOND
/** Twelve hours after everybody's start would be a storm of key exchanges; so some earlier. */
export const KEY_LIFETIME_JITTER_MS = HOUR
/** No link is kept for somebody who does not prove within this who he is: five round trips are needed. */
export const PROOF_TIMEOUT_MS = 20 * SECOND
/** How often a peer may make us begin anew with a key that we know already. */
export const RENEWAL_PERIOD_MS = 10 * SECOND
/** So many messages in a row have the same seed; see Outbound. */
export const SEED_USES_MAX = 256
/** Long before u32 sequence numbers end. */
export const SEQUENCE_MAX = 2 ** 31
/** Clocks that went this far from each other since the key was made mean that somebody set ours. */
export const CLOCK_JUMP_MS = MINUTE
/** A line in the log about clocks is enough for so long. */
export const CLOCK_COMPLAINT_PERIOD_MS = 10 * MINUTE
/** An unconfirmed type map is sent again soon: it is lost where the peer needs a moment to be up. */
export const TYPE_MAP_RETRY_MIN_MS = 500
export const TYPE_MAP_RETRY_MAX_MS = 5 * MINUTE
/** With more waiting than this, senders are asked to wait... */
export const BACKLOG_HIGH_BYTES = 256 * 1024
/** ...and with more than this their messages are thrown away. */
export const BACKLOG_BYTES_MAX = 1024 * 1024
