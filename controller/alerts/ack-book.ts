/**
 * Which alerts somebody has taken note of: nobody is told of them, until they are over or for a time. In a file of
 * its own, so that `box alerts ack` and a running `box up` do not write over each other.
 */

import { BoxError } from '../../src/base/errors.ts'
import type { AlertRecord } from '../../src/box/alert/keeper.ts'
import type { State } from '../state.ts'

export interface Ack {
  readonly zone: string
  readonly rule: string
  /** Of the alerts that are meant, when they began; any, where it has an end. */
  readonly sinces: readonly number[]
  /** Milliseconds since 1970; null: until they are over. */
  readonly until: number | null
  readonly at: number
}

export const ACKS_FILE = 'alert-acks'
const VERSION = 1
const ACKS_MAX = 1_024
/** Whoever takes note of something does not mean it for ever. */
const FORGET_MS = 30 * 86_400_000

export class Acks {
  private readonly all: readonly Ack[]
  private readonly now: number

  constructor(all: readonly Ack[], now: number) {
    this.all = all
    this.now = now
  }

  has(zone: string, { rule, since }: Pick<AlertRecord, 'rule' | 'since'>): boolean {
    return this.all.some(
      ack =>
        ack.zone === zone &&
        ack.rule === rule &&
        (ack.until === null ? ack.sinces.includes(since) : ack.until > this.now),
    )
  }
}

/** What is known now; what is damaged counts as nothing: then somebody is told again. */
export const acksNow = (state: State, now: number): Acks => new Acks(readAcks(state, now), now)

/** Takes note; what was said before of the same rule and device holds no more. */
export async function acknowledge(state: State, ack: Ack): Promise<void> {
  await state.exclusively(() => {
    const others = readAcks(state, ack.at).filter(
      ({ zone, rule }) => zone !== ack.zone || rule !== ack.rule,
    )
    const acks = [...others, ack].slice(-ACKS_MAX)
    state.writeText(ACKS_FILE, `${JSON.stringify({ version: VERSION, acks })}\n`)
  })
}

function readAcks(state: State, now: number): readonly Ack[] {
  const text = state.readText(ACKS_FILE)
  if (text === null) return []
  try {
    return parseAcks(text).filter(({ until, at }) => (until ?? at + FORGET_MS) > now)
  } catch (error) {
    if (error instanceof BoxError) return []
    throw error
  }
}

/** Throws STATE_UNREADABLE. */
export function parseAcks(text: string): readonly Ack[] {
  try {
    const { version, acks } = JSON.parse(text) as Record<string, unknown>
    if (version !== VERSION || !Array.isArray(acks)) throw new TypeError('another version')
    return acks.map(value => {
      const { zone, rule, sinces, until, at } = (value ?? {}) as Record<string, unknown>
      const isRight =
        typeof zone === 'string' &&
        typeof rule === 'string' &&
        Array.isArray(sinces) &&
        sinces.every(since => typeof since === 'number') &&
        (until === null || typeof until === 'number') &&
        typeof at === 'number'
      if (!isRight) throw new TypeError('nothing of ours')
      return { zone, rule, sinces, until, at }
    })
  } catch (cause) {
    throw new BoxError('STATE_UNREADABLE', `The file ${ACKS_FILE} is damaged.`, cause)
  }
}
