/**
 * What devices that were off shall have when they are back: their releases, signed, with what belongs to them.
 * One a device, the latest; handed over by `box sync`, from here or from wherever the files are copied.
 */

import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { contentsOf, openRelease, signRelease } from '../../src/box/bundle/release.ts'
import type { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { State } from '../state.ts'

const PREFIX = 'desired-'

export interface Desired {
  readonly signed: Uint8Array
  readonly contents: readonly Uint8Array[]
  /** Of the bundle. */
  readonly name: string
  readonly sequence: number
  readonly lastsSeconds: number
}

/** What a device shall have. */
export const desiredFile = (zone: ZoneKey): string => `${PREFIX}${zoneToText(zone)}`
const toText = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const toBytes = (text: unknown) => new Uint8Array(Buffer.from(String(text), 'base64'))

/** Keeps a release for a device, in place of an earlier one. Fails with STATE_UNWRITABLE. */
export async function keepDesired(
  state: State,
  zone: ZoneKey,
  { signed, contents }: Pick<Desired, 'signed' | 'contents'>,
): Promise<void> {
  const text = JSON.stringify({
    version: 1,
    signed: toText(signed),
    contents: contents.map(toText),
  })
  await state.exclusively(() => state.writeText(desiredFile(zone), `${text}\n`))
}

/** What a device shall have; null where nothing is kept for it. Throws STATE_UNREADABLE. */
export function desiredFor(state: State, zone: ZoneKey): Desired | null {
  const text = state.readText(desiredFile(zone))
  if (text === null) return null
  try {
    const { version, signed, contents } = JSON.parse(text) as Record<string, unknown>
    if (version !== 1 || !Array.isArray(contents)) throw new TypeError('nothing of ours')
    const bytes = toBytes(signed)
    const release = openRelease(bytes)
    contentsOf(release)
    const { name, sequence } = release
    const lastsSeconds = secondsOf(release)
    return { signed: bytes, contents: contents.map(toBytes), name, sequence, lastsSeconds }
  } catch (cause) {
    throw new BoxError(
      'STATE_UNREADABLE',
      `What a device shall have (${desiredFile(zone)}) is damaged.`,
      cause,
    )
  }
}

/** The same, signed by the key that we have now: what one before it has signed counts no longer. Throws as desiredFor. */
export function signedDesired(state: State, zone: ZoneKey, own: ZoneSecret): Desired | null {
  const desired = desiredFor(state, zone)
  if (!desired) return null
  const release = openRelease(desired.signed)
  if (equalBytes(release.signer, own.zone)) return desired
  return { ...desired, signed: signRelease({ ...release, signer: own.zone }, own) }
}

export async function dropDesired(state: State, zone: ZoneKey): Promise<void> {
  await state.exclusively(() => rmSync(join(state.directory, desiredFile(zone)), { force: true }))
}

/** The zones, as texts, of all devices for which something is kept. */
export function desiredZones(state: State): ReadonlySet<string> {
  try {
    const names = readdirSync(state.directory).filter(name => name.startsWith(PREFIX))
    return new Set(names.map(name => name.slice(PREFIX.length)))
  } catch {
    return new Set() // There is no state yet.
  }
}

/** How long a device may take for a change and its way back. */
export function secondsOf(release: ReturnType<typeof openRelease>): number {
  const { before, apply, after, undo, packages, reload, commandSeconds, confirmSeconds } = release
  const lists = [before, apply, after, undo, packages, reload, reload]
  const commands = lists.reduce((sum, one) => sum + one.length, 0)
  return confirmSeconds + commands * commandSeconds
}
