/**
 * Mutual authentication by zone keys on a fresh channel, before anything else is said (design decision 2).
 *
 * SIGMA-I (Krawczyk 2003) with X25519 ephemerals: the device proves itself first, then the opener, each
 * by a signature of its zone key over the transcript and a MAC under a fresh key, both sealed; between people
 * there stands a MAC in the place of the signature, too (zone-proof.ts). Promises:
 * - The device's identity is readable only by those who know its zone key already (it enters every key).
 * - The opener's identity is sent only to the proven device.
 * - A peer in the middle that forwards everything is noticed, since both pids are in the transcript.
 * - What is said afterwards only these two can read or make (sealed-channel.ts), also where a peer, ours or theirs, is
 *   in other hands; but for SSH, which brings the same.
 * - Whatever fails closes the channel and gives IDENTITY_WRONG, or tells that the other side gave up.
 *
 *     opener                                     device
 *     Hello { version, ephemeral }          ->
 *                                           <-   Answer { ephemeral, sealed { zone, signature, confirmation } }
 *     Proof { sealed { zone, signature, confirmation, payload } } ->
 *                                           <-   Verdict { sealed { status, payload } }
 */

import { equalBytes } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { PeerId, ZoneKey } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { AgreementKey, x25519 } from '../crypto/agreement.ts'
import type { ZoneSecret } from '../crypto/zone-key.ts'
import type { Channel } from '../mesh/mesh.ts'
import { WireError } from '../wire/layout.ts'
import { Conversation } from './conversation.ts'
import {
  beginTranscript,
  deriveKey,
  extendTranscript,
  openIdentity,
  openOnce,
  sealIdentity,
  sealOnce,
} from './handshake-keys.ts'
import {
  HandshakeAnswer,
  HandshakeHello,
  HandshakeProof,
  HandshakeVerdict,
  Verdict,
} from './messages.ts'
import type { Service } from './ports.ts'
import { type SealingKeys, sealChannel } from './sealed-channel.ts'
import { proofFor, proverOf } from './zone-proof.ts'

/** 2: what follows is sealed. */
const VERSION = 2
/** Four messages; generous, since the path may be found while they travel. */
const TIMEOUT_MS = 15_000
/** After a refusal the other side closes; one that does not is not waited for longer. */
const LINGER_MS = 5_000
/** An SSH key, a few names: what fits beside a proof of identity. */
export const PAYLOAD_MAX = 1_024

/** Both sides give these. `self` is mesh.self, `device` the zone key of whoever listens. */
interface HandshakeOptions {
  readonly self: PeerId
  readonly purpose: Service
  readonly own: ZoneSecret
  readonly clock: Clock
  readonly random: Random
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
}

export interface AuthenticateOptions extends HandshakeOptions {
  readonly device: ZoneKey
  /** Told to the device along with the proof; at most PAYLOAD_MAX bytes. One that is made then may say what time it is. */
  readonly payload?: Uint8Array | (() => Uint8Array)
}

export interface AcceptOptions extends HandshakeOptions {
  /** Decides whether to go on with a proven identity. */
  readonly admit: (zone: ZoneKey, payload: Uint8Array) => Admission
  /** Where `own` is a key that was given up: what leads from it to the one of today (succession.ts). */
  readonly chain?: Uint8Array
  /** Called when our answer is on its way: now the opener has something to do, and we have not. */
  readonly answered?: (() => void) | undefined
}

/** A refusal is told to the opener, who knows by then whom it talks to. */
export type Admission = { readonly payload: Uint8Array } | { readonly refused: Refusal }
export type Refusal = keyof typeof STATUS

const STATUS = {
  NOT_PERMITTED: 1,
  PAIRING_REFUSED: 2,
  USER_UNKNOWN: 3,
  USER_NOT_GRANTED: 4,
  USER_OUT_OF_REACH: 5,
  USER_CLOSED: 6,
} as const
const NOTHING = new Uint8Array(0)

