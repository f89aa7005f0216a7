/**
 * Pairing, seen from the device: one window at a time, for one pairing, until it is used, expires, or has
 * seen too many wrong secrets. What goes on is in the log; the other side is told nothing but "refused".
 * The owner's side, and the order of the messages, are in pairing.ts.
 */

import { equalBytes } from '../base/bytes.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { equalSecrets } from '../crypto/hash.ts'
import { zoneToText } from '../gns/name.ts'
import { WireError } from '../wire/layout.ts'
import { checkWords } from './check-words.ts'
import { Conversation } from './conversation.ts'
import { type DeviceRecord, formatDeviceRecord } from './device-record.ts'
import type { Session } from './handshake.ts'
import {
  PairConfirm,
  PairDone,
  PairOffer,
  PairRefused,
  PairRequest,
  PairStored,
} from './messages.ts'
import { NAME_SIZE_MAX, pairingProof } from './pairing.ts'
import { makePairingCode, type PairingCode } from './pairing-code.ts'

/** One dialogue; the owner may look at nothing in between. */
const TIMEOUT_MS = 20_000
/** How long the other side may take to close after the last word. */
const LINGER_MS = 5_000
/** The secret has 128 bits: whoever is wrong so often does not have the code. */
const ATTEMPTS_MAX = 5
const MINUTE_MS = 60_000

export interface NewOwner {
  readonly zone: ZoneKey
  /** How the owner calls itself, and the device. */
  readonly holder: string
  readonly deviceName: string
}

/** How a window ended. */
export type WindowEnd =
  | { readonly is: 'paired'; readonly owner: NewOwner; readonly checkWords: readonly string[] }
  | { readonly is: 'expired' | 'replaced' | 'closed' | 'too many attempts' }

export interface PairingOptions {
  /** Which key it has now. */
  readonly device: () => ZoneKey
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** What the device says about itself now. */
  readonly record: () => DeviceRecord
  /** Stores the owner; when it returns, the owner survives a crash. What it throws refuses the pairing. */
  readonly store: (owner: NewOwner) => void | Promise<void>
}

interface Window {
  readonly code: PairingCode
  /** By the clock that never jumps. */
  readonly deadline: number
  readonly expiresAt: number
  readonly timer: Timer
  readonly ended: (end: WindowEnd) => void
  attempts: number
  /** A pairing with the right secret is under way. */
  busy: boolean
  /** Stored, but perhaps the owner does not know: only this one may come again. */
  usedBy: ZoneKey | null
}

export class PairingDesk {
  private readonly options: PairingOptions
  private window: Window | null = null

  constructor(options: PairingOptions) {
    this.options = options
  }

  /** Opens a window, in place of the one before. `ended` is called once. */
  open(minutes: number, hubs: readonly string[], ended: (end: WindowEnd) => void): PairingCode {
    const { clock, random, device } = this.options
    this.end({ is: 'replaced' })
    const code = makePairingCode(device(), hubs, random)
    const ms = minutes * MINUTE_MS
    this.window = {
      code,
      deadline: clock.elapsed() + ms,
      expiresAt: clock.now() + ms,
      timer: clock.after(ms, () => this.end({ is: 'expired' })),
      ended,
      attempts: 0,
      busy: false,
      usedBy: null,
    }
    this.note('window open', { minutes })
    return code
  }

  /** Until when (milliseconds since 1970) a window is open; null where none is. */
  openUntil(): number | null {
    return this.window && !this.window.usedBy ? this.window.expiresAt : null
  }

  /** Closes the window, if there is one. */
  close(): void {
    this.end({ is: 'closed' })
  }

  /** Serves one channel after its handshake. Never fails; the channel is closed when this resolves. */
  async serve(session: Session): Promise<void> {
    const { clock } = this.options
    const talk = new Conversation(session.channel, { clock, timeoutMs: TIMEOUT_MS })
    try {
      await this.pair(talk, session)
    } catch (error) {
      if (!(error instanceof BoxError) && !(error instanceof WireError)) throw error
      const reason = error instanceof BoxError ? error.code : error.message
      this.note('pairing failed', { reason, zone: zoneToText(session.peerZone) })
    } finally {
      talk.close()
    }
  }

