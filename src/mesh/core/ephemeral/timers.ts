/** The deadlines of a session with a neighbour: one reads here what happens without a message. */

/** While two peers agree on keys, and as long as they use them. */
export interface KeyExchangeTimetable {
  /** Our key was not confirmed: it is sent again. */
  readonly retry: () => void
  /** The peer has had time enough to prove who it is: the link is given up. */
  readonly proof: () => void
  /** Nothing valid has come for long: the peer is asked whether it is there, or given up. */
  readonly silence: () => void
  /** Our key has been used long enough: it is replaced. */
  readonly rekey: () => void
}

/** While a session stands. */
export interface SessionTimetable {
  /** Our type map was not confirmed: it is sent again. */
  readonly typeMap: () => void
}
