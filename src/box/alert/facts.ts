/**
 * What rules can ask about: the variables of a status (docs/psyc.md) under their own names, and under shorter ones
 * what follows from them: shares, degrees, seconds. The same on the device and at a controller.
 */

import { fromPsycDate, inherits } from '../../psyc/keyword.ts'
import { entryTexts } from '../../psyc/texts.ts'

/** One value; of what there are several of, with the key of this one. */
export interface Fact {
  readonly key: string | null
  /** A number where it is one; both where it looks like one. */
  readonly number: number | null
  readonly text: string
}

export class Facts {
  private readonly all = new Map<string, readonly Fact[]>()

  /** All values of a variable; none where it is not known. */
  of(name: string): readonly Fact[] {
    return this.all.get(name) ?? []
  }

  /** All variables that inherit from a name, or are it. */
  under(name: string): [name: string, facts: readonly Fact[]][] {
    return [...this.all].filter(([one]) => inherits(one, name))
  }

  set(name: string, facts: readonly Fact[]): void {
    if (facts.length > 0) this.all.set(name, facts)
    else this.all.delete(name)
  }

  number(name: string, value: number | null): void {
    this.set(name, value !== null && Number.isFinite(value) ? [factOf(null, value)] : [])
  }
}

/** Which variables have one value of each of something; whatever a status has as a dict is one of its own. */
const DOMAINS: readonly [name: string, domain: string][] = [
  ['_disk', 'disk'],
  ['_temperature', 'sensor'],
  ['_interface', 'interface'],
  ['_service', 'service'],
]

/** The things of which a variable has one value each; null where it has one value. */
export function domainOf(name: string): string | null {
  const short = DOMAINS.find(([one]) => inherits(name, one))
  if (short) return short[1]
  return inherits(name, '_dict') ? name : null
}

/** More digits are no number that anybody measures. */
const NUMBER = /^-?\d{1,15}(?:\.\d{1,15})?(?:e[+-]?\d{1,3})?$/i
const decoder = new TextDecoder()

const factOf = (key: string | null, value: number): Fact => ({
  ...{ key, number: value, text: `${value}` },
})

/** The number that a text is; null where it is none. */
export const numberIn = (text: string): number | null => (NUMBER.test(text) ? Number(text) : null)

const factIn = (key: string | null, text: string): Fact => ({
  ...{ key, text, number: numberIn(text) },
})

/** The facts in the variables of a status; `now` tells how long the device is up. What makes no sense is left out. */
export function factsOf(values: ReadonlyMap<string, Uint8Array>, now: number): Facts {
  const facts = new Facts()
  for (const [name, value] of values) {
    if (inherits(name, '_list') || inherits(name, '_struct')) continue
    if (inherits(name, '_dict')) facts.set(name, entriesOf(value))
    else {
      const fact = [factIn(null, decoder.decode(value))]
      facts.set(name, fact)
      // What it counts is in the rest of its name.
      if (inherits(name, '_amount') && name !== '_amount') facts.set(name.slice(7), fact)
    }
  }
  derive(facts)
  tellTime(facts, now)
  return facts
}

/** What changes by itself. */
export function tellTime(facts: Facts, now: number): void {
  const booted = fromPsycDate(facts.of('_date_boot')[0]?.text ?? '')
  facts.number('_uptime', booted === null ? null : Math.max(0, (now - booted) / 1_000))
}

function derive(facts: Facts): void {
  const one = (name: string): number | null => facts.of(name)[0]?.number ?? null
  const hundredths = one('_amount_load_hundredths')
  const processors = one('_amount_processors')
  facts.number('_load', hundredths === null ? null : hundredths / 100)
  if (hundredths !== null && processors) facts.number('_load_ratio', hundredths / 100 / processors)
  const total = one('_amount_memory_total')
  const available = one('_amount_memory_available')
  if (total && available !== null) {
    facts.number('_memory_used', total - available)
    facts.number('_memory_used_ratio', 1 - available / total)
  }
  const each = (from: string, to: string, by = 1) =>
    facts.set(
      to,
      mapped(facts.of(from), value => value / by),
    )
  each('_dict_disks_total', '_disk_total')
  each('_dict_disks_used', '_disk_used')
  each('_dict_temperatures_thousandths', '_temperature', 1_000)
  each('_dict_interfaces_received', '_interface_received')
  each('_dict_interfaces_sent', '_interface_sent')
  facts.set('_service_state', facts.of('_dict_services_state'))
  deriveClock(facts)
  const used = new Map(facts.of('_disk_used').map(({ key, number }) => [key, number]))
  const ofDisk = (read: (used: number, size: number) => number) =>
    facts.of('_disk_total').flatMap(({ key, number: size }) => {
      const part = used.get(key) ?? null
      return size && part !== null ? [factOf(key, read(part, size))] : []
    })
  facts.set(
    '_disk_free',
    ofDisk((part, size) => size - part),
  )
  facts.set(
    '_disk_used_ratio',
    ofDisk((part, size) => part / size),
  )
}

/** Seconds; by how much it is ahead, how well that is known, and by how much it is wrong at the very least. */
function deriveClock(facts: Facts): void {
  const seconds = (name: string): number | null => {
    const ms = facts.of(`_amount_clock_${name}_milliseconds`)[0]?.number ?? null
    return ms === null ? null : ms / 1_000
  }
  const [offset, error] = [seconds('offset'), seconds('error')]
  if (offset === null || error === null) return
  facts.number('_clock_offset', offset)
  facts.number('_clock_error', error)
  facts.number('_clock_wrong', Math.max(0, Math.abs(offset) - error))
}

const mapped = (facts: readonly Fact[], read: (value: number) => number): Fact[] =>
  facts.flatMap(({ key, number }) => (number === null ? [] : [factOf(key, read(number))]))

const entriesOf = (value: Uint8Array): Fact[] =>
  entryTexts(value).flatMap(([key, text]) => (text === null ? [] : [factIn(key, text)]))
