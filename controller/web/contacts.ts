/** Who we talk to as it is now, kept up by the events of `box up`. */

export interface Contact {
  readonly name: string
  readonly zone: string
  readonly known: 'paired' | 'introduced' | 'unverified' | 'offered'
  readonly by: string | null
  readonly relays: readonly string[]
  readonly there: boolean
  readonly unread: number
  readonly waiting: number
}

export class Contacts {
  private readonly all = new Map<string, Contact>()
  private readonly seen = new Set<string>()
  private readonly listeners = new Set<() => void>()

  /** Those we talk to: who has said something first, then by name. */
  get people(): readonly Contact[] {
    return [...this.all.values()]
      .filter(({ known }) => known !== 'offered')
      .sort((a, b) => Number(b.unread > 0) - Number(a.unread > 0) || (a.name < b.name ? -1 : 1))
  }

  /** Who was introduced to us, and is not accepted yet. */
  get offers(): readonly Contact[] {
    return [...this.all.values()].filter(({ known }) => known === 'offered')
  }

  get unread(): number {
    return [...this.all.values()].reduce((sum, { unread }) => sum + unread, 0)
  }

  find(name: string): Contact | null {
    return this.people.find(one => one.name === name) ?? null
  }

  watch(changed: () => void, signal: AbortSignal): void {
    this.listeners.add(changed)
    signal.addEventListener('abort', () => this.listeners.delete(changed), { once: true })
  }

  /** All are told anew. */
  begin(): void {
    this.seen.clear()
  }

  take(event: string, data: unknown): void {
    const { zone } = data as Contact
    if (event === 'contact') {
      this.seen.add(zone)
      this.all.set(zone, data as Contact)
    } else if (event === 'forgotten') this.all.delete(zone)
    else if (event === 'complete') {
      for (const known of this.all.keys()) if (!this.seen.has(known)) this.all.delete(known)
    } else return
    for (const listener of this.listeners) listener()
  }
}
