/** Small values by name, each replaced as a whole or not at all. */

export interface Store {
  /** The value, or null where there is none. */
  get(name: string): Uint8Array | null
  /** Replaces the value; when this returns, it survives a crash. */
  set(name: string, value: Uint8Array): void
  delete(name: string): void
  names(): readonly string[]
}

/** A store that lasts as long as the process: tests, and commands that leave no trace. */
export function memoryStore(): Store {
  const values = new Map<string, Uint8Array>()
  return {
    get: name => values.get(name) ?? null,
    set: (name, value) => void values.set(name, value.slice()),
    delete: name => void values.delete(name),
    names: () => [...values.keys()],
  }
}
