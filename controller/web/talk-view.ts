/** Private talk: who there is, and one of them with what was said, what is being said, and a line to say something. */

import { stayTuned, tell } from './api.ts'
import type { Contact } from './contacts.ts'
import { h, replace } from './dom.ts'
import type { Fleet } from './fleet.ts'
import { eventLine, Log, messageLine } from './log.ts'
import { Offers, type SaidOffer } from './offers.ts'
import { count } from './text.ts'
import { heading, note, oneField, type Place, sayForm, working } from './views.ts'

const HOW: Readonly<Record<Contact['known'], string>> = {
  paired: 'you have compared the words',
  introduced: 'introduced by',
  unverified: 'nobody has checked this key but you',
  offered: 'introduced by',
}
const WHITHER = { heard: 'received', left: 'lies with a relay of theirs', waits: 'waits here' }

interface Said extends SaidOffer {
  readonly by: 'me' | 'them'
  readonly number: number
  readonly what: string
  readonly text?: string
  readonly person?: string
  readonly delivery: keyof typeof WHITHER | null
}

export function talkView(place: Place): void {
  const [name] = place.words
  if (name === undefined || name === '') listView(place)
  else personView(place, name)
}

const pathOf = (name: string): string => `/v1/contacts/${encodeURIComponent(name)}`
const pageOf = (name: string): string => `#/talk/${encodeURIComponent(name)}`
const meet = (primary = false) =>
  h('a', { class: primary ? 'button primary' : 'button', href: '#/meet' }, 'Add somebody')

function listView({ main, fleet, signal }: Place): void {
  const offers = h('div')
  const list = h('div')
  main.append(heading('Talk', meet()), offers, list)
  let shown = ''
  const draw = () => {
    const { people, offers: offered } = fleet.contacts
    const key = JSON.stringify([people, offered, fleet.connection === 'loading'])
    // What is as it was stays: somebody may have the focus in it.
    if (key === shown) return
    shown = key
    replace(offers, ...offered.map(offerOf))
    replace(list, people.length > 0 ? listOf(people) : emptyOf(fleet))
  }
  fleet.contacts.watch(draw, signal)
  fleet.watch(name => name === null && draw(), signal)
  draw()
}

const listOf = (people: readonly Contact[]): HTMLElement =>
  h(
    'ul',
    { class: 'rooms' },
    ...people.map(contact =>
      h(
        'li',
        { class: 'panel person' },
        h('a', { href: pageOf(contact.name) }, contact.name),
        contact.unread > 0 && h('span', { class: 'badge' }, `${contact.unread} new`),
        h('span', { class: `state ${contact.there ? 'here' : 'unknown'}` }, presenceOf(contact)),
        h('span', { class: 'quiet' }, aboutOf(contact)),
      ),
    ),
  )

const presenceOf = ({ there }: Contact): string => (there ? 'there' : 'not in touch now')

function aboutOf({ waiting, known, by }: Contact): string {
  const waits = waiting > 0 ? `${count(waiting, 'message')} not received yet · ` : ''
  return `${waits}${HOW[known]}${by === null ? '' : ` ${by}`}`
}

function emptyOf({ connection }: Fleet): HTMLElement {
  if (connection === 'loading') return h('p', { class: 'quiet' }, 'Asking box up …')
  return h(
    'div',
    { class: 'empty' },
    h('h2', {}, 'You talk to nobody yet'),
    h(
      'p',
      {},
      'What you say to a contact goes from this machine to theirs, or lies with a relay of theirs while they are away. Nobody on the way can read it, and nothing proves to anybody else that it was said.',
    ),
    meet(true),
  )
}

/** Somebody who was introduced, and can be taken in. */
function offerOf({ name, by, zone }: Contact): HTMLElement {
  const said = h('div', { 'aria-live': 'polite' })
  const input = h('input', { value: name, 'aria-label': `What to call ${name}`, required: true })
  const button = h('button', { class: 'primary' }, 'Take in')
  const submit = (event: Event) => {
    event.preventDefault()
    void working(button, said, async () => {
      await tell(`${pathOf(zone)}/accept`, { as: input.value })
      return `${input.value} is your contact.`
    })
  }
  return h(
    'section',
    { class: 'panel' },
    h('h2', {}, `${by ?? 'Somebody'} introduces ${name}`),
    h('p', { class: 'mono break' }, zone),
    h('form', { class: 'inline', on: { submit } }, input, button),
    said,
  )
}