  private async pair(talk: Conversation, session: Session): Promise<void> {
    const request = PairRequest.decode(await talk.next())
    const owner: NewOwner = {
      zone: session.peerZone,
      holder: nameOf(request.ownerName),
      deviceName: nameOf(request.deviceName),
    }
    const refusal = this.obstacle(session, request.proof)
    if (refusal) return await this.refuse(talk, session, refusal)
    const window = this.window!
    window.busy = true
    try {
      await this.carryOut(talk, session, window, owner)
    } finally {
      window.busy = false
    }
  }

  /** Why this one may not pair now; null where it may. */
  private obstacle(session: Session, proof: Uint8Array): string | null {
    const { window } = this
    if (!window || this.options.clock.elapsed() >= window.deadline) return 'no window is open'
    if (!equalSecrets(pairingProof('owner', session, window.code.secret), proof)) {
      window.attempts++
      if (window.attempts >= ATTEMPTS_MAX) this.end({ is: 'too many attempts' })
      return 'wrong secret'
    }
    if (window.busy) return 'another pairing is under way'
    if (window.usedBy && !equalBytes(window.usedBy, session.peerZone)) return 'used already'
    return null
  }

  private async carryOut(
    talk: Conversation,
    session: Session,
    window: Window,
    owner: NewOwner,
  ): Promise<void> {
    const { secret } = window.code
    const proof = pairingProof('device', session, secret)
    const record = new TextEncoder().encode(formatDeviceRecord(this.options.record()))
    talk.send(PairOffer.encode({ proof, record }))
    PairConfirm.decode(await talk.next())
    if (this.window !== window) return await this.refuse(talk, session, 'the window has closed')
    await this.options.store(owner)
    const words = checkWords(session.sessionKey, secret)
    this.stored(window, owner, words)
    talk.send(PairStored.encode({}))
    PairDone.decode(await talk.next())
    if (this.window === window) this.shut(window)
  }

  private stored(window: Window, owner: NewOwner, words: readonly string[]): void {
    if (!window.usedBy) window.ended({ is: 'paired', owner, checkWords: words })
    window.usedBy = owner.zone
    this.note('paired', { zone: zoneToText(owner.zone), holder: owner.holder })
  }

  private async refuse(talk: Conversation, session: Session, reason: string): Promise<void> {
    this.note('pairing refused', { reason, zone: zoneToText(session.peerZone) })
    talk.send(PairRefused.encode({}))
    // Closing at once would take the answer back: the other side, having read it, closes.
    const timer = this.options.clock.after(LINGER_MS, () => talk.close())
    await talk.next().catch(() => {})
    timer.cancel()
  }

  private end(end: WindowEnd): void {
    const { window } = this
    if (!window) return
    this.shut(window)
    if (window.usedBy) return
    this.note('window closed', { reason: end.is })
    window.ended(end)
  }

  private shut(window: Window): void {
    window.timer.cancel()
    this.window = null
    // The text forms that were shown are out of reach; this copy need not stay.
    window.code.secret.fill(0)
  }

  private note(event: string, fields: Record<string, string | number>): void {
    this.options.log.note('info', 'pairing', event, fields)
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** A name that may be shown in a terminal and put into an environment. Throws STATE_UNEXPECTED. */
function nameOf(bytes: Uint8Array): string {
  if (bytes.length === 0 || bytes.length > NAME_SIZE_MAX) throw new BoxError('STATE_UNEXPECTED')
  let name: string
  try {
    name = decoder.decode(bytes)
  } catch (cause) {
    throw new BoxError('STATE_UNEXPECTED', 'The name is no text.', cause)
  }
  if (/[\p{C}\p{Z}]/u.test(name))
    throw new BoxError('STATE_UNEXPECTED', 'The name is not printable.')
  return name
}
