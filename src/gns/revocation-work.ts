/**
 * The work of a revocation (RFC 9498 section 4.1): tries, of which the best 32 are kept. It takes days with the
 * difficulty of the network, so it is done in steps, and what was found goes on in another process.
 */

import { BoxError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import {
  EPOCH_MS,
  encodeZoneRevocation,
  PROOFS,
  type RevocationIntent,
  workFor,
  workOf,
} from './revocation.ts'

const VERSION = 1
const NONCE_SIZE = 8

/** A try that is worth something. */
interface Proof {
  readonly nonce: bigint
  readonly bits: number
}

export class RevocationWork {
  readonly intent: RevocationIntent
  private readonly best: Proof[]
  private next: bigint
  private tries: number

  private constructor(
    intent: RevocationIntent,
    found: { readonly best: readonly Proof[]; readonly next: bigint; readonly tries: number },
  ) {
    this.intent = intent
    this.best = [...found.best]
    this.next = found.next
    this.tries = found.tries
  }

  /** Begins somewhere at random: several machines may work for the same zone. */
  static begin(intent: RevocationIntent, random: Random): RevocationWork {
    const next = new DataView(random.bytes(NONCE_SIZE).slice().buffer).getBigUint64(0)
    return new RevocationWork(intent, { best: [], next, tries: 0 })
  }

  /** Goes on where `text` ended. Throws STATE_UNREADABLE. */
  static resume(intent: RevocationIntent, text: string): RevocationWork {
    try {
      const { version, best, next, tries } = JSON.parse(text) as Record<string, unknown>
      if (version !== VERSION || !Array.isArray(best) || best.length > PROOFS)
        throw new TypeError('no work')
      const proofs = best.map(proofOf)
      if (typeof tries !== 'number') throw new TypeError('no number')
      return new RevocationWork(intent, { best: proofs, next: nonceOf(next), tries })
    } catch (cause) {
      throw new BoxError('STATE_UNREADABLE', 'What was worked for a revocation is damaged.', cause)
    }
  }

  /** What another process needs to go on. */
  text(): string {
    const best = this.best.map(({ nonce, bits }) => ({ nonce: `${nonce}`, bits }))
    return `${JSON.stringify({ version: VERSION, best, next: `${this.next}`, tries: this.tries })}\n`
  }

  /** One try; some milliseconds. */
  step(): void {
    const nonce = this.next
    this.next = BigInt.asUintN(64, nonce + 1n)
    this.tries++
    const bits = workOf(this.intent, nonce)
    if (this.best.some(one => one.nonce === nonce)) return
    if (this.best.length === PROOFS) {
      const worst = this.best.reduce((low, one) => (one.bits < low.bits ? one : low))
      if (worst.bits >= bits) return
      this.best.splice(this.best.indexOf(worst), 1)
    }
    this.best.push({ nonce, bits })
  }

  get tried(): number {
    return this.tries
  }

  /** The sum of the bits of the best. */
  get done(): number {
    return this.best.reduce((sum, { bits }) => sum + bits, 0)
  }

  isEnough(epochs: number, difficulty: number): boolean {
    return this.best.length === PROOFS && this.done >= workFor(epochs, difficulty)
  }

  /** What it is worth by now; null before there are enough tries. */
  certificate(epochs: number): Uint8Array | null {
    if (this.best.length < PROOFS) return null
    const nonces = this.best.map(({ nonce }) => nonce)
    return encodeZoneRevocation(this.intent, nonces, epochs * EPOCH_MS)
  }
}

/** How many tries it takes, about: half of them lose a bit, and the best of many are a bit better than the last one. */
export const triesFor = (epochs: number, difficulty: number): number =>
  PROOFS * 2 ** (difficulty + epochs - 2)

function proofOf(value: unknown): Proof {
  const { nonce, bits } = value as Record<string, unknown>
  if (typeof bits !== 'number') throw new TypeError('no proof')
  return { nonce: nonceOf(nonce), bits }
}

function nonceOf(value: unknown): bigint {
  if (typeof value !== 'string' || !/^\d{1,20}$/.test(value)) throw new TypeError('no nonce')
  return BigInt.asUintN(64, BigInt(value))
}
