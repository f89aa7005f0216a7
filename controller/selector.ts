/** Which devices a command is for: a name, `@tag`, or all of them. */

import { BoxError } from '../src/base/errors.ts'
import type { Context } from './context.ts'
import type { Device } from './fleet.ts'

/** The devices meant, in the order of their names. Throws DEVICE_UNKNOWN where there is none. */
export function select(
  devices: readonly Device[],
  selector: string | undefined,
  { all = false } = {},
): readonly Device[] {
  if (all && selector) throw new BoxError('INPUT_INVALID', 'Give either a selector or --all.')
  if (!(all || selector))
    throw new BoxError('INPUT_INVALID', 'Say which devices: a name, @tag or --all.')
  const meant = all ? devices : devices.filter(device => matches(device, selector!))
  if (meant.length === 0)
    throw new BoxError('DEVICE_UNKNOWN', selector ? `Nothing matches "${selector}".` : undefined)
  return meant.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** The devices meant; all without a selector. Says so where there is none yet. Throws DEVICE_UNKNOWN. */
export function selectOrAll(
  { fleet, output }: Pick<Context, 'fleet' | 'output'>,
  selector: string | undefined,
): readonly Device[] {
  const devices = fleet.devices()
  if (devices.length > 0) return select(devices, selector, { all: !selector })
  output.remark('No devices yet: see box pair --help.')
  return []
}

const matches = ({ name, tags }: Device, selector: string) =>
  selector.startsWith('@') ? tags.includes(selector.slice(1)) : name === selector
