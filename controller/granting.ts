/** Letting somebody in on a device, and out: statements we sign, taken there. For commands and the API alike. */

import { BoxError } from '../src/base/errors.ts'
import { askGrant } from '../src/box/control.ts'
import type { Grant, Right } from '../src/box/grant.ts'
import { signGrant } from '../src/box/grant-statement.ts'
import { personName } from '../src/box/person-name.ts'
import { type Scope, WHOLE_SCOPE } from '../src/box/scope.ts'
import { zoneFromText, zoneToText } from '../src/gns/name.ts'
import type { Context } from './context.ts'
import { grantsOf } from './device-pages.ts'
import { reach } from './device-session.ts'
import type { Device } from './fleet.ts'

export interface Granted {
  /** The zone key, as text. */
  readonly person: string
  /** What the person is called. */
  readonly as: string
  readonly rights: readonly Right[]
  readonly scope: Scope
  /** Milliseconds since 1970; null: until it is revoked. */
  readonly until: number | null
}

type Options = { readonly timeoutMs: number }

/** What the person had before is replaced. Fails with NAME_INVALID, as `reach`, and with NOT_PERMITTED. */
export async function letIn(
  context: Context,
  device: Device,
  { person, as, ...what }: Granted,
  options: Options,
): Promise<void> {
  const { clock, signal } = context
  const signed = signGrant(context.ego().secret, {
    ...{ device: device.zone, holder: zoneFromText(person), number: clock.now() },
    ...{ name: personName(as), ...what },
  })
  const session = await reach(context, device, { service: 'control', ...options })
  await askGrant(session, signed, { clock, signal })
}

/** Whose grant was ended: by what the device calls them, or by their key. Fails as `letIn`, and with INPUT_INVALID. */
export async function putOut(
  context: Context,
  device: Device,
  person: string,
  options: Options,
): Promise<Grant> {
  const { clock, signal } = context
  const found = meant(await grantsOf(context, device, options), person)
  const signed = signGrant(context.ego().secret, {
    ...{ device: device.zone, holder: found.zone, number: clock.now(), until: null },
    ...{ name: found.holder, rights: [], scope: WHOLE_SCOPE },
  })
  const session = await reach(context, device, { service: 'control', ...options })
  await askGrant(session, signed, { clock, signal })
  return found
}

function meant(all: readonly Grant[], person: string): Grant {
  const held = all.filter(({ rights }) => rights.length > 0)
  const found = held.filter(({ holder, zone }) => holder === person || zoneToText(zone) === person)
  if (found.length === 1) return found[0]!
  throw new BoxError(
    'INPUT_INVALID',
    found.length === 0
      ? `Nobody called "${person}" has a grant: see box grants.`
      : `Several are called "${person}": give the zone key.`,
  )
}

/** The end of a grant as people write it: a day, or a time. Throws INPUT_INVALID. */
export function untilIn(text: string, now: number): number {
  const at = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z?)?$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at)) throw new BoxError('INPUT_INVALID', `"${text}" is no day: 2027-01-31 is.`)
  if (at <= now) throw new BoxError('INPUT_INVALID', `${text} is over.`)
  return at
}
