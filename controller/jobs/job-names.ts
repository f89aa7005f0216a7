/** The files of jobs in the state directory, by their names: looking whether there are any costs nothing else. */

import { readdirSync } from 'node:fs'
import { zoneToText } from '../../src/gns/name.ts'
import { type Device, zonesOf } from '../fleet.ts'
import type { State } from '../state.ts'

export type JobKind = 'job' | 'jobdone'

export interface JobName {
  readonly kind: JobKind
  readonly id: string
  /** Of the device, as text. */
  readonly zone: string
}

const NAME = /^(job|jobdone)-([0-9A-Z]{12})-([0-9A-Z]+)$/

export const jobFile = ({ kind, id, zone }: JobName): string => `${kind}-${id}-${zone}`

export function jobNames({ directory }: State): readonly JobName[] {
  let names: string[]
  try {
    names = readdirSync(directory)
  } catch {
    return [] // There is no state yet.
  }
  return names.flatMap(name => {
    const [, kind, id, zone] = NAME.exec(name) ?? []
    return kind && id && zone ? [{ kind: kind as JobKind, id, zone }] : []
  })
}

/** Whether anything is open for this device. */
export function hasOpenJobs(state: State, device: Device): boolean {
  const zones = zonesOf(device).map(zoneToText)
  return jobNames(state).some(({ kind, zone }) => kind === 'job' && zones.includes(zone))
}
