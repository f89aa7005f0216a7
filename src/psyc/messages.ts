/**
 * The framed form of PSYC for CADET: a message is a frame (691) of parts, METHOD, then modifiers, then data,
 * then END or CANCEL. Numbers and layouts are those of GNUnet's former psyc service (gnunet_protocols.h
 * still reserves them).
 */

import { items, struct, textNul } from '../wire/fields.ts'
import { bytes, counted, lengthOf, list, message, rest, u8, u16, u32, u64 } from '../wire/layout.ts'

/** A message of a place, or a fragment of one: what its parts belong to, then the parts. */
export const PsycMessage = message('PSYC_MESSAGE', 691, {
  flags: u32,
  messageId: u64,
  fragmentOffset: u64,
  /** Who said it; zero where that was the host of the place. */
  author: bytes(32),
  parts: rest,
})

/** A message outside of a place (a request to enter, and its answer): parts only. */
export const PsycMessagePlain = message('PSYC_MESSAGE (plain)', 691, { parts: rest })

/** The first part. */
export const PsycMethod = message('PSYC_METHOD', 693, {
  flags: u32,
  stateDelta: u64,
  name: textNul,
})

/** A modifier: its operator, its name and as much of its value as fits. */
export const PsycModifier = message('PSYC_MODIFIER', 694, {
  valueSize: u32,
  /** With its NUL. */
  nameSize: u16,
  operator: u8,
  name: textNul,
  value: rest,
})

/** More of the value. */
export const PsycModifierContinued = message('PSYC_MODIFIER_CONT', 695, { value: rest })
/** Some of the data. */
export const PsycData = message('PSYC_DATA', 696, { data: rest })
/** The message is whole. */
export const PsycEnd = message('PSYC_END', 697, {})
/** The message is taken back. */
export const PsycCancel = message('PSYC_CANCEL', 698, {})

// What the members of a place say to each other. These numbers are ours alone: the original's multicast
// (750 to 762) was a star without a key for the group, and signed what must not be provable.

/**
 * The only thing that travels on the channels of a place: one of the messages below, and as many zeros as
 * make it one of few sizes (padding.ts).
 */
export const PlaceCell = message('PLACE_CELL', 0xbd40, {
  bodySize: lengthOf('body', u16),
  body: counted('bodySize'),
  padding: rest,
})

/** A member of the tree: its peer, and the zone it proves there. */
export const treeNode = struct('TREE_NODE', { peer: bytes(32), zone: bytes(36) })

/** To a parent: let me be your child. `next` is the first fragment I lack. */
export const PlaceAttach = message('PLACE_ATTACH', 0xbd41, {
  /** 1: others may hang below me; 2: nobody took me to whom you have sent me. */
  flags: u8,
  place: bytes(32),
  next: u64,
  self: treeNode,
  ticket: rest,
})

/** Bits of the flags of a PLACE_ATTACH. */
export const ATTACH = { relay: 1, stuck: 2 } as const

/** From a parent: you are. The ancestors are mine and I, the host first. */
export const PlaceAttached = message('PLACE_ATTACHED', 0xbd42, {
  last: u64,
  ancestors: items(treeNode),
})

/** From a parent: I am full, or not attached myself; ask these. */
export const PlaceRedirect = message('PLACE_REDIRECT', 0xbd43, { nodes: items(treeNode) })

/** From a parent: your ticket is not valid; enter again. */
export const PlaceTicketRefused = message('PLACE_TICKET_REFUSED', 0xbd44, {})

/** From a parent: I am here, and this is what there is. */
export const PlaceBeat = message('PLACE_BEAT', 0xbd45, { last: u64, ancestors: items(treeNode) })

/** From a parent: the next fragment, and how often it was forwarded. */
export const PlaceForward = message('PLACE_FORWARD', 0xbd46, { hop: u32, fragment: rest })

/** To a parent: give me everything from here on, again. */
export const PlaceReplay = message('PLACE_REPLAY', 0xbd47, { next: u64 })

/** From a parent: what you want is forgotten; what there is begins here. Enter again. */
export const PlaceForgotten = message('PLACE_FORGOTTEN', 0xbd48, { first: u64 })

/** To the host: let me in. `agreement` is the X25519 key to which keys are sealed; `parts` a framed message. */
export const PlaceEnter = message('PLACE_ENTER', 0xbd49, {
  place: bytes(32),
  agreement: bytes(32),
  self: treeNode,
  parts: rest,
})

/** From the host: you are in. What follows is the state, `snapshotSize` bytes of it. */
export const PlaceAdmitted = message('PLACE_ADMITTED', 0xbd4a, {
  /** The last fragment that is in the snapshot, and its hash. */
  id: u64,
  hash: bytes(32),
  /** After this fragment the chain begins that this member may have. */
  startId: u64,
  startHash: bytes(32),
  /** The first fragment the host still has. */
  first: u64,
  generation: u32,
  key: bytes(32),
  snapshotSize: u32,
  ticketSize: lengthOf('ticket', u16),
  ticket: counted('ticketSize'),
  relays: items(treeNode),
})

