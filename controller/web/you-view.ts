/** Who you are: your key, another one in its place, and what ends a key. What cannot be undone wants a word typed. */

import { ask, reasonOf, tell, tellLines } from './api.ts'
import { isConfirmed } from './confirmation.ts'
import { h, replace, setText } from './dom.ts'
import { followSteps, type Step, type Told } from './steps.ts'
import { moment } from './text.ts'
import { heading, labelled, load, note, type Place, working } from './views.ts'

interface About {
  readonly name: string
  readonly id: string
}

interface Revocation {
  readonly name: string
  readonly zone: string
  readonly revoked: boolean
  readonly revoked_until: string | null
  readonly certificate: {
    readonly ready: boolean
    readonly tries: number
    readonly expected_tries: number
    readonly done_percent: number
  } | null
  readonly working: boolean
}

export function youView(place: Place): void {
  const { main, signal } = place
  const keys = h('div')
  const get = () => ask<About>('/v1/about', { signal })
  main.append(heading('You'), keys, someKey(place), zones(place))
  load(keys, place, { doing: 'Asking box up', get }, me => {
    const key = h('p', { class: 'mono break' }, me.id)
    return [identity(me, key), newKeys(me, place, key)]
  })
}

const identity = ({ name }: About, key: HTMLElement): HTMLElement =>
  h(
    'section',
    { class: 'panel form' },
    h('h2', {}, `${name}, to yourself`),
    key,
    h(
      'p',
      { class: 'quiet' },
      'Your key: what devices and people know you by. Its secret half stays in the state directory.',
    ),
  )

const KNOWS: Told<Step> = ({ result, error }) => {
  const words: Readonly<Record<string, string>> = {
    done: 'knows it.',
    told: 'was told, and goes on by the key before: is it an older version?',
    left: 'is not there: it lies with a relay of theirs.',
    waits: 'is out of reach, and told later.',
    offline: 'is off, and told later.',
  }
  const kind = result === 'done' ? 'good' : result === 'refused' ? 'bad' : 'warn'
  return [kind, words[result!] ?? `refused. ${error?.message ?? ''}`]
}

function newKeys({ name }: About, place: Place, key: HTMLElement): HTMLElement {
  const out = h('div', { 'aria-live': 'polite' })
  const ego = h('button', { type: 'button', class: 'danger' }, 'New key for yourself')
  ego.addEventListener('click', async () => {
    const isMeant = await isConfirmed({
      title: 'A new key for yourself?',
      means: [
        'Devices, rooms and contacts take it for this one. Who is out of reach hears of it within 90 days, or has to take you in anew.',
        'It cannot be undone, and every backup so far holds the old key: make a new one with box backup.',
      ],
      ...{ word: name, verb: 'Make a new key', signal: place.signal },
    })
    if (!isMeant) return
    ego.disabled = true
    const first = 'You have a new key. Whoever knows you is told:'
    const body = { key: 'ego', confirm: name }
    await followSteps<Step>(out, { path: '/v1/rotate', body, first }, KNOWS)
    ego.disabled = false
    const me = await ask<About>('/v1/about').catch(() => null)
    if (!me || me.id === key.textContent) return
    setText(key, me.id)
    out.append(note('good', `You are ${me.id} now. Make a new backup: box backup FILE`))
  })
  const ssh = h('button', { type: 'button' }, 'New key for your ssh')
  ssh.addEventListener('click', () => {
    if (!confirm('A new key for your ssh? Devices need not know.')) return
    void working(ssh, out, async () => {
      await tellLines('/v1/rotate', { key: 'ssh' }, () => {})
      return 'ssh logs in with a new key from now on.'
    })
  })
  return h(
    'section',
    { class: 'panel form' },
    h('h2', {}, 'New keys'),
    h(
      'p',
      {},
      'For when the old one may have been seen by others, or now and then. Nothing is paired again.',
    ),
    h('div', { class: 'actions' }, ego, ssh),
    out,
  )
}

