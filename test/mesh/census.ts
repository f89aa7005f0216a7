/**
 * Counts what programs keep: the entries of every Map, Set and array that can be reached from an object,
 * summed by where they are (`class.field`). Private fields written with `#` are not seen.
 */

import { World } from '../sim/world.ts'

const isBytes = (value: object): boolean =>
  ArrayBuffer.isView(value) || value instanceof ArrayBuffer

/** Objects that belong to the world around a program are given in `except`, and not entered. */
export function census(
  roots: Iterable<object>,
  except: (value: object) => boolean = () => false,
): Map<string, number> {
  const counts = new Map<string, number>()
  const seen = new Set<object>()
  const queue: [object, string][] = [...roots].map(root => [root, root.constructor.name])
  const visit = (value: unknown, name: string) => {
    if (typeof value === 'object' && value !== null) queue.push([value, name])
  }
  for (let next = queue.pop(); next; next = queue.pop()) {
    const [value, name] = next
    if (seen.has(value) || isBytes(value) || value instanceof World || except(value)) continue
    seen.add(value)
    const size = sizeOf(value)
    if (size !== null) counts.set(name, (counts.get(name) ?? 0) + size)
    if (value instanceof Map) {
      for (const [key, item] of value) {
        visit(key, `${name} key`)
        visit(item, name)
      }
    } else if (value instanceof Set || Array.isArray(value)) {
      for (const item of value) visit(item, name)
    } else {
      const owner = nameOf(value, name)
      for (const [key, item] of Object.entries(value)) visit(item, `${owner}.${key}`)
    }
  }
  return counts
}

function sizeOf(value: object): number | null {
  if (value instanceof Map || value instanceof Set) return value.size
  return Array.isArray(value) ? value.length : null
}

/** Plain objects have no class: they are named by where they were found. */
const nameOf = (value: object, found: string): string => {
  const name = value.constructor?.name ?? 'Object'
  return name === 'Object' ? found : name
}