function personView(place: Place, name: string): void {
  const { main, signal, fleet } = place
  const log = new Log()
  const state = h('div', { role: 'status' }, h('p', { class: 'quiet' }, 'Asking box up …'))
  const path = pathOf(name)
  const offers = new Offers({ path, where: name, log, signal })
  const say = sayForm(name, text => tell(`${path}/messages`, { text }), offers.attaching())
  main.append(
    heading(name, h('a', { class: 'button', href: '#/talk' }, 'All contacts')),
    state,
    log.element,
    offers.element,
    say,
    settingsOf(place, name),
  )
  say.querySelector('input')?.focus()
  const show = (said: Said) => log.put(`${said.by} ${said.number}`, lineOf(said, name, offers))
  const hear = (event: string, data: unknown) => {
    if (event === 'said') show(data as Said)
    else if (event === 'there') replace(state, thereOf(name, (data as { there: boolean }).there))
    else if (event === 'over') replace(state, note('bad', (data as { message: string }).message))
    return event !== 'over'
  }
  const lost = (why: string) => replace(state, note('bad', why))
  void stayTuned(`${path}/events`, { hear, lost, signal })
  markRead(fleet, name, signal)
}

const thereOf = (name: string, isThere: boolean): HTMLElement =>
  h(
    'p',
    { class: 'quiet' },
    h('span', { class: `state ${isThere ? 'here' : 'unknown'}` }, isThere ? 'there' : 'not there'),
    isThere
      ? ` · What you say goes straight to ${name}.`
      : ' · What you say lies with a relay of theirs, or waits here, until they are.',
  )

function lineOf(said: Said, name: string, offers: Offers): HTMLElement {
  const { by, at, what, text = '', person = '?', delivery } = said
  const who = by === 'me' ? 'You' : name
  if (what === 'message') return messageLine(who, at, text, delivery && WHITHER[delivery])
  if (what === 'file') return offers.line(who, said, delivery && WHITHER[delivery])
  const verb = by === 'me' ? 'introduce' : 'introduces'
  const happened: Readonly<Record<string, string>> = {
    introduction: `${who} ${verb} ${person}`,
    succession: `${who} has a new key, signed by the one before`,
  }
  return eventLine(happened[what] ?? `${who} said something that this page cannot show`, at)
}

/** What is in sight of somebody has been read. */
function markRead({ contacts }: Fleet, name: string, signal: AbortSignal): void {
  let isAsked = false
  const look = async () => {
    const unread = contacts.find(name)?.unread ?? 0
    if (isAsked || unread === 0 || document.visibilityState !== 'visible') return
    isAsked = true
    // Where it fails, the next change asks again.
    await tell(`${pathOf(name)}/read`, {}, { signal }).catch(() => {})
    isAsked = false
  }
  const again = () => void look()
  contacts.watch(again, signal)
  document.addEventListener('visibilitychange', again, { signal })
  again()
}

/** How they are known; and what is done seldom. */
function settingsOf({ fleet, signal }: Place, name: string): HTMLElement {
  const said = h('div', { 'aria-live': 'polite' })
  const about = h('dl')
  const draw = () => {
    const contact = fleet.contacts.find(name)
    if (!contact) return
    const pairs = [
      ['Key', contact.zone],
      ['Known', aboutOf({ ...contact, waiting: 0 })],
      ['Relays', contact.relays.length > 0 ? contact.relays.join(', ') : 'none was heard of'],
    ]
    replace(about, ...pairs.flatMap(([what, text]) => [h('dt', {}, what), h('dd', {}, text)]))
  }
  fleet.contacts.watch(draw, signal)
  draw()
  const path = pathOf(name)
  const rename = oneField('What to call them', 'Rename', said, async to => {
    const renamed = await tell<Contact>(`${path}/rename`, { to })
    location.hash = pageOf(renamed.name)
    return ''
  })
  const introduce = oneField('Introduce them to', 'Introduce', said, async to => {
    await tell(`${path}/introduce`, { to })
    return `${name} and ${to} learn each other’s key from you.`
  })
  const forget = h('button', { type: 'button', class: 'danger' }, 'Forget')
  forget.addEventListener('click', () => {
    if (!confirm(`Forget ${name}, and all that was said?`)) return
    void working(forget, said, async () => {
      await tell(path, {}, { method: 'DELETE' })
      location.hash = '#/talk'
      return null
    })
  })
  return h(
    'details',
    { class: 'panel' },
    h('summary', {}, `About ${name}`),
    ...[about, rename, introduce, h('div', { class: 'actions' }, forget), said],
  )
}
