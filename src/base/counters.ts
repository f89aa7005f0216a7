/** Counted events by name (`core.replayed`), and gauges that are read when somebody asks. */

export class Counters {
  private readonly counts = new Map<string, number>()
  private readonly gauges = new Map<string, () => number>()

  /** Counts an event; `name` is a constant text, area first: `cadet.relayed`. */
  add(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by)
  }

  /** Registers a number that is looked up when the counters are read, such as the size of a table. */
  gauge(name: string, read: () => number): void {
    this.gauges.set(name, read)
  }

  read(): Record<string, number> {
    const all: Record<string, number> = Object.fromEntries(this.counts)
    for (const [name, read] of this.gauges) all[name] = read()
    return all
  }
}
