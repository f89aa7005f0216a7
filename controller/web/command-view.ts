/** One command on a device, with what it prints as it comes; and the commands that wait there, or come again. */

import { ask, Refused, tell, tellLines } from './api.ts'
import { h } from './dom.ts'
import { moment } from './text.ts'
import { backTo, heading, load, type Place, table, when, working } from './views.ts'

/** Of what is printed, so much is kept in sight: the end is what is read. */
const SHOWN_MAX = 200_000

interface Line {
  readonly stream?: 'out' | 'err'
  readonly data?: string
  readonly exit_code?: number | null
  readonly error?: { readonly code: string; readonly message: string } | null
}

interface Jobs {
  readonly jobs: readonly {
    readonly id: string
    readonly line: string
    readonly every: string | null
    readonly state: string
    readonly cancelling: boolean
    readonly queued_at: string
    readonly next_at: string | null
    readonly runs: readonly { readonly exit_code: number | null; readonly stdout: string }[]
  }[]
}

export function commandView(place: Place): void {
  const { main, words, signal } = place
  const [name = ''] = words
  const jobs = h('div')
  const said = h('div', { 'aria-live': 'polite' })
  const printed = h('pre', {
    ...{ tabindex: 0, role: 'region', 'aria-label': 'What it prints', hidden: true },
  })
  const command = h('input', {
    ...{ id: 'command', required: true, autocomplete: 'off', spellcheck: 'false', class: 'mono' },
  })
  const waits = h('input', { type: 'checkbox' })
  const run = h('button', { class: 'primary' }, 'Run')
  const showJobs = () => showJobsOf(jobs, name, place, said)
  const submit = (event: Event) => {
    event.preventDefault()
    const asked = { selector: name, command: command.value }
    printed.hidden = waits.checked
    void working(run, said, async () => {
      if (!waits.checked) return await follow(asked, printed, signal)
      await tell<Jobs>('/v1/jobs', asked)
      showJobs()
      return 'It is with the device, or waits for it.'
    })
  }
  main.append(
    heading(`Command: ${name}`, backTo(name)),
    h(
      'form',
      { class: 'panel form', on: { submit } },
      h('label', { for: 'command' }, h('span', {}, 'For the shell of the device'), command),
      h('label', { class: 'check' }, waits, 'Let it wait where the device is off'),
      h('div', { class: 'actions' }, run),
    ),
    ...[said, printed],
    h('section', {}, h('h2', {}, 'What waits, and comes again'), jobs),
  )
  showJobs()
  command.focus()
}

/** Until it has ended; nobody waits for it any more where another view takes its place. */
async function follow(asked: object, into: HTMLElement, signal: AbortSignal) {
  into.replaceChildren()
  let size = 0
  let end: Line | null = null
  const show = (line: Line) => {
    if (line.data === undefined) {
      end = line
      return
    }
    into.append(h('span', { class: line.stream === 'err' ? 'taken' : '' }, line.data))
    size += line.data.length
    while (size > SHOWN_MAX && into.firstChild) {
      size -= into.firstChild.textContent?.length ?? 0
      into.firstChild.remove()
    }
  }
  await tellLines<Line>('/v1/exec', asked, show, { signal })
  const { exit_code: code, error } = (end ?? {}) as Line
  if (error) throw new Refused(0, error.code, error.message)
  if (code === undefined) throw new Refused(0, 'LOST', 'box up ended before the command did.')
  if (code !== 0) throw new Refused(0, 'EXIT', `It has ended, with exit code ${code}.`)
  return 'It has ended well.'
}

function showJobsOf(into: HTMLElement, name: string, place: Place, said: HTMLElement): void {
  const path = `/v1/jobs?device=${encodeURIComponent(name)}`
  const get = () => ask<Jobs>(path, { signal: place.signal })
  const again = () => showJobsOf(into, name, place, said)
  load(into, place, { doing: 'Asking box up', get }, ({ jobs }) =>
    jobs.length === 0
      ? [h('p', { class: 'quiet' }, 'Nothing.')]
      : [
          table(
            'Jobs',
            ['Command', 'State', '', 'Since'],
            jobs.map(job => [
              h('code', {}, job.line),
              stateOf(job),
              isOver(job) ? '' : cancelOf(job.id, name, said, again),
              when(job.queued_at),
            ]),
          ),
        ],
  )
}

const isOver = ({ state, cancelling }: Jobs['jobs'][number]): boolean =>
  cancelling || !['waiting', 'taken', 'begun', 'scheduled'].includes(state)

function stateOf({ state, cancelling, every, next_at, runs }: Jobs['jobs'][number]): string {
  const code = runs.at(-1)?.exit_code
  return [
    cancelling ? 'is being cancelled' : state,
    ...(every === null ? [] : [`every ${every}`]),
    ...(next_at === null ? [] : [`next ${moment(next_at)}`]),
    ...(code === undefined || code === null ? [] : [`exit code ${code}`]),
  ].join(', ')
}

function cancelOf(id: string, device: string, said: HTMLElement, done: () => void): HTMLElement {
  const button = h('button', { type: 'button', class: 'danger' }, 'Cancel')
  button.addEventListener('click', () => {
    void working(button, said, async () => {
      await tell(`/v1/jobs/${id}/cancel`, { device })
      done()
      return 'It is cancelled, or will be when the device is back.'
    })
  })
  return button
}
