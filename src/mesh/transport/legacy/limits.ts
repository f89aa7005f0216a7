/** Times and sizes of the legacy transport: first what GNUnet prescribes, then what we chose. */

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

// Of the specification (gnunet_constants.h, gnunet-service-transport_*.c, v0.20.0).

/** A link on which nothing arrives for so long is dead. */
export const IDLE_TIMEOUT_MS = 5 * MINUTE
/** A daemon sends a KEEPALIVE so often: a third of the timeout. */
export const KEEPALIVE_PERIOD_MS = IDLE_TIMEOUT_MS / 3
/** How long SYN, SYN_ACK and ACK may take. */
export const SETUP_TIMEOUT_MS = 15 * SECOND
/** For how long an address of a HELLO holds, ours as well as one that was validated. */
export const ADDRESS_LIFETIME_MS = 12 * HOUR
/** For how long a signed PONG holds; it is made anew when a quarter is left. */
export const PONG_LIFETIME_MS = HOUR
/** Slower than this nobody has to send, whatever quota is announced (DEFAULT_BW_IN_OUT). */
export const QUOTA_BYTES_MIN = 1024 * 1024
/** A quota of all ones is no quota. */
export const QUOTA_NONE = 0xffff_ffff

// Ours: how soon a link that matters is known to be dead.

/** A device that moved must be back within 30 s, so its hubs are asked this often whether they hear it. */
export const WANTED_PERIOD_MS = 10 * SECOND
/** How long an answer may take before we doubt the link, dial beside it, and ask again. */
export const ANSWER_TIMEOUT_MS = 2 * SECOND
/** So many questions in a row without an answer, and the link is dead: 6 s after the first doubt. */
export const ANSWERS_MISSED_MAX = 3

// Ours: dialling.

/** The first attempt to come back is almost immediate: most interruptions are short. */
export const REDIAL_MIN_MS = 250
/** A device must be back 30 s after its hub is; with jitter this leaves time for the handshakes. */
export const REDIAL_MAX_MS = 15 * SECOND
/** From one address of a peer to the next, while the first is still silent (RFC 8305 section 8). */
export const STAGGER_MS = 250
/** How long a connection may take to open and to bring its WELCOME. */
export const DIAL_TIMEOUT_MS = 10 * SECOND
/** A SYN that was not answered so long may have met a daemon that still believes in our old connection. */
export const SYN_REPEAT_MS = SECOND
/** What a daemon needs to clear away a link after our DISCONNECT, before it may see our SYN. */
export const AFTER_DISCONNECT_MS = 100
/** Peers nobody asked for are dialled until there are so many links: enough for a mesh, few for a router. */
export const LINKS_WISHED = 4
/** Commands that live for seconds shall not dial strangers. */
export const STRANGERS_AFTER_MS = 15 * SECOND
export const STRANGERS_PERIOD_MS = 30 * SECOND
export const STRANGER_RETRY_MIN_MS = MINUTE
export const STRANGER_RETRY_MAX_MS = HOUR

// Ours: against floods and forgetfulness.

/** File descriptors are 1,024 in many places. */
export const SESSIONS_MAX = 800
/** Many devices may sit behind one NAT; more than that is an attack. */
export const SESSIONS_PER_HOST_MAX = 64
/** Accepted connections that have not said who they are. */
export const STRANGE_SESSIONS_MAX = 64
export const GREETING_TIMEOUT_MS = 5 * SECOND
/** A connection that began no link: a daemon validating our address keeps it for a while, and may use it. */
export const LINKLESS_TIMEOUT_MS = MINUTE
/** How often connections without a purpose are looked for. */
export const SWEEP_PERIOD_MS = 20 * SECOND
/** Two peers that dial each other at once have two; one more while an old one dies. */
export const SESSIONS_PER_PEER_MAX = 3
/** Bytes that wait for a slow connection before messages are thrown away: a second of a fast line. */
export const BACKLOG_BYTES_MAX = 4 * 1024 * 1024
/** Quotas above this are not worth obeying: we would not reach them. */
export const QUOTA_BYTES_OBEYED = 64 * 1024 * 1024

// Ours: what is remembered.

export const PEERS_MAX = 256
export const ADDRESSES_PER_PEER_MAX = 8
/** Nobody's word is taken for longer than this. */
export const TOLD_LIFETIME_MAX_MS = 30 * 24 * HOUR
/** Flash memory wears out: what can be learned again is written rarely. */
export const SAVE_PERIOD_MS = 30 * MINUTE

/** Our HELLO stays the same for so long: whatever has it signed, published or told would do it again. */
export const HELLO_PERIOD_MS = HOUR

// Ours: validation.

export const VALIDATIONS_AT_ONCE_MAX = 4
export const VALIDATIONS_WAITING_MAX = 64
export const VALIDATION_TIMEOUT_MS = 10 * SECOND
/** An address that did not answer is not tried again before (UNVALIDATED_PING_KEEPALIVE). */
export const VALIDATION_RETRY_MS = 5 * MINUTE
