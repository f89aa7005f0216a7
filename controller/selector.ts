/** Which devices a command is for: a name, `@tag`, or all of them. */

import { BoxError } from '../src/base/errors.ts'
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

const matches = ({ name, tags }: Device, selector: string) =>
  selector.startsWith('@') ? tags.includes(selector.slice(1)) : name === selector
