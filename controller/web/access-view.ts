/** Who may do what on a device, letting somebody in and out, and who did what there. */

import { ask, tell } from './api.ts'
import { h } from './dom.ts'
import { backTo, heading, load, note, type Place, table, when, working } from './views.ts'

interface Grants {
  readonly grants: readonly {
    readonly holder: string
    readonly holder_zone: string
    readonly rights: readonly string[]
    readonly scope: Readonly<Record<string, readonly string[] | null>>
    readonly recorded: boolean
    readonly until: string | null
  }[]
}

interface Audit {
  readonly entries: readonly {
    readonly number: number
    readonly at: string
    readonly who: string
    readonly what: string
    readonly detail: string
    readonly result: string
  }[]
  readonly fault: string | null
}

interface Recordings {
  readonly recordings: readonly {
    readonly id: string
    readonly state: string
    readonly started_at: string
    readonly who: string | null
    readonly what: string | null
    readonly detail: string | null
  }[]
}

const RIGHTS = ['status', 'shell', 'exec', 'files', 'forward', 'push', 'watch', 'admin'] as const

export function accessView(place: Place): void {
  const { main, words, signal } = place
  const [name = ''] = words
  const path = `/v1/devices/${encodeURIComponent(name)}`
  const grants = h('div')
  const audit = h('div')
  const recorded = h('div')
  const said = h('div', { 'aria-live': 'polite' })
  const grantsAndMe = async () => {
    const [{ grants }, me] = await Promise.all([
      ask<Grants>(`${path}/grants`, { signal }),
      ask<{ id: string }>('/v1/about', { signal }),
    ])
    return { grants, me }
  }
  const showAudit = () => showJournal(audit, path, place)
  const showGrants = () =>
    load(grants, place, { doing: 'Asking who may', get: grantsAndMe }, ({ grants: all, me }) => [
      table(
        'Grants',
        ['Who', 'May', 'Only', 'Until', ''],
        all.map(one => rowOf(one, one.holder_zone === me.id)),
      ),
    ])
  const rowOf = (
    { holder, holder_zone, rights, scope, recorded, until }: Grants['grants'][number],
    isMe: boolean,
  ) => {
    const end = h(
      'button',
      { type: 'button', class: 'danger', 'aria-label': `End the grant of ${holder}` },
      'End',
    )
    end.addEventListener('click', () => {
      if (!confirm(`End what ${holder} may do on ${name}, and their sessions?`)) return
      void working(end, said, async () => {
        await tell(`${path}/revoke`, { person: holder_zone })
        showGrants()
        showAudit()
        return `${holder} may do nothing on ${name} any more.`
      })
    })
    const only = Object.values(scope).flatMap(list => list ?? [])
    if (recorded) only.push('recorded')
    return [
      h('span', { title: holder_zone }, holder),
      ...[rights.join(', '), only.join(' ') || '–', until === null ? 'until ended' : when(until)],
      // Whoever puts themselves out does not come back.
      isMe ? 'you' : end,
    ]
  }
  const granted = () => {
    showGrants()
    showAudit()
  }
  main.append(
    heading(`Access: ${name}`, backTo(name)),
    said,
    h('section', {}, h('h2', {}, 'Who may do what'), grants),
    formOf(path, said, granted),
    h('section', {}, h('h2', {}, 'Who did what'), audit),
    h('section', {}, h('h2', {}, 'Recorded sessions'), recorded),
  )
  granted()
  showRecordings(recorded, path, place)
}

const showJournal = (audit: HTMLElement, path: string, place: Place): void =>
  load(
    audit,
    place,
    {
      doing: 'Asking for the journal',
      get: () => ask<Audit>(`${path}/audit?last=200`, { signal: place.signal }),
    },
    ({ entries, fault }) => [
      fault !== null && note('bad', fault),
      table(
        'Audit journal',
        ['When', 'Who', 'What', 'Result', ''],
        entries
          .toReversed()
          .map(one => [when(one.at), one.who || '?', one.what, one.result, one.detail]),
      ),
    ],
  )

const showRecordings = (into: HTMLElement, path: string, place: Place): void =>
  load(
    into,
    place,
    {
      doing: 'Asking for recordings',
      get: () => ask<Recordings>(`${path}/recordings`, { signal: place.signal }),
    },
    ({ recordings }) => [
      recordings.length === 0
        ? h('p', { class: 'quiet' }, 'None.')
        : table(
            'Recorded sessions',
            ['When', 'Who', 'What', 'State', 'To play it'],
            recordings
              .toReversed()
              .map(one => [
                when(one.started_at),
                one.who ?? '?',
                [one.what, one.detail].filter(Boolean).join(': ') || '?',
                one.state,
                h('code', {}, `box play ${place.words[0]} ${one.id}`),
              ]),
          ),
    ],
  )

function formOf(path: string, said: HTMLElement, done: () => void): HTMLElement {
  const input = (has: object) => h('input', { autocomplete: 'off', spellcheck: 'false', ...has })
  const person = input({
    required: true,
    pattern: '000G[0-9A-Za-z]{54}',
    title: 'as box id shows it to that person',
  })
  const called = input({ required: true, maxlength: 64 })
  const until = h('input', { type: 'date' })
  const boxes = RIGHTS.map(right => h('input', { type: 'checkbox', value: right }))
  const button = h('button', { class: 'primary' }, 'Let in')
  const submit = (event: Event) => {
    event.preventDefault()
    const rights = boxes.filter(({ checked }) => checked).map(({ value }) => value)
    void working(button, said, async () => {
      await tell(`${path}/grants`, {
        ...{ person: person.value, as: called.value, rights },
        ...(until.value !== '' && { until: until.value }),
      })
      done()
      return `${called.value} may ${rights.join(', ')}.`
    })
  }
  const label = (text: string, one: HTMLElement) => h('label', {}, h('span', {}, text), one)
  return h(
    'form',
    { class: 'panel form', on: { submit } },
    h('h2', {}, 'Let somebody in'),
    label('Their key, as box id shows it to them', person),
    label('What to call them', called),
    h(
      'fieldset',
      {},
      h('legend', {}, 'They may'),
      ...RIGHTS.map((right, i) => h('label', { class: 'check' }, boxes[i]!, right)),
    ),
    label('Until the end of (empty: until you end it)', until),
    h('div', { class: 'actions' }, button),
  )
}