export interface Session {
  /** Who the other side has proven to be. */
  readonly peerZone: ZoneKey
  /** 32 secret bytes that both sides have and nobody else: for what is bound to this channel. */
  readonly sessionKey: Uint8Array
  /** What the other side said with its proof (opener) or its verdict (device). */
  readonly payload: Uint8Array
  /** When we last said something that had to be answered, and when the answer came, by `clock.elapsed()`. */
  readonly exchange: { readonly askedAt: number; readonly cameAt: number }
  /** What leads from the device's key to the one it has now, as it says (opener); empty where it is that one. */
  readonly chain: Uint8Array
  /** The channel for what follows; attach to this one, not to the one that was given. */
  readonly channel: Channel
}

/**
 * The opener's side. Fails with IDENTITY_WRONG, the device's refusal (NOT_PERMITTED, …), PEER_TIMEOUT,
 * CHANNEL_CLOSED, CHANNEL_LOST or the reason of the signal; the channel is closed then.
 */
export function authenticate(channel: Channel, options: AuthenticateOptions): Promise<Session> {
  return guarded(channel, options, talk => open(talk, channel, options))
}

/**
 * The device's side; `own` is the device's key. Fails as `authenticate`, and with the code of a refusal
 * after having told it; the channel is closed then.
 */
export function acceptHandshake(channel: Channel, options: AcceptOptions): Promise<Session> {
  return guarded(channel, options, talk => accept(talk, channel, options))
}

async function open(
  talk: Conversation,
  channel: Channel,
  { self, purpose, own, device, clock, random, payload: said = NOTHING }: AuthenticateOptions,
): Promise<Session> {
  const ephemeral = AgreementKey.fromSecret(random.bytes(32))
  const hello = HandshakeHello.encode({ version: VERSION, ephemeral: ephemeral.publicKey })
  talk.send(hello)

  const begun = beginTranscript({ purpose, device, opener: self, listener: channel.peer })
  const answer = HandshakeAnswer.decode(await talk.next())
  const agreed = extendTranscript(extendTranscript(begun, hello), answer.ephemeral)
  const secret = x25519(ephemeral, answer.ephemeral)
  const isProof = proofFor(purpose, ephemeral)
  const proven = openIdentity('device', answer.sealed, secret, agreed, isProof)
  if (!proven || !equalBytes(proven.zone, device) || proven.payload.length > PAYLOAD_MAX)
    throw new BoxError('IDENTITY_WRONG')

  const answered = extendTranscript(agreed, answer.sealed)
  const prover = proverOf(own, purpose, answer.ephemeral)
  const payload = typeof said === 'function' ? said() : said
  if (payload.length > PAYLOAD_MAX) throw new RangeError(`a payload of ${payload.length} bytes`)
  const askedAt = clock.elapsed()
  const sealed = sealIdentity('opener', prover, payload, secret, answered)
  talk.send(HandshakeProof.encode({ sealed }))

  const told = HandshakeVerdict.decode(await talk.next())
  const cameAt = clock.elapsed()
  const finished = extendTranscript(answered, sealed)
  const verdict = openOnce(deriveKey(secret, finished, 'verdict'), told.sealed, finished)
  if (!verdict) throw new BoxError('IDENTITY_WRONG')
  const { status, payload: theirs } = Verdict.decode(verdict)
  if (status !== 0) throw new BoxError(refusalOf(status))
  return {
    peerZone: proven.zone,
    sessionKey: deriveKey(secret, finished, 'session'),
    payload: theirs.slice(),
    exchange: { askedAt, cameAt },
    chain: proven.payload,
    channel: sealedFor(purpose, talk.release(), {
      sending: deriveKey(secret, finished, 'opener says'),
      receiving: deriveKey(secret, finished, 'device says'),
    }),
  }
}

