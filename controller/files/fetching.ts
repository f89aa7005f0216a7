/**
 * Fetches a file that was offered: from whoever offered it, from a relay of ours with which they have left it, or, in a room,
 * from any member that has it and is there. What comes is believed part by part; who hands out something else is not asked
 * again. It may be killed at any time, and goes on where it was, with whoever there is then.
 */

import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import type { FileOffer } from '../../src/social/file-offer.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import type { Contact } from '../talk/contact-book.ts'
import { keysKnown } from '../talk/tie.ts'
import { canHandFiles } from './file-keys.ts'
import type { PartFile } from './part-file.ts'
import { dialPerson, type Person } from './person-source.ts'
import { dialRelay } from './relay-source.ts'
import type { Source } from './source.ts'

/** Asked at once who of a room is there. */
const ASKED_AT_ONCE = 8

/** Whoever may have the file. */
export type Holder =
  | ({ readonly is: 'person' } & Person)
  | { readonly is: 'relay'; readonly device: Device }

export interface FetchOptions {
  readonly offer: FileOffer
  readonly part: PartFile
  /** The most likely first. */
  readonly holders: readonly Holder[]
  /** How long they are looked for, again after each that was lost. */
  readonly timeoutMs: number
  readonly step: (done: number) => void
  /** Puts it in its place; those who handed it out are told only then. */
  readonly finish: () => Promise<void>
}

/**
 * Resolves when the file is in its place. Fails with why nobody hands it out (PEER_UNREACHABLE, NOT_PERMITTED,
 * FILE_UNKNOWN), FILE_DAMAGED where all that came was something else, and as `finish`.
 */
export async function fetchFile(context: Context, options: FetchOptions): Promise<void> {
  const { part, finish } = options
  const left = new Set(options.holders)
  let failure = nobodyThere()
  while (!part.isWhole) {
    const before = part.next
    let from: Found | null = null
    try {
      from = await findHolder(context, [...left], options)
      await from.source.receive(options)
      // A relay has what was brought to it, which may be the beginning.
      if (!part.isWhole) throw nobodyThere()
      await finish()
      await from.source.thank()
      return
    } catch (error) {
      from?.source.close()
      context.signal.throwIfAborted()
      const isOther = !(error instanceof BoxError)
      if (isOther || error.family === 'setup' || error.family === 'usage') throw error
      if (from === null) throw failureOf(error, failure)
      failure = error
      // Who was lost in the middle may be back; who gives nothing is not asked again.
      if (error.family !== 'unreachable' || part.next === before) left.delete(from.holder)
    }
  }
  await finish()
}

/** What was wrong with those who were there says more than that nobody else was. */
const failureOf = (last: BoxError, before: BoxError): BoxError =>
  before.family === 'unreachable' ? last : before

interface Found {
  readonly holder: Holder
  readonly source: Source
}

/** The first that answers, of some at a time. Fails with why none did. */
async function findHolder(
  context: Context,
  holders: readonly Holder[],
  { offer, part, timeoutMs }: FetchOptions,
): Promise<Found> {
  let failure: unknown = null
  const mesh = await context.mesh()
  for (let at = 0; at < holders.length; at += ASKED_AT_ONCE) {
    const won = new AbortController()
    const dialling = AbortSignal.any([context.signal, won.signal])
    const open = (holder: Holder) =>
      holder.is === 'person'
        ? dialPerson(context, mesh, offer, { holder, dialling, timeoutMs })
        : dialRelay(context, offer, holder.device, { dialling, timeoutMs, from: part.next })
    try {
      return await Promise.any(
        holders.slice(at, at + ASKED_AT_ONCE).map(async holder => {
          const source = await open(holder)
          if (won.signal.aborted) source.close()
          won.abort(new BoxError('CHANNEL_CLOSED'))
          return { holder, source }
        }),
      )
    } catch (error) {
      context.signal.throwIfAborted()
      // A refusal, or a mistake of ours, says more than silence.
      failure = (error as AggregateError).errors.find(one => !isSilence(one)) ?? failure
    }
  }
  throw failure ?? nobodyThere()
}

const nobodyThere = (): BoxError =>
  new BoxError('PEER_UNREACHABLE', 'Nobody who has the file is there: it takes their box up.')

const isSilence = (error: unknown): boolean =>
  error instanceof BoxError &&
  error.code !== 'NO_HUB' &&
  (error.family === 'unreachable' || error.family === 'unknown')

/**
 * Those of a list of zones who can hand out files, without ourselves and without one twice; once for each key of ours by
 * which they may know us.
 */
export function holdersOf(
  context: Context,
  zones: readonly ZoneKey[],
  about: (zone: ZoneKey) => Pick<Contact, 'where' | 'knowsUs'> | null,
): readonly Extract<Holder, { is: 'person' }>[] {
  const ego = context.ego()
  return zones
    .filter(zone => !equalBytes(zone, ego.secret.zone) && canHandFiles(zone))
    .filter((zone, at, all) => at === all.findIndex(one => equalBytes(one, zone)))
    .flatMap(zone => {
      const { where, knowsUs } = about(zone) ?? { where: null, knowsUs: ego.secret.zone }
      const keys = keysKnown(ego, knowsUs, context.clock.now())
      return keys.map(({ own }) => ({ is: 'person' as const, zone, known: where, own }))
    })
}
