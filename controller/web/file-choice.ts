/** Files that somebody chooses, or drops somewhere. */

import { h } from './dom.ts'

type Take = (files: readonly File[]) => void

/** A button that asks for files. */
export function fileButton(word: string, take: Take, primary = false): HTMLElement {
  const input = h('input', { type: 'file', multiple: true, hidden: true })
  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])]
    // The same one may be chosen again.
    input.value = ''
    take(files)
  })
  const pick = h('button', { type: 'button', class: primary ? 'primary' : '' }, word)
  pick.addEventListener('click', () => input.click())
  return h('span', {}, pick, input)
}

interface Dropping {
  readonly take: Take
  /** Directories cannot be taken: their names. */
  readonly refuse: (names: readonly string[]) => void
}

/** Takes what is dropped there, and shows while something could be. */
export function acceptDrops(into: HTMLElement, { take, refuse }: Dropping): void {
  const show = (isOver: boolean) => into.classList.toggle('dropping', isOver)
  into.addEventListener('dragover', event => {
    // A text that is dragged along is none of ours.
    if (!event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    show(true)
  })
  into.addEventListener('dragleave', () => show(false))
  into.addEventListener('drop', event => {
    show(false)
    if (!event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    const items = [...event.dataTransfer.items].filter(({ kind }) => kind === 'file')
    const directories = items.filter(item => item.webkitGetAsEntry()?.isDirectory)
    const names = directories.flatMap(item => item.getAsFile()?.name ?? [])
    const files = items.filter(item => !directories.includes(item))
    if (directories.length > 0) refuse(names)
    take(files.flatMap(item => item.getAsFile() ?? []))
  })
}
