/** What is being moved between here and devices, or people. It goes on while other views are shown; each can be ended. */

import { h, replace, setText } from './dom.ts'
import { bytes } from './text.ts'
import { whyNot } from './transfer.ts'
import { note } from './views.ts'

type Moving = (options: {
  readonly moved: (bytes: number, of: number | null) => void
  readonly signal: AbortSignal
}) => Promise<string>

export class Transfers {
  readonly element = h('div', { role: 'region', 'aria-label': 'Uploads and downloads' })
  private readonly listeners = new Set<() => void>()

  /** Called when one has ended well. */
  watch(ended: () => void, signal: AbortSignal): void {
    this.listeners.add(ended)
    signal.addEventListener('abort', () => this.listeners.delete(ended), { once: true })
  }

  /** Shows what goes on until it has ended, and then the sentence that it resolves to, or why not. */
  async run(title: string, move: Moving): Promise<void> {
    const end = new AbortController()
    const bar = h('progress', { 'aria-label': title })
    const amount = h('span', { class: 'quiet small' })
    const cancel = h(
      'button',
      { type: 'button', 'aria-label': `End: ${title}`, on: { click: () => end.abort() } },
      'End',
    )
    const row = h('div', { class: 'panel transfer' }, h('span', {}, title), bar, amount, cancel)
    // What went well before has been seen; what did not stays until it is taken away.
    for (const one of this.element.querySelectorAll('.transfer:has(.good)')) one.remove()
    this.element.append(row)
    const moved = (count: number, of: number | null) => {
      if (of !== null && of > 0) {
        bar.max = of
        bar.value = count
      }
      setText(amount, of === null ? bytes(count) : `${bytes(count)} of ${bytes(of)}`)
    }
    try {
      const said = await move({ moved, signal: end.signal })
      this.finish(row, note('good', said))
      for (const listener of this.listeners) listener()
    } catch (error) {
      const why = whyNot(error)
      if (why === null) row.remove()
      else this.finish(row, note('bad', `${title}: ${why}`))
    }
  }

  private finish(row: HTMLElement, said: HTMLElement): void {
    const away = h(
      'button',
      { type: 'button', 'aria-label': 'Take this note away', on: { click: () => row.remove() } },
      '×',
    )
    row.className = 'transfer'
    replace(row, said, away)
  }
}
