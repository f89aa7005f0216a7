/** What the commands about configuration have in common on the command line. */

import type { Argv } from 'yargs'
import type { Common } from '../command.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { select } from '../selector.ts'
import { TIMEOUT } from '../timeout.ts'

export interface Selection {
  readonly selector: string
  readonly timeout: number
}

export const selecting = (yargs: Argv<Common>) =>
  yargs
    .positional('selector', {
      type: 'string',
      demandOption: true,
      describe: 'a name, @tag, or @all for every device',
    })
    .option('timeout', TIMEOUT)

/** The devices meant. Throws DEVICE_UNKNOWN. */
export const selected = ({ fleet }: Context, selector: string): readonly Device[] =>
  selector === '@all'
    ? select(fleet.devices(), undefined, { all: true })
    : select(fleet.devices(), selector)
