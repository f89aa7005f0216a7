/**
 * What controller and device say to each other over a channel before and beside SSH.
 *
 * The type numbers are ours alone, far above those GNUnet registers (gnunet_protocols.h ends below 2000,
 * and 65535 means any).
 */

import { textNul, textToEnd } from '../wire/fields.ts'
import { bytes, counted, lengthOf, message, rest, u16, u32, u64 } from '../wire/layout.ts'

/** A zone key, a signature and a key confirmation. */
export const ZONE_SIZE = 36
export const SIGNATURE_SIZE = 64
export const MAC_SIZE = 32

/** Begins the handshake, from whoever opened the channel. */
export const HandshakeHello = message('BOX_HANDSHAKE_HELLO', 0xbd00, {
  version: u16,
  ephemeral: bytes(32),
})

/** The device's half: its ephemeral key, then its proof of identity, sealed. */
export const HandshakeAnswer = message('BOX_HANDSHAKE_ANSWER', 0xbd01, {
  ephemeral: bytes(32),
  sealed: rest,
})

/** The opener's proof of identity, sealed. */
export const HandshakeProof = message('BOX_HANDSHAKE_PROOF', 0xbd02, {
  sealed: rest,
})

/** Whether the device goes on with this identity, sealed. */
export const HandshakeVerdict = message('BOX_HANDSHAKE_VERDICT', 0xbd03, {
  sealed: rest,
})

/** After the handshake, all that is said but SSH: a flag (1: the message ends here), then it or a part of it, sealed. */
export const SealedMessage = message('BOX_SEALED', 0xbd06, {
  sealed: rest,
})

/** Inside `sealed` of answer and proof. Both kinds of zone keys sign with 64 bytes. */
export const Identity = message('BOX_IDENTITY', 0xbd04, {
  zone: bytes(ZONE_SIZE),
  signature: bytes(SIGNATURE_SIZE),
  confirmation: bytes(MAC_SIZE),
  payload: rest,
})

/** Inside `sealed` of the verdict. */
export const Verdict = message('BOX_VERDICT', 0xbd05, {
  status: u16,
  payload: rest,
})

/** With the proof, for the status: what time it is, so that a device can tell how far its clock is from its owner's. */
export const ClockReading = message('BOX_CLOCK_READING', 0xbd07, {
  time: u64,
})

/** The owner-to-be proves that it knows the secret of the code, and says how it will call the device. */
export const PairRequest = message('BOX_PAIR_REQUEST', 0xbd10, {
  proof: bytes(MAC_SIZE),
  deviceNameSize: lengthOf('deviceName', u16),
  deviceName: counted('deviceNameSize'),
  ownerName: rest,
})

/** The device proves the same, and says where it is (device-record.ts, as text). */
export const PairOffer = message('BOX_PAIR_OFFER', 0xbd11, {
  proof: bytes(MAC_SIZE),
  record: rest,
})

/** The owner-to-be is content with the proof: the device may store it. */
export const PairConfirm = message('BOX_PAIR_CONFIRM', 0xbd12, {})

/** The device has stored its owner. */
export const PairStored = message('BOX_PAIR_STORED', 0xbd13, {})

/** The owner has stored the device: the code is spent. */
export const PairDone = message('BOX_PAIR_DONE', 0xbd14, {})

/** Ends the pairing without result. Says nothing about the reason, which only the device's log has. */
export const PairRefused = message('BOX_PAIR_REFUSED', 0xbd15, {})

/** Asks for something beside SSH; `kind` is one of control.ts. */
export const ControlRequest = message('BOX_CONTROL_REQUEST', 0xbd20, {
  kind: u16,
  body: rest,
})

/** The answer; `status` 0 is success, then `body` is JSON. */
export const ControlAnswer = message('BOX_CONTROL_ANSWER', 0xbd21, {
  status: u16,
  body: rest,
})

/** Asks for something about configuration; `kind` is one of push-talk.ts, `body` JSON. */
export const PushRequest = message('BOX_PUSH_REQUEST', 0xbd30, {
  kind: u16,
  body: rest,
})

/** An answer, or one of several on the way; `status` is one of push-talk.ts, `body` JSON. */
export const PushAnswer = message('BOX_PUSH_ANSWER', 0xbd31, {
  status: u16,
  body: rest,
})

/** A part of a release or of a file, in either direction. */
export const PushPart = message('BOX_PUSH_PART', 0xbd32, {
  payload: rest,
})

/** The part has arrived. */
export const PushPartAck = message('BOX_PUSH_PART_ACK', 0xbd33, {})

/** What a short command (short-command.ts) printed on standard output, and on standard error, in this order. */
export const CommandOutput = message('BOX_COMMAND_OUTPUT', 0xbd70, {
  bytes: rest,
})

export const CommandErrors = message('BOX_COMMAND_ERRORS', 0xbd71, {
  bytes: rest,
})

/** It has ended by itself. The last message. */
export const CommandExited = message('BOX_COMMAND_EXITED', 0xbd72, {
  code: u32,
})

/** It was ended by a signal, named without `SIG`, or not run, and why. The last message. */
export const CommandKilled = message('BOX_COMMAND_KILLED', 0xbd73, {
  signal: textNul,
  why: textToEnd,
})

/** Whoever asks may not. The only message. */
export const CommandRefused = message('BOX_COMMAND_REFUSED', 0xbd74, {})
