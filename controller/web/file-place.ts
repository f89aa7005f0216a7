/** A directory of a device, as one of its users: its address in the page, and those of the local API about it. */

export interface NamedFile {
  readonly name: string
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  readonly leads_to: string | null
  readonly size: number
  readonly mode: string
  readonly modified_at: string
}

export interface Listing {
  /** From the root. */
  readonly path: string
  readonly entries: readonly NamedFile[]
  /** There are more behind this name. */
  readonly next: string | null
  readonly is_whole: boolean
}

export class FilePlace {
  readonly device: string
  /** `.` is the home of the user. */
  readonly path: string
  /** '': as whoever the agent runs as. */
  readonly user: string

  constructor(device: string, path: string, user: string) {
    this.device = device
    this.path = path
    this.user = user
  }

  in(path: string): FilePlace {
    return new FilePlace(this.device, path, this.user)
  }

  child(name: string): string {
    return this.path.endsWith('/') ? `${this.path}${name}` : `${this.path}/${name}`
  }

  /** In the page. */
  href(): string {
    const words = ['device', this.device, 'files', this.path, ...(this.user ? [this.user] : [])]
    return `#/${words.map(encodeURIComponent).join('/')}`
  }

  listUrl(after: string | null = null): string {
    return this.url(null, { path: this.path, ...(after !== null && { after }) })
  }

  /** Of a route about files; `null` is the one without a word. */
  url(word: string | null, query: Readonly<Record<string, string>> | null = null): string {
    const path = `/v1/devices/${encodeURIComponent(this.device)}/files${word === null ? '' : `/${word}`}`
    return query === null ? path : `${path}?${new URLSearchParams({ ...query, ...this.asUser() })}`
  }

  asUser(): { readonly user?: string } {
    return this.user === '' ? {} : { user: this.user }
  }
}
