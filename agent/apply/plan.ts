/** What a release, or the way back to a generation, would change on this device: found out without changing anything. */

import type { ZoneKey } from '../../src/base/ids.ts'
import { contentId, type Release, type ReleaseFile } from '../../src/box/bundle/release.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Disk } from '../../src/sys/disk.ts'
import type { DeviceKeys } from '../device-keys.ts'
import { driftOf } from './drift.ts'
import type { Act, Generation, History, Managed, PushState } from './push-state.ts'
import {
  ABSENT,
  type FileState,
  hex,
  type Place,
  refused,
  sameState,
  stateAt,
} from './state-of-files.ts'
import { checkPath, missingAbove, ownerIds } from './target.ts'
import { uciStates } from './uci-states.ts'

export interface Plan {
  readonly act: Act
  readonly name: string
  readonly places: readonly Place[]
  readonly directories: readonly string[]
  readonly becomes: Omit<Generation, 'at'>
  readonly confirmSeconds: number
  readonly commandSeconds: number
  readonly packages: readonly string[]
  readonly before: readonly string[]
  readonly apply: readonly string[]
  readonly after: readonly string[]
  readonly undo: readonly string[]
  /** Services, after `apply` and after `undo`. */
  readonly reload: readonly string[]
}

export interface PlanParts {
  readonly disk: Disk
  readonly state: PushState
  readonly device: Pick<DeviceKeys, 'isOwn' | 'open'>
  readonly roots: readonly string[]
  /** The agent's own state directory. */
  readonly kept: string
  /** Where OpenWrt has its configuration. */
  readonly uci: string
}

/** The content of a state, decrypted where it is kept encrypted. */
export function contentOf(
  { state, device }: Pick<PlanParts, 'state' | 'device'>,
  wanted: Extract<FileState, { is: 'file' }>,
): Uint8Array {
  const stored = state.content(wanted.stored)
  if (wanted.stored === wanted.content) return stored
  const plain = device.open(stored)
  if (plain) return plain
  throw refused('A secret of this bundle is not encrypted for this device.')
}

/** Whether a release is one for this device, and newer than all it has seen. Throws PUSH_REFUSED. */
export function checkRelease(
  release: Release,
  device: Pick<DeviceKeys, 'isOwn'>,
  history: History,
  allows: (zone: ZoneKey) => boolean,
): void {
  if (!device.isOwn(release.device)) throw refused('The bundle is made out to another device.')
  if (!allows(release.signer))
    throw refused(`${zoneToText(release.signer)} signed it, who may not push here.`)
  if (release.sequence <= history.sequence)
    throw refused(
      `The bundle has number ${release.sequence}, and this device has seen ${history.sequence} already.`,
    )
}

/** The plan of a release whose contents are all there. Throws PUSH_REFUSED. */
export function planRelease(parts: PlanParts, release: Release, name: string): Plan {
  const { disk, roots, kept } = parts
  const history = parts.state.history()
  const { files: managed, bundles } = history.generations.at(-1)!
  const files: Record<string, Managed> = { ...managed }
  const targets = new Map<string, FileState>()
  // What this bundle had before and has no longer becomes again what it was before the first push.
  for (const [path, { by }] of Object.entries(files))
    if (by === release.name) {
      targets.set(path, history.origins[path] ?? ABSENT)
      delete files[path]
    }
  for (const [path, state] of uciStates(parts, release)) {
    const by = files[path]?.by
    if (by !== undefined) throw refused(`${path} is looked after by the bundle "${by}" already.`)
    targets.set(path, state)
    files[path] = { state, by: release.name }
  }
  for (const file of release.files) {
    const { path } = file
    checkPath(disk, path, roots, kept)
    const by = files[path]?.by
    if (by !== undefined) throw refused(`${path} is looked after by the bundle "${by}" already.`)
    const state = wantedState(parts, file)
    targets.set(path, state)
    files[path] = { state, by: release.name }
  }
  const { sequence, confirmSeconds, commandSeconds } = release
  const { packages, before, apply, after, undo, reload } = release
  return {
    ...changes(disk, targets),
    act: 'push',
    name: release.name,
    becomes: {
      number: nextNumber(history),
      name: release.name,
      sequence,
      signer: zoneToText(release.signer),
      release: name,
      bundles: { ...bundles, [release.name]: name },
      files,
    },
    ...{ confirmSeconds, commandSeconds, packages, before, apply, after, undo, reload },
  }
}

