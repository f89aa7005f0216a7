/** What a command is: a value that says how it is called, and a function that is given its context. */

import type { Argv } from 'yargs'
import type { MeshChoice } from '../src/mesh/mesh.ts'
import type { Context } from './context.ts'

/** What every command understands. */
export interface Common {
  readonly json: boolean
  readonly state: string | undefined
  readonly mesh?: MeshChoice | undefined
  readonly 'gnunet-conf'?: string | undefined
  /** The words after `--`. */
  readonly '--'?: readonly string[]
}

export interface Command<A = unknown> {
  /** How it is written, as yargs reads it: `rename <name> <to>`. */
  readonly usage: string
  /** At least one: what to type, and what that does. */
  readonly examples: readonly (readonly [typed: string, effect: string])[]
  /** Set where words beginning with a dash are arguments (`-TAG`). */
  readonly dashedWords?: true
  options(yargs: Argv<Common>): Argv<A>
  /** Returns the exit code where it is not 0. */
  run(context: Context, args: A & Common): Promise<number | undefined>
}

/** A command, checked against its own arguments and then usable beside all others. */
export const command = <A>(definition: Command<A>): Command => definition as Command
