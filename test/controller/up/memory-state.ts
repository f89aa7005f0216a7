/** The state of a controller in memory, for tests that write it so often that a disk would be what they wait for. */

import type { State } from '../../../controller/state.ts'

export function memoryState(): State {
  const files = new Map<string, string>()
  return {
    directory: '/nowhere',
    readText: name => files.get(name) ?? null,
    writeText: (name, text) => void files.set(name, text),
    remove: name => void files.delete(name),
    exclusively: async change => change(),
  }
}