/** Somebody else's key, on all devices. */
function someKey({ signal }: Place): HTMLElement {
  const out = h('div', { 'aria-live': 'polite' })
  const input = h('input', {
    ...{ required: true, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' },
    ...{ class: 'mono', maxlength: 255 },
  })
  const end = h('button', { class: 'danger' }, 'End it on all devices')
  const submit = async (event: Event) => {
    event.preventDefault()
    const person = input.value.trim()
    const isMeant = await isConfirmed({
      title: 'End this key on all devices?',
      means: [
        'Whoever has it may do nothing on your devices any more, and their sessions end. Devices that are off hear of it later. It cannot be undone: they would need another key.',
      ],
      ...{ word: person, verb: 'End it', signal },
    })
    if (!isMeant) return
    end.disabled = true
    const first = 'It is revoked. Devices are told:'
    await followSteps<Step>(
      out,
      { path: '/v1/revoke', body: { person, confirm: person }, first },
      KNOWS,
    )
    end.disabled = false
  }
  return h(
    'form',
    { class: 'panel form', on: { submit: event => void submit(event) } },
    h('h2', {}, 'A key that was lost or stolen'),
    h(
      'p',
      {},
      'A key of somebody else, or of yours on another machine. On one device alone, it is done under Access there.',
    ),
    labelled('What they are called on your devices, or their key', input),
    h('div', { class: 'actions' }, end),
    out,
  )
}

/** The end of a zone for everybody, in GNS. */
function zones(place: Place): HTMLElement {
  const into = h('div')
  const names = [...place.fleet.devices.keys()].sort()
  const whose = h(
    'select',
    {},
    h('option', { value: '' }, 'Yourself'),
    ...names.map(name => h('option', { value: name }, name)),
  )
  const body = () => (whose.value === '' ? {} : { device: whose.value })
  const show = () => {
    const query = `?${new URLSearchParams(body())}`
    const get = () => ask<Revocation>(`/v1/revocation${query}`, { signal: place.signal })
    load(into, place, { doing: 'Asking the network', get }, state =>
      stateOf(state, body(), place, show),
    )
  }
  whose.addEventListener('change', show)
  const details = h(
    'details',
    { class: 'panel' },
    h('summary', {}, 'Revoke a zone in the GNU Name System'),
    h(
      'div',
      { class: 'form' },
      h(
        'p',
        {},
        'Nobody believes the names of a revoked zone any more. It takes a certificate, for which a machine works for weeks: make it before you need it.',
      ),
      labelled('Whose zone', whose),
      into,
    ),
  )
  const first = () => {
    details.removeEventListener('toggle', first)
    show()
  }
  details.addEventListener('toggle', first)
  return details
}

function stateOf(
  { name, zone, revoked, revoked_until, certificate, working: isWorking }: Revocation,
  body: object,
  { signal }: Place,
  again: () => void,
): HTMLElement[] {
  const out = h('div', { 'aria-live': 'polite' })
  const howFar = h('p')
  const known = revoked_until ? `It is revoked until ${moment(revoked_until)}.` : 'It is revoked.'
  const make = h('button', { type: 'button' }, 'Work for a certificate')
  const stop = h('button', { type: 'button' }, 'Stop working')
  const end = h('button', { type: 'button', class: 'danger' }, 'Revoke it for good')
  const isReady = certificate?.ready ?? false
  make.hidden = isReady || isWorking
  stop.hidden = !isWorking
  end.hidden = !isReady || revoked
  setText(howFar, isReady ? 'A certificate is ready.' : sentenceOf(certificate))
  make.addEventListener('click', async () => {
    make.hidden = true
    stop.hidden = false
    setText(howFar, 'Beginning …')
    try {
      await tellLines<Revocation['certificate'] & Step>(
        '/v1/revocation/make',
        body,
        line => {
          if (line.error) replace(out, note('bad', line.error.message))
          else if ('tries' in line) setText(howFar, sentenceOf(line))
        },
        { signal },
      )
    } catch (error) {
      if (signal.aborted) return
      replace(out, note('bad', reasonOf(error)))
      return
    }
    if (!out.firstChild) again()
  })
  stop.addEventListener('click', () => {
    void working(stop, out, async () => {
      await tell('/v1/revocation/stop', body)
      again()
      return null
    })
  })
  end.addEventListener('click', async () => {
    const isMeant = await isConfirmed({
      title: `Revoke the zone of ${name}?`,
      means: [
        'Everybody who looks it up is told that its names are not to be believed, and devices let its key do nothing any more. Nobody can undo it.',
        zone,
      ],
      ...{ word: name, verb: 'Revoke for good', signal },
    })
    if (!isMeant) return
    void working(end, out, async () => {
      const told = await tell<{ until: string }>('/v1/revocation/publish', {
        ...body,
        confirm: name,
      })
      end.hidden = true
      return `${name} is revoked until ${moment(told.until)}.`
    })
  })
  return [
    revoked ? note('bad', known) : h('p', {}, 'It is not known to be revoked.'),
    howFar,
    h('div', { class: 'actions' }, make, stop, end),
    out,
  ]
}

const sentenceOf = (
  certificate: Pick<NonNullable<Revocation['certificate']>, 'tries' | 'expected_tries'> | null,
): string =>
  certificate === null
    ? 'No certificate was begun here.'
    : `${certificate.tries} of about ${Math.round(certificate.expected_tries)} tries are done. It goes on also where you leave this page, as long as box up runs.`