async function accept(
  talk: Conversation,
  channel: Channel,
  { self, purpose, own, random, clock, admit, chain = NOTHING, answered: told }: AcceptOptions,
): Promise<Session> {
  const first = await talk.next()
  const hello = HandshakeHello.decode(first)
  if (hello.version !== VERSION) throw new BoxError('STATE_UNEXPECTED')
  const ephemeral = AgreementKey.fromSecret(random.bytes(32))
  const secret = x25519(ephemeral, hello.ephemeral)
  const setting = { purpose, device: own.zone, opener: channel.peer, listener: self }
  const begun = extendTranscript(beginTranscript(setting), first)
  const agreed = extendTranscript(begun, ephemeral.publicKey)
  const prover = proverOf(own, purpose, hello.ephemeral)
  const answer = sealIdentity('device', prover, chain, secret, agreed)
  const askedAt = clock.elapsed()
  talk.send(HandshakeAnswer.encode({ ephemeral: ephemeral.publicKey, sealed: answer }))
  told?.()

  const answered = extendTranscript(agreed, answer)
  const { sealed } = HandshakeProof.decode(await talk.next())
  const cameAt = clock.elapsed()
  const proven = openIdentity('opener', sealed, secret, answered, proofFor(purpose, ephemeral))
  if (!proven || proven.payload.length > PAYLOAD_MAX) throw new BoxError('IDENTITY_WRONG')

  const finished = extendTranscript(answered, sealed)
  const admission = admit(proven.zone, proven.payload)
  const key = deriveKey(secret, finished, 'verdict')
  talk.send(HandshakeVerdict.encode({ sealed: sealOnce(key, verdictOf(admission), finished) }))
  if ('refused' in admission) return await lingering(talk, clock, admission.refused)
  return {
    peerZone: proven.zone,
    sessionKey: deriveKey(secret, finished, 'session'),
    payload: proven.payload,
    exchange: { askedAt, cameAt },
    chain: NOTHING,
    channel: sealedFor(purpose, talk.release(), {
      sending: deriveKey(secret, finished, 'device says'),
      receiving: deriveKey(secret, finished, 'opener says'),
    }),
  }
}

/** SSH authenticates both sides by keys that they know, and seals: twice would only be slower. */
const sealedFor = (purpose: Service, channel: Channel, keys: SealingKeys): Channel =>
  purpose === 'ssh' ? channel : sealChannel(channel, keys)

const verdictOf = (admission: Admission): Uint8Array =>
  'refused' in admission
    ? Verdict.encode({ status: STATUS[admission.refused], payload: NOTHING })
    : Verdict.encode({ status: 0, payload: admission.payload })

/** A status that a newer device may know and we do not is a refusal all the same. */
function refusalOf(status: number): Refusal {
  for (const [code, number] of Object.entries(STATUS)) if (number === status) return code as Refusal
  return 'NOT_PERMITTED'
}

/** Closing at once would take the verdict back: the other side, having read it, closes. */
async function lingering(talk: Conversation, clock: Clock, code: Refusal): Promise<never> {
  const timer = clock.after(LINGER_MS, () => talk.close())
  await talk.next().catch(() => {})
  timer.cancel()
  throw new BoxError(code)
}

/** Runs one side; whatever goes wrong closes the channel and becomes one error of the few. */
async function guarded(
  channel: Channel,
  { clock, timeoutMs = TIMEOUT_MS, signal }: HandshakeOptions,
  run: (talk: Conversation) => Promise<Session>,
): Promise<Session> {
  const talk = new Conversation(channel, { clock, timeoutMs, signal })
  try {
    return await run(talk)
  } catch (error) {
    talk.close()
    if (isFault(error)) throw new BoxError('IDENTITY_WRONG', undefined, error)
    throw error
  }
}

const isFault = (error: unknown): boolean =>
  error instanceof WireError || (error instanceof BoxError && error.family === 'fault')
