/**
 * Who is logged in to the page: a code that is good once and soon over is exchanged for a session. A session is
 * two secrets: the cookie, which no script can read, and the key, which only the page of this very origin has.
 * Cookies of 127.0.0.1 reach whatever listens on any of its ports; without the key they are worth nothing.
 */

import type { Clock, Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import { equalSecrets, sha256 } from '../../src/crypto/hash.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'

/** From the command to the browser; it may have to start first. */
const CODE_LASTS_MS = 60_000
/** A working day; then `box dashboard` again. */
export const SESSION_LASTS_MS = 12 * 3_600_000
/** One person with a few browsers. */
const SESSIONS_MAX = 16
const CODES_MAX = 16
/** Nobody guesses so many bits. */
const SECRET_BYTES = 32

export interface Session {
  readonly cookie: string
  readonly key: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  /** Aborted when the session is over, however it ended. */
  readonly signal: AbortSignal
}

interface Held {
  readonly session: Session
  readonly end: AbortController
  readonly timer: Timer
}

const encoder = new TextEncoder()
const same = (a: string, b: string): boolean =>
  equalSecrets(sha256(encoder.encode(a)), sha256(encoder.encode(b)))
/** By which a secret is looked up: how long that takes tells nothing about the secret. */
const nameOf = (secret: string): string => encodeBase32(sha256(encoder.encode(secret)))

export class Sessions {
  private readonly clock: Clock
  private readonly random: Random
  private readonly codes = new Map<string, Timer>()
  private readonly held = new Map<string, Held>()

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.clock = clock
    this.random = random
  }

  /** A code to log in with, once. The oldest gives way where there are too many. */
  invite(): { readonly code: string; readonly expiresAt: number } {
    const oldest = this.codes.keys().next()
    if (this.codes.size >= CODES_MAX && !oldest.done) this.dropCode(oldest.value)
    const code = this.secret()
    const name = nameOf(code)
    this.codes.set(
      name,
      this.clock.after(CODE_LASTS_MS, () => this.dropCode(name)),
    )
    return { code, expiresAt: this.clock.now() + CODE_LASTS_MS }
  }

  /** Throws API_REFUSED where the code was used, is too old, or never was one. */
  redeem(code: string): Session {
    if (!this.dropCode(nameOf(code)))
      throw new BoxError(
        'API_REFUSED',
        'This link was used, or is too old: run box dashboard again.',
      )
    const oldest = this.held.values().next()
    if (this.held.size >= SESSIONS_MAX && !oldest.done) this.end(oldest.value.session)
    const end = new AbortController()
    const session: Session = {
      cookie: this.secret(),
      key: this.secret(),
      expiresAt: this.clock.now() + SESSION_LASTS_MS,
      signal: end.signal,
    }
    const timer = this.clock.after(SESSION_LASTS_MS, () => this.end(session))
    this.held.set(nameOf(session.cookie), { session, end, timer })
    return session
  }

  /** The session that both secrets belong to; null where there is none. */
  find(cookie: string, key: string): Session | null {
    const session = this.held.get(nameOf(cookie))?.session
    return session && same(session.key, key) ? session : null
  }

  /** What goes on in it is cut off. */
  end(session: Session): void {
    const name = nameOf(session.cookie)
    const one = this.held.get(name)
    if (!one) return
    this.held.delete(name)
    one.timer.cancel()
    one.end.abort(new BoxError('API_REFUSED', 'The session is over.'))
  }

  close(): void {
    for (const name of this.codes.keys()) this.dropCode(name)
    for (const { session } of this.held.values()) this.end(session)
  }

  /** Whether there was such a code. */
  private dropCode(name: string): boolean {
    this.codes.get(name)?.cancel()
    return this.codes.delete(name)
  }

  private secret(): string {
    return encodeBase32(this.random.bytes(SECRET_BYTES))
  }
}