/** From the host: some of the state. */
export const PlaceSnapshot = message('PLACE_SNAPSHOT', 0xbd4b, { bytes: rest })

/** From the host: you are not let in; a framed message says more. */
export const PlaceRefused = message('PLACE_REFUSED', 0xbd4c, { parts: rest })

/** To the host: say this to everybody, once however often I ask. */
export const PlaceTalk = message('PLACE_TALK', 0xbd4d, {
  place: bytes(32),
  tag: bytes(16),
  parts: rest,
})

/**
 * From the host: it is said (0), or it is not (1: not a member, 2: not allowed here, 3: malformed, 4: too much
 * at once, 5: too long, 6: the host cannot write it down).
 */
export const PlaceTalked = message('PLACE_TALKED', 0xbd4e, { tag: bytes(16), status: u16 })

/** The status of a PLACE_TALKED. */
export const TALKED = {
  done: 0,
  stranger: 1,
  refused: 2,
  malformed: 3,
  tooFast: 4,
  tooLong: 5,
  failed: 6,
} as const

/** To the host: I leave. */
export const PlaceLeave = message('PLACE_LEAVE', 0xbd4f, { place: bytes(32) })

/** A link of the chain that a place is: signed by the place, encrypted for its members. */
export const PlaceFragment = message('PLACE_FRAGMENT', 0xbd50, {
  id: u64,
  /** 0 content, 1 a new key for the group, 2 another key signs from here on, 3 keys that signed. */
  kind: u8,
  generation: u32,
  /** The hash of the fragment before. */
  previous: bytes(32),
  signature: bytes(64),
  body: rest,
})

/** Inside a fragment of content, encrypted, with zeros behind. */
export const PlaceContent = message('PLACE_CONTENT', 0xbd51, {
  /** 1 the first, 2 the last of its message. */
  flags: u8,
  /** Milliseconds since 1970. */
  at: u64,
  partsSize: lengthOf('parts', u16),
  parts: counted('partsSize'),
  padding: rest,
})

/** A key, sealed for one member, which `hint` lets it find. */
export const sealedKey = struct('SEALED_KEY', { hint: bytes(8), sealed: bytes(48) })

/** Inside a fragment that brings a new key; readable by relays, which must know whose tickets are void. */
export const PlaceRekey = message('PLACE_REKEY', 0xbd52, {
  /** With which the key is sealed to the members. */
  ephemeral: bytes(32),
  revokedCount: lengthOf('revoked', u16),
  revoked: list(u64, 'revokedCount'),
  /** The new key under the old (nobody left), the old under the new (history is open); 48 bytes or none. */
  forwardSize: lengthOf('forward', u8),
  forward: counted('forwardSize'),
  backSize: lengthOf('back', u8),
  back: counted('backSize'),
  keyCount: lengthOf('keys', u16),
  keys: list(sealedKey, 'keyCount'),
})

/** What proves to a relay that somebody is a member; signed by the place. */
export const PlaceTicket = message('PLACE_TICKET', 0xbd53, {
  place: bytes(32),
  zone: bytes(36),
  serial: u64,
  /** The first fragment its holder may be given. */
  since: u64,
  /** Milliseconds since 1970. */
  until: u64,
  signature: bytes(64),
})

// Of deniable places alone.

/** Inside a fragment that ends an epoch, readable by relays: who signs from the next one on. */
export const PlaceEpoch = message('PLACE_EPOCH', 0xbd54, { key: bytes(32) })

/** Inside a fragment, readable by relays: the secret halves of keys that have signed, for everybody to use. */
export const PlacePublished = message('PLACE_PUBLISHED', 0xbd55, { seeds: items(bytes(32)) })

/** To the host: what is true? `next` is the first fragment I lack. */
export const PlaceConfirm = message('PLACE_CONFIRM', 0xbd56, { place: bytes(32), next: u64 })

/** The last fragment of an epoch, or of all, and the hash of what is signed in it. */
export const epochEnd = struct('EPOCH_END', { id: u64, digest: bytes(32) })

/** From the host, to one member at a time, before a PLACE_ADMITTED or alone: this is the chain, by my word. */
export const PlaceEpochs = message('PLACE_EPOCHS', 0xbd57, {
  /** The ends go back to after this fragment. */
  startId: u64,
  /** Who signs what comes after the last end. */
  key: bytes(32),
  /** Who signs tickets. */
  ticketKey: bytes(32),
  /** For so long at least neither that key is published, nor one that comes after it. */
  leaseMs: u32,
  ends: items(epochEnd),
})
