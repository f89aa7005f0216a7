/** What a command of `box-agent` is: a value; what it needs is given to it. */

import type { Terminal } from './terminal.ts'

/** One option, declared once: for reading it, and for the help. */
export interface Option {
  readonly type: 'string' | 'boolean' | 'number'
  /** May be given several times. */
  readonly array?: true
  readonly default?: string | boolean | number
  readonly choices?: readonly string[]
  readonly describe: string
}

export type Options = Readonly<Record<string, Option>>

type Scalar<O extends Option> = O['type'] extends 'number'
  ? number
  : O['type'] extends 'boolean'
    ? boolean
    : string
type Value<O extends Option> = O extends { array: true } ? readonly string[] : Scalar<O>

type HasDefault<O extends Option> = undefined extends O['default'] ? false : true

/** What was typed, by option; undefined where it was not, and has no default. */
export type Values<T extends Options> = {
  readonly [K in keyof T]: Value<T[K]> | (HasDefault<T[K]> extends true ? never : undefined)
}

/** What every command understands. */
export const COMMON = {
  json: { type: 'boolean', default: false, describe: 'print JSON' },
  state: {
    type: 'string',
    describe: 'keep keys and owners in this directory (or set BOX_STATE)',
  },
} as const satisfies Options

export interface Surroundings {
  /** Where keys, owners and settings lie. */
  readonly directory: string
  readonly terminal: Terminal
  /** Aborted when the person, or the system, wants the command to end. */
  readonly signal: AbortSignal
}

export interface Command<T extends Options = Options> {
  readonly name: string
  readonly describe: string
  /** At least one: what to type, and what that does. */
  readonly examples: readonly (readonly [typed: string, effect: string])[]
  readonly options: T
  run(surroundings: Surroundings, args: Values<T & typeof COMMON>): Promise<void>
}

/** A command, checked against its own options and then usable beside all others. */
export const command = <const T extends Options>(definition: Command<T>): Command =>
  definition as unknown as Command
