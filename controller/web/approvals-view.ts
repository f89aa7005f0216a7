/** What waits for a second person on any device: what will be done, all of it, and saying yes or no to it. */

import { ask, reasonOf, tell } from './api.ts'
import { h, replace } from './dom.ts'
import { deviceLink, heading, load, note, type Place, working } from './views.ts'

interface Approval {
  readonly device: string
  readonly id: string
  readonly who: string
  readonly may_approve: boolean
  /** In the words of `box approvals`: nothing hides in them. */
  readonly lines: readonly string[]
}

interface Waiting {
  readonly approvals: readonly Approval[]
  readonly away: readonly string[]
  readonly failed: readonly { readonly name: string; readonly message: string }[]
}

/** Each costs every device a key exchange; what waits, waits for half an hour. */
const EVERY_MS = 20_000

export function approvalsView(place: Place): void {
  const { main, signal } = place
  const list = h('div')
  const said = h('div', { 'aria-live': 'polite' })
  const get = () => ask<Waiting>('/v1/approvals', { signal })
  let shown = ''
  const show = (waiting: Waiting) => {
    shown = JSON.stringify(waiting)
    return partsOf(waiting, said, () => void again())
  }
  // What is as it was is left as it is, with whatever has the focus in it.
  const again = async () => {
    try {
      const waiting = await get()
      if (!signal.aborted && JSON.stringify(waiting) !== shown) replace(list, ...show(waiting))
    } catch (error) {
      if (!signal.aborted) replace(said, note('bad', reasonOf(error)))
    }
  }
  const button = h('button', { type: 'button' }, 'Ask again')
  button.addEventListener('click', () => {
    void working(button, said, async () => {
      await again()
      return null
    })
  })
  main.append(heading('Approvals', button), said, list)
  load(list, place, { doing: 'Asking the devices', get }, show)
  // Nobody is asked for a view that nobody sees; whoever comes back sees what is so then.
  const isSeen = () => document.visibilityState === 'visible'
  const look = () => isSeen() && shown !== '' && void again()
  const timer = setInterval(look, EVERY_MS)
  document.addEventListener('visibilitychange', look, { signal })
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

function partsOf({ approvals, away, failed }: Waiting, said: HTMLElement, done: () => void) {
  return [
    approvals.length === 0 && emptyPart(),
    ...approvals.map(one => requestPart(one, said, done)),
    ...failed.map(({ name, message }) => note('warn', deviceLink(name), `: ${message}`)),
    away.length > 0 && note('quiet', `Away, and not asked: ${away.join(', ')}.`),
  ]
}

const emptyPart = () =>
  h(
    'div',
    { class: 'empty' },
    h('h2', {}, 'Nothing waits'),
    h('p', {}, 'Here is what somebody asks for who needs a second person: by their grant, or by'),
    h('pre', {}, 'box exec kitchen --two -- reboot'),
  )

function requestPart(
  { device, id, who, may_approve, lines }: Approval,
  said: HTMLElement,
  done: () => void,
): HTMLElement {
  const judge = (verdict: 'approve' | 'deny', word: string, kind: string) => {
    const button = h(
      'button',
      { type: 'button', class: kind, 'aria-label': `${word} ${id} on ${device}` },
      word,
    )
    button.addEventListener('click', () => {
      void working(button, said, async () => {
        // By all of its name: it is this one or none.
        const path = `/v1/devices/${encodeURIComponent(device)}/approvals`
        await tell(path, { id, verdict })
        done()
        return verdict === 'approve'
          ? `Approved: ${device} does now what ${who} asks for.`
          : `Denied: ${who} is told so.`
      })
    })
    return button
  }
  const [title = '', ...rest] = lines
  return h(
    'section',
    { class: 'panel request', 'aria-label': title },
    h('h2', {}, `${who} on ${device}`),
    h('pre', { class: 'whole' }, [title, ...rest].join('\n')),
    may_approve
      ? h(
          'div',
          { class: 'actions' },
          judge('approve', 'Approve', 'primary'),
          judge('deny', 'Deny', 'danger'),
        )
      : h('p', { class: 'quiet' }, 'It is yours: it takes another person.'),
  )
}
