/** What is said, line by line: the end stays in sight while somebody reads there, and a line that is told again takes its old place. */

import { h } from './dom.ts'
import { moment } from './text.ts'

/** Near enough to the end that what comes is wanted in sight. */
const NEAR_PX = 80

export class Log {
  readonly element = h('div', {
    ...{ class: 'log', role: 'log', tabindex: 0, 'aria-label': 'What is said' },
  })
  private readonly lines = new Map<string, HTMLElement>()
  private isDue = false

  has(key: string): boolean {
    return this.lines.has(key)
  }

  put(key: string, line: HTMLElement): void {
    this.follow()
    const before = this.lines.get(key)
    this.lines.set(key, line)
    if (before) before.replaceWith(line)
    else this.element.append(line)
  }

  /** Before all that is there, in their order; what somebody reads stays where it is. How many there are of them that were not there. */
  putBefore(lines: readonly (readonly [key: string, line: () => HTMLElement])[]): number {
    const known = lines.findIndex(([key]) => this.lines.has(key))
    const fresh = known < 0 ? lines : lines.slice(0, known)
    const made = fresh.map(([key, line]) => [key, line()] as const)
    for (const [key, line] of made) this.lines.set(key, line)
    const { scrollHeight, scrollTop } = this.element
    this.element.prepend(...made.map(([, line]) => line))
    this.element.scrollTop = scrollTop + this.element.scrollHeight - scrollHeight
    return fresh.length
  }

  /** How many lines there are. */
  get size(): number {
    return this.lines.size
  }

  /** To the end with the next frame, if it is near now: before something is added, or grows. */
  follow(): void {
    if (this.isDue) return
    const { scrollHeight, scrollTop, clientHeight } = this.element
    if (scrollHeight - scrollTop - clientHeight >= NEAR_PX) return
    this.isDue = true
    requestAnimationFrame(() => {
      this.isDue = false
      this.element.scrollTop = this.element.scrollHeight
    })
  }
}

/** Who, when, what; `beside` stands behind the time. */
export const messageLine = (
  who: string,
  at: string,
  text: string,
  beside: string | null = null,
): HTMLElement => lineOf(who, at, beside, h('p', {}, text))

/** The same of what is more than a text. */
export const lineOf = (
  who: string,
  at: string,
  beside: string | null,
  what: HTMLElement,
): HTMLElement =>
  h(
    'div',
    { class: 'line' },
    ...[h('strong', {}, who), ' ', timeOf(at)],
    beside !== null && h('span', { class: 'quiet small' }, ` · ${beside}`),
    what,
  )

/** Something that has happened. */
export const eventLine = (what: string, at: string): HTMLElement =>
  h('div', { class: 'line quiet' }, what, ' ', timeOf(at))

const timeOf = (at: string): HTMLElement =>
  h('time', { datetime: at, class: 'quiet small' }, moment(at))
