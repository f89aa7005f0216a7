/** Who may do what on a device, letting somebody in and out, and who did what there. */

import { ask, tell } from './api.ts'
import { h } from './dom.ts'
import { grantForm, type Reach, reachWords } from './grant-form.ts'
import { backTo, heading, load, note, type Place, table, when, working } from './views.ts'

interface Grants {
  readonly grants: readonly ({
    readonly holder: string
    readonly holder_zone: string
    readonly rights: readonly string[]
    readonly until: string | null
  } & Reach)[]
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
    { holder, holder_zone, rights, scope, recorded, approved, until }: Grants['grants'][number],
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
    const only = reachWords({ scope, recorded, approved })
    return [
      h('span', { title: holder_zone }, holder),
      rights.join(', '),
      only.length === 0 ? '–' : h('ul', { class: 'reach' }, ...only.map(one => h('li', {}, one))),
      until === null ? 'until ended' : when(until),
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
    grantForm(path, said, granted),
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
