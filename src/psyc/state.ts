/**
 * The state of a context: variables that last, changed by the modifiers of its packets.
 *
 * A packet changes all it says or nothing: a modifier that does not fit throws a WireError and the state is
 * as before. An empty value is no value. What it holds is copied and bounded.
 */

import { BoxError } from '../base/errors.ts'
import { WireError } from '../wire/layout.ts'
import { inherits, lineage } from './keyword.ts'
import { type Modifier, PACKET_SIZE_MAX, type Packet, packet } from './packet.ts'
import { augment, diminish, kindOf, update } from './value.ts'

/** A few variables for each device of a large fleet. */
const VARIABLES_MAX = 4_096
/** What a variable takes in a packet beside its name and value. */
const OVERHEAD = 16
/** So that the whole state always fits a packet. */
const SIZE_MAX = PACKET_SIZE_MAX - 1_024

const EMPTY = new Uint8Array(0)

export class State {
  private values = new Map<string, Uint8Array>()
  private size = 0

  /** The value of a variable; null where there is none. */
  get(name: string): Uint8Array | null {
    return this.values.get(name) ?? null
  }

  /** The value of the name or of the nearest it inherits from; null where there is none. */
  nearest(name: string): { readonly name: string; readonly value: Uint8Array } | null {
    for (const candidate of lineage(name)) {
      const value = this.values.get(candidate)
      if (value) return { name: candidate, value }
    }
    return null
  }

  /** All that are `name` or inherit from it; all there are for ''. In the order of their names. */
  under(name: string): [name: string, value: Uint8Array][] {
    return [...this.values]
      .filter(([candidate]) => inherits(candidate, name))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
  }

  /** Throws as `apply` would, and changes nothing. */
  check({ sync, entity }: Pick<Packet, 'sync' | 'entity'>): void {
    this.measure(this.draft(sync, entity))
  }

  /** Applies what a packet says. Throws WireError, or LIMIT_EXCEEDED; nothing has changed then. */
  apply({ sync, entity }: Pick<Packet, 'sync' | 'entity'>): void {
    const draft = this.draft(sync, entity)
    this.size = this.measure(draft)
    for (const [name, value] of draft.changed) {
      if (value.length === 0) draft.values.delete(name)
      else draft.values.set(name, value.slice())
    }
    this.values = draft.values
  }

  /** The current variables while a packet is handled: the lasting ones, and over them those of the packet. */
  overlaid(entity: readonly Modifier[]): ReadonlyMap<string, Uint8Array> {
    const all = new Map(this.values)
    for (const { operator, name, value } of entity) if (operator === ':') all.set(name, value)
    return all
  }

  /** The whole state as one packet, which makes any copy equal to this one. */
  snapshot(): Packet {
    return packet({
      sync: 'reset',
      entity: this.under('').map(([name, value]): Modifier => ({ operator: '=', name, value })),
    })
  }

  private draft(sync: Packet['sync'], entity: readonly Modifier[]): Draft {
    const draft = new Draft(sync === 'reset' ? new Map() : this.values)
    for (const one of entity) draft.apply(one)
    return draft
  }

  /** How large the state will be. Throws LIMIT_EXCEEDED. */
  private measure({ values, changed }: Draft): number {
    let size = values === this.values ? this.size : 0
    let count = values.size
    for (const [name, value] of changed) {
      const old = values.get(name)
      if (old) size -= sizeOf(name, old)
      if (old) count--
      if (value.length > 0) size += sizeOf(name, value)
      if (value.length > 0) count++
    }
    if (size > SIZE_MAX) throw new BoxError('LIMIT_EXCEEDED', 'The state is too large.')
    if (count > VARIABLES_MAX) throw new BoxError('LIMIT_EXCEEDED', 'There are too many variables.')
    return size
  }
}

const sizeOf = (name: string, value: Uint8Array): number => name.length + value.length + OVERHEAD

/** What a packet will have changed once all of it fits. */
class Draft {
  readonly values: Map<string, Uint8Array>
  readonly changed = new Map<string, Uint8Array>()

  constructor(values: Map<string, Uint8Array>) {
    this.values = values
  }

  apply({ operator, name, value }: Modifier): void {
    switch (operator) {
      case ':':
        return
      case '=':
        this.changed.set(name, value)
        return
      case '+':
        this.changed.set(name, augment(kindOf(name), this.now(name), value))
        return
      case '-':
        this.changed.set(name, diminish(kindOf(name), this.now(name), value))
        return
      case '@':
        this.changed.set(
          name,
          update(
            this.now(name),
            value,
            other => this.changed.get(other) ?? this.values.get(other) ?? null,
          ),
        )
        return
      case '?':
      case '!':
        throw new WireError('STATE', name, 0, `the operator ${operator} has no meaning`)
    }
  }

  private now(name: string): Uint8Array {
    return this.changed.get(name) ?? this.values.get(name) ?? EMPTY
  }
}

/** The modifiers that make `after` out of `before`: what is sent when only changes are. */
export function difference(
  before: ReadonlyMap<string, Uint8Array>,
  after: ReadonlyMap<string, Uint8Array>,
  same: (a: Uint8Array, b: Uint8Array) => boolean,
): Modifier[] {
  const changes: Modifier[] = []
  for (const [name, value] of after) {
    const old = before.get(name)
    if (!old || !same(old, value)) changes.push({ operator: '=', name, value })
  }
  for (const name of before.keys())
    if (!after.has(name)) changes.push({ operator: '=', name, value: EMPTY })
  return changes
}
