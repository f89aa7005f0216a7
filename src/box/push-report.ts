/** What a device tells about its configuration, as JSON: read here, so that a controller trusts its shape. */

import { BoxError } from '../base/errors.ts'
import type { Json } from './push-talk.ts'

export interface PushStatus {
  /** The highest number the device has seen. */
  readonly sequence: number
  /** The generation that holds. */
  readonly generation: number
  /** The change that is under way, or awaits its confirmation. */
  readonly open: { readonly id: string; readonly name: string; readonly awaiting: boolean } | null
  readonly last: PushOutcome | null
  readonly generations: readonly {
    readonly number: number
    readonly name: string
    readonly sequence: number
    readonly signer: string
    readonly at: number
    readonly files: number
  }[]
}

export interface PushOutcome {
  readonly id: string
  readonly is: 'confirmed' | 'put back'
  readonly name: string
  readonly sequence: number
  readonly generation: number
  readonly reason: string | null
  readonly complaints: readonly string[]
}

/** What a relay keeps for a device. */
export interface WaitingParcel {
  readonly id: string
  readonly sequence: number
  readonly size: number
}

export interface FileChange {
  readonly path: string
  readonly what: 'new' | 'changed' | 'removed' | 'access'
}

export interface Drift {
  readonly path: string
  readonly bundle: string
  readonly what: 'missing' | 'content' | 'access' | 'is there' | 'unreadable'
}

export interface ListedFile {
  readonly path: string
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** Checks that the named fields are of these kinds. Throws STATE_UNEXPECTED. */
export function shaped<T>(said: unknown, kinds: Readonly<Record<string, string>>): T {
  const value = said as Json | null
  for (const [name, kind] of Object.entries(kinds)) {
    const field = value?.[name]
    const is = Array.isArray(field) ? 'list' : field === null ? 'null' : typeof field
    if (!kind.split('|').includes(is))
      throw new BoxError('STATE_UNEXPECTED', `The device does not say "${name}" as it should.`)
  }
  return said as T
}

const listed = <T>(value: unknown, kinds: Readonly<Record<string, string>>): readonly T[] =>
  (value as unknown[]).map(one => shaped<T>(one, kinds))

export const readOutcome = (said: unknown): PushOutcome =>
  shaped(said, {
    ...{ id: 'string', is: 'string', name: 'string', sequence: 'number', generation: 'number' },
    ...{ reason: 'string|null', complaints: 'list' },
  })

export function readStatus(said: Json): PushStatus {
  const status = shaped<PushStatus>(said, {
    ...{ sequence: 'number', generation: 'number', open: 'object|null', last: 'object|null' },
    generations: 'list',
  })
  if (status.open) shaped(status.open, { id: 'string', name: 'string', awaiting: 'boolean' })
  if (status.last) readOutcome(status.last)
  listed(status.generations, {
    ...{ number: 'number', name: 'string', sequence: 'number', signer: 'string' },
    ...{ at: 'number', files: 'number' },
  })
  return status
}

export const readChanges = (said: Json): readonly FileChange[] =>
  listed(shaped<Json>(said, { changes: 'list' }).changes, { path: 'string', what: 'string' })

export const readWaiting = (said: Json): readonly WaitingParcel[] =>
  listed(shaped<Json>(said, { parcels: 'list' }).parcels, {
    ...{ id: 'string', sequence: 'number', size: 'number' },
  })

export const readDrift = (said: Json): readonly Drift[] =>
  listed(shaped<Json>(said, { drift: 'list' }).drift, {
    ...{ path: 'string', bundle: 'string', what: 'string' },
  })

export const readFiles = (said: Json): readonly ListedFile[] =>
  listed(shaped<Json>(said, { files: 'list' }).files, {
    ...{ path: 'string', size: 'number', mode: 'number', uid: 'number', gid: 'number' },
  })

/** The ids of contents, in hexadecimal digits. */
export function readMissing(said: Json): ReadonlySet<string> {
  const { missing } = shaped<{ missing: unknown[] }>(said, { missing: 'list' })
  if (missing.every(id => typeof id === 'string')) return new Set(missing)
  throw new BoxError('STATE_UNEXPECTED', 'The device does not say "missing" as it should.')
}
