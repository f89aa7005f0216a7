/** Asks for a word to be typed before something is done that cannot be undone. */

import { h } from './dom.ts'

interface Question {
  readonly title: string
  /** What it means, for whoever has not thought of it. */
  readonly means: readonly string[]
  /** What has to be typed, exactly. */
  readonly word: string
  readonly verb: string
  /** Aborted when the view that asks is left. */
  readonly signal: AbortSignal
}

let count = 0

/** Whether it was typed, and meant. */
export function isConfirmed({ title, means, word, verb, signal }: Question): Promise<boolean> {
  const id = `confirmation-${++count}`
  const typed = h('input', {
    ...{ autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', required: true },
    class: 'mono',
  })
  const act = h('button', { class: 'danger', disabled: true }, verb)
  const cancel = h('button', { type: 'button' }, 'Leave it')
  const dialog = h(
    'dialog',
    { 'aria-labelledby': id, 'aria-describedby': `${id}-means` },
    h(
      'form',
      { class: 'form' },
      h('h2', { id }, title),
      h('div', { id: `${id}-means` }, ...means.map(text => h('p', {}, text))),
      h(
        'label',
        {},
        h('span', {}, 'To go on, type ', h('strong', { class: 'break' }, word)),
        typed,
      ),
      h('div', { class: 'actions' }, act, cancel),
    ),
  )
  const isTyped = () => typed.value.trim() === word
  typed.addEventListener('input', () => {
    act.disabled = !isTyped()
  })
  dialog.addEventListener('submit', event => {
    event.preventDefault()
    if (isTyped()) dialog.close('yes')
  })
  cancel.addEventListener('click', () => dialog.close())
  const leave = () => dialog.close()
  signal.addEventListener('abort', leave, { once: true })
  document.body.append(dialog)
  dialog.showModal()
  typed.focus()
  return new Promise(resolve => {
    dialog.addEventListener('close', () => {
      signal.removeEventListener('abort', leave)
      dialog.remove()
      resolve(dialog.returnValue === 'yes')
    })
  })
}
