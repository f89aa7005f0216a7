/** Work on many things, a line for each: what is being done to it, then what became of it. */

import { reasonOf, tellLines } from './api.ts'
import { h, replace, setText } from './dom.ts'
import { note } from './views.ts'

export interface Step {
  /** Of a device, or what else it is. */
  readonly name?: string
  readonly room?: string
  readonly contact?: string
  readonly doing?: string | null
  readonly result?: string | null
  readonly error?: { readonly message: string } | null
}

type Kind = 'good' | 'warn' | 'bad' | 'quiet'

/** How what became of one is told. */
export type Told<T> = (step: T) => readonly [Kind, string]

export class StepLines<T extends Step> {
  private readonly into: HTMLElement
  private readonly told: Told<T>
  private readonly lines = new Map<string, HTMLElement>()

  constructor(into: HTMLElement, told: Told<T>) {
    this.into = into
    this.told = told
  }

  show(step: T): void {
    const { doing, result } = step
    const name = nameOf(step) ?? ''
    const line = this.lines.get(name) ?? h('p', { class: 'note quiet' })
    if (!this.lines.has(name)) this.into.append(line)
    this.lines.set(name, line)
    if (typeof result !== 'string') {
      setText(line, doing ? `${name}: ${doing} …` : `${name}: waits`)
      return
    }
    const [kind, words] = this.told(step)
    line.className = `note ${kind}`
    setText(line, `${name}: ${words}`)
  }
}

/** Asks for it, and shows a line for each as it goes. Whether it was begun and came to its end. */
export async function followSteps<T extends Step>(
  out: HTMLElement,
  { path, body, first }: { readonly path: string; readonly body: object; readonly first: string },
  told: Told<T>,
): Promise<boolean> {
  replace(out, h('p', { class: 'quiet' }, first))
  const lines = new StepLines<T>(out, told)
  try {
    await tellLines<T>(path, body, step => {
      if (nameOf(step) !== undefined) lines.show(step)
      else if (step.error) out.append(note('bad', step.error.message))
    })
    return true
  } catch (error) {
    replace(out, note('bad', reasonOf(error)))
    return false
  }
}

/** A room may be called as a device is. */
const nameOf = ({ name, room, contact }: Step): string | undefined =>
  name ?? (room === undefined ? contact : `Room ${room}`)