/** The plan of going back to an earlier generation. `commands` are of its release, where it had one. */
export function planReturn(
  { disk, state }: PlanParts,
  to: Generation,
  commands: Pick<Plan, 'confirmSeconds' | 'commandSeconds' | 'apply' | 'after' | 'undo' | 'reload'>,
): Plan {
  const history = state.history()
  const targets = new Map<string, FileState>()
  for (const path of Object.keys(history.origins))
    targets.set(path, to.files[path]?.state ?? history.origins[path]!)
  return {
    ...changes(disk, targets),
    ...commands,
    act: 'rollback',
    name: to.name,
    becomes: { ...to, number: nextNumber(history) },
    packages: [],
    before: [],
  }
}

/**
 * The plan of putting right what has drifted in the bundles that say so; null where there is nothing to do. What
 * comes of it is the generation that holds anyway.
 */
export function planRepair(
  { disk, state }: PlanParts,
  releaseOf: (name: string) => Release,
): Plan | null {
  const current = state.history().generations.at(-1)!
  const drifted = new Set(driftOf(disk, state).map(({ bundle }) => bundle))
  const releases = Object.entries(current.bundles)
    .filter(([bundle]) => drifted.has(bundle))
    .map(([, release]) => releaseOf(release))
    .filter(({ drift }) => drift === 'repair')
  const [first] = releases
  if (!first) return null
  const targets = new Map<string, FileState>()
  for (const [path, { state: wanted, by }] of Object.entries(current.files))
    if (releases.some(({ name }) => name === by)) targets.set(path, wanted)
  const { confirmSeconds, commandSeconds } = first
  return {
    ...changes(disk, targets),
    ...{ act: 'repair', name: current.name, becomes: current, confirmSeconds, commandSeconds },
    ...{ packages: [], before: [], undo: [] },
    apply: releases.flatMap(({ apply }) => apply),
    after: releases.flatMap(({ after }) => after),
    reload: [...new Set(releases.flatMap(({ reload }) => reload))],
  }
}

/** Generations count upwards, also when going back: what was is part of the story. */
const nextNumber = ({ generations }: History): number => generations.at(-1)!.number + 1

function changes(
  disk: Disk,
  targets: ReadonlyMap<string, FileState>,
): Pick<Plan, 'places' | 'directories'> {
  const places: Place[] = []
  const directories = new Set<string>()
  for (const [path, now] of targets) {
    const was = stateAt(disk, path)
    if (sameState(was, now)) continue
    places.push({ path, was, now })
    if (now.is === 'file') for (const above of missingAbove(disk, path)) directories.add(above)
  }
  return { places, directories: [...directories].sort() }
}

function wantedState(parts: PlanParts, file: ReleaseFile): FileState {
  if (file.is === 'absent') return ABSENT
  const { state, disk } = parts
  const stored = hex(file.content)
  if (!state.has(stored)) throw refused(`The content of ${file.path} did not come along.`)
  const bytes = state.content(stored)
  if (bytes.length !== file.size) throw refused(`${file.path} has another size than was said.`)
  const content =
    file.is === 'sealed'
      ? hex(contentId(contentOf(parts, { ...NOBODY, is: 'file', content: '', stored, mode: 0 })))
      : stored
  const there = disk.look(file.path)
  const owner = file.owner === '' ? (there ?? self()) : ownerIds(file.owner)
  return { is: 'file', content, stored, mode: file.mode, uid: owner.uid, gid: owner.gid }
}

const NOBODY = { uid: 0, gid: 0 }
const self = () => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 })
