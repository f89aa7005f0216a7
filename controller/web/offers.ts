/** Files that people hand out, in a talk or a room: a line for each with what can be done, attaching some, and how far they are. */

import { ask, tell } from './api.ts'
import { h, replace } from './dom.ts'
import { acceptDrops, fileButton } from './file-choice.ts'
import { type Log, lineOf } from './log.ts'
import { bytes } from './text.ts'
import { DOWNLOAD_MAX, download, keep, upload } from './transfer.ts'
import { Transfers } from './transfers.ts'
import { note, working } from './views.ts'

/** What is said of one. */
export interface SaidOffer {
  readonly at: string
  readonly file?: string
  readonly name?: string
  readonly size?: number
}

interface Offered {
  readonly file: string
  readonly name: string
  readonly size: number
  readonly in: 'contact' | 'room'
  /** Null: we offer it. */
  readonly by_zone: string | null
  readonly state: string
  readonly here: number
  readonly fetched_by: readonly string[] | null
}

/** As somebody calls it who types. */
const ID_SHOWN = 8
/** Several are told together. */
const LOOK_MS = 150
/** Whether somebody has fetched what is ours. */
const AGAIN_MS = 10_000

/** They go on when another view is shown. */
const transfers = new Transfers()

interface OfferPlace {
  /** Of the contact or room, below which files are offered. */
  readonly path: string
  /** What that is called. */
  readonly where: string
  readonly log: Log
  readonly signal: AbortSignal
}

export class Offers {
  readonly said = h('div', { 'aria-live': 'polite' })
  /** What is being sent and fetched. */
  readonly element = h('div', {}, this.said, transfers.element)
  private readonly place: OfferPlace
  /** The state of each, and where it is shown. */
  private readonly known = new Map<string, Offered>()
  private readonly shown = new Map<string, HTMLElement>()
  private isDue = false

  constructor(place: OfferPlace) {
    const { signal } = place
    this.place = place
    transfers.watch(() => this.lookSoon(), signal)
    const again = () => {
      const isWaited = [...this.shown.keys()].some(file => this.known.get(file)?.state === 'yours')
      if (isWaited && document.visibilityState === 'visible') this.lookSoon()
    }
    document.addEventListener('visibilitychange', again, { signal })
    const timer = setInterval(again, AGAIN_MS)
    signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  }

  /** The button beside what is typed; what is dropped where one reads is attached as well. */
  attaching(): HTMLElement {
    const take = (files: readonly File[]) => void this.offer(files)
    acceptDrops(this.place.log.element, {
      take,
      refuse: names => {
        const why = `${names.join(', ')}: a directory cannot be offered. Pack it into one file.`
        replace(this.said, note('bad', why))
      },
    })
    return fileButton('Attach files', take)
  }

  /** The line of something that was said. */
  line(who: string, { at, file = '', name = '?', size = 0 }: SaidOffer, beside: string | null) {
    const about = h('div', { class: 'offer' })
    this.shown.set(file, about)
    this.draw(file, { name, size })
    this.lookSoon()
    return lineOf(who, at, beside, about)
  }

  private draw(file: string, { name, size }: Pick<Offered, 'name' | 'size'>): void {
    const into = this.shown.get(file)
    if (!into) return
    const one = this.known.get(file) ?? null
    const state = one ? stateOf(one) : ''
    const actions = one ? this.actionsOf(one) : []
    const key = JSON.stringify([state, actions.map(({ textContent }) => textContent)])
    // What is as it was stays: somebody may have the focus in it.
    if (into.dataset.key === key) return
    into.dataset.key = key
    this.place.log.follow()
    replace(
      into,
      h('span', { class: 'name' }, name),
      h('span', { class: 'quiet small' }, [bytes(size), state].filter(Boolean).join(' · ')),
      ...actions,
    )
  }

  private actionsOf(one: Offered): HTMLElement[] {
    const button = (word: string, done: (button: HTMLButtonElement) => void) => {
      const pressed = h('button', { type: 'button', 'aria-label': `${word} ${one.name}` }, word)
      pressed.addEventListener('click', () => done(pressed))
      return pressed
    }
    const giveUp = (word: string, means: string) =>
      button(word, pressed => this.giveUp(one, means, pressed))
    if (one.by_zone === null)
      return one.state === 'taken'
        ? []
        : [giveUp('Take back', `${one.name} is handed out no longer.`)]
    const get = button('Fetch', pressed => this.fetch(one, pressed))
    switch (one.state) {
      case 'offered':
        return [get]
      case 'begun':
        return [get, giveUp('Discard', `What has come of ${one.name} is gone.`)]
      case 'here':
        // What came from a contact is theirs to hand out.
        if (one.in === 'contact') return [get]
        return [get, giveUp('Stop handing out', `${one.name} is handed out from here no longer.`)]
      default:
        return []
    }
  }

  /** One after the other. */
  private async offer(files: readonly File[]): Promise<void> {
    const { path, where } = this.place
    for (const file of files) {
      const to = `${path}/files?${new URLSearchParams({ name: file.name })}`
      await transfers.run(`${file.name} to ${where}`, async options => {
        await upload(to, file, { ...options, method: 'POST' })
        return `${file.name} is offered to ${where}, and fetched from here while box up runs.`
      })
    }
  }

  private fetch({ file, name, size }: Offered, pressed: HTMLButtonElement): void {
    if (size > DOWNLOAD_MAX) {
      const line = `box files get ${file.slice(0, ID_SHOWN)}`
      replace(this.said, note('bad', `It is too large for a browser: ${line}`))
      return
    }
    pressed.disabled = true
    void transfers
      .run(`${name} from ${this.place.where}`, async options => {
        keep(await download(`/v1/files/${file}/content`, options), name)
        return `${name} is with your browser, which saves it.`
      })
      // Also where it was ended, or failed: some of it may be here.
      .finally(() => {
        pressed.disabled = false
        this.lookSoon()
      })
  }

  private giveUp({ file }: Offered, means: string, pressed: HTMLButtonElement): void {
    void working(pressed, this.said, async () => {
      const { at_relay } = await tell<{ readonly at_relay: boolean }>(
        `/v1/files/${file}`,
        {},
        { method: 'DELETE' },
      )
      this.lookSoon()
      return at_relay
        ? `${means} A relay of theirs could not be told, and keeps it a while.`
        : means
    })
  }

  private lookSoon(): void {
    if (this.isDue || this.place.signal.aborted) return
    this.isDue = true
    setTimeout(() => {
      this.isDue = false
      void this.look()
    }, LOOK_MS)
  }

  private async look(): Promise<void> {
    try {
      const { files } = await ask<{ readonly files: readonly Offered[] }>('/v1/files', {
        signal: this.place.signal,
      })
      for (const one of files) {
        this.known.set(one.file, one)
        this.draw(one.file, one)
      }
    } catch {
      // What is said tells that nothing comes; the next change asks again.
    }
  }
}

function stateOf({ state, here, in: circle, fetched_by }: Offered): string {
  switch (state) {
    case 'yours':
      return 'handed out from here'
    case 'left':
      return 'with a relay of theirs, until they fetch it'
    case 'gone':
      return 'gone from their relay'
    case 'fetched':
      return `fetched by ${fetched_by?.length ?? 0}`
    case 'taken':
      return 'taken back'
    case 'begun':
      return `${bytes(here)} of it is here`
    case 'here':
      return circle === 'room' ? 'fetched, and handed out from here' : 'fetched'
    default:
      return ''
  }
}
