/** What a device tells about its executable, as JSON: read here, so that a controller trusts its shape. */

import { BoxError } from '../base/errors.ts'
import { shaped } from './push-report.ts'
import type { Json } from './push-talk.ts'

export interface UpgradeState {
  /** That of the process which answers. */
  readonly version: string
  /** Of Node: `linux-x64`. */
  readonly machine: string
  /** Why no release is taken over the mesh, and what to do instead; null where one is. */
  readonly refusal: string | null
  /** The version that has to prove itself, and the one that comes back otherwise. */
  readonly trial: { readonly version: string; readonly before: string } | null
  /** Whether the process which answers is the one on trial, and waits for an owner's word. */
  readonly awaiting: boolean
  /** Whether a release is being put in place right now. */
  readonly taking: boolean
  /** The version that gave way last, and since which nothing was tried. */
  readonly failed: string | null
}

/** Pieces one after the other. */
export interface PieceRun {
  readonly first: number
  readonly count: number
}

/** Throws STATE_UNEXPECTED. */
export function readUpgradeState(said: Json): UpgradeState {
  const state = shaped<UpgradeState>(said, {
    ...{ version: 'string', machine: 'string', refusal: 'string|null', trial: 'object|null' },
    ...{ awaiting: 'boolean', taking: 'boolean', failed: 'string|null' },
  })
  if (state.trial) shaped(state.trial, { version: 'string', before: 'string' })
  return state
}

/** Which of so many pieces the device lacks. Throws STATE_UNEXPECTED. */
export function readMissingPieces(said: Json, pieces: number): readonly PieceRun[] {
  const { missing } = shaped<{ missing: unknown[] }>(said, { missing: 'list' })
  return missing.map(run => {
    const [first, count] = Array.isArray(run) ? run : []
    const isRun = Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count > 0
    if (isRun && first + count <= pieces) return { first, count }
    throw new BoxError('STATE_UNEXPECTED', 'The device does not say "missing" as it should.')
  })
}
