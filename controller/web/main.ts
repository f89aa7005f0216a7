/** The page: logs in with the code of its address, follows the fleet, and shows the view that the address names. */

import { logOut, ownKey, watchLogin } from './api.ts'
import { deviceView } from './device-view.ts'
import { h, replace } from './dom.ts'
import { Fleet } from './fleet.ts'
import { fleetView } from './fleet-view.ts'
import { heading, note, type View } from './views.ts'

/** By the first word of the address, and that behind the name of a device. What few need is loaded when it is wanted. */
const VIEWS: Readonly<Record<string, () => Promise<View>>> = {
  '': async () => fleetView,
  device: async () => deviceView,
  'device push': async () => (await import('./push-view.ts')).pushView,
  'device access': async () => (await import('./access-view.ts')).accessView,
  'device files': async () => (await import('./files-view.ts')).filesView,
  'device command': async () => (await import('./command-view.ts')).commandView,
  'device upgrade': async () => (await import('./upgrade-view.ts')).upgradeView,
  upgrade: async () => (await import('./upgrade-view.ts')).upgradeView,
  you: async () => (await import('./you-view.ts')).youView,
  approvals: async () => (await import('./approvals-view.ts')).approvalsView,
  push: async () => (await import('./push-view.ts')).pushView,
  rooms: async () => (await import('./rooms-view.ts')).roomsView,
  talk: async () => (await import('./talk-view.ts')).talkView,
  meet: async () => (await import('./meet-view.ts')).meetView,
  map: async () => (await import('./map-view.ts')).mapView,
  'device terminal': async () => (await import('./terminal-view.ts')).terminalView,
}
const LINKS = [
  ['', 'Devices'],
  ['push', 'Push'],
  ['approvals', 'Approvals'],
  ['rooms', 'Rooms'],
  ['talk', 'Talk'],
  ['map', 'Map'],
  ['you', 'You'],
] as const

/** Views that belong to another one. */
const PART_OF: Readonly<Record<string, string>> = { device: '', upgrade: '', meet: 'talk' }

const main = document.getElementById('main')!
const nav = document.getElementById('nav')!
const link = document.getElementById('link')!
const CODE = /^#login=([0-9A-Z]+)$/

let leave = new AbortController()
let session = new AbortController()

function begin(): void {
  watchLogin(showLogin)
  const [, code = null] = CODE.exec(location.hash) ?? []
  // It goes at once, whatever becomes of it: neither address bar nor history keep it.
  if (code !== null) history.replaceState(null, '', '/#/')
  if (code === null && ownKey() === null) showLogin()
  else showPage(code)
}

/** What there is, is drawn while the code is still on its way. */
function showPage(code: string | null): void {
  session.abort()
  session = new AbortController()
  const { signal } = session
  const fleet = new Fleet()
  fleet.watch(name => name === null && showConnection(fleet), signal)
  void fleet.follow(signal, code)
  const show = () => void navigate(fleet)
  window.addEventListener('hashchange', show, { signal })
  replace(
    nav,
    LINKS.map(([word, text]) => h('a', { href: `#/${word}`, 'data-view': word }, text)),
    h('button', { type: 'button', class: 'plain', on: { click: () => void logOut() } }, 'Log out'),
  )
  showConnection(fleet)
  const unread = nav.querySelector('[data-view=talk]')!
  fleet.contacts.watch(() => showUnread(unread, fleet.contacts.unread), signal)
  show()
}

function showUnread(link: Element, unread: number): void {
  const badge = unread > 0 && h('span', { class: 'badge' }, `${unread} new`)
  replace(link, 'Talk', badge && ' ', badge)
}

async function navigate(fleet: Fleet): Promise<void> {
  const [, name = '', ...words] = location.hash.split('/').map(decodeURIComponent)
  leave.abort()
  leave = new AbortController()
  const { signal } = leave
  const loading = (VIEWS[`${name} ${words[1]}`] ?? VIEWS[name] ?? VIEWS[''])!()
  const view = await loading.catch(() => notLoaded)
  if (signal.aborted) return
  for (const one of nav.querySelectorAll('a')) {
    const isIn = one.dataset.view === (PART_OF[name] ?? name)
    if (isIn) one.setAttribute('aria-current', 'page')
    else one.removeAttribute('aria-current')
  }
  const isFirst = !main.querySelector('h1')
  main.replaceChildren()
  view({ main, words, fleet, signal })
  // Whoever reads by ear hears where they are now.
  if (!isFirst && !main.contains(document.activeElement))
    main.querySelector<HTMLElement>('h1')?.focus()
}

/** Its program did not come: `box up` has ended, or is another version than this page. */
const notLoaded: View = ({ main }) => {
  const again = h(
    'button',
    { type: 'button', on: { click: () => location.reload() } },
    'Load it again',
  )
  main.append(
    heading('Not loaded'),
    note('bad', 'box up does not answer, or is a newer one than this page.'),
    again,
  )
}

let lostAt: string | null = null

function showConnection({ connection }: Fleet): void {
  if (connection === 'lost') lostAt ??= new Date().toLocaleTimeString()
  else lostAt = null
  document.body.classList.toggle('lost', connection === 'lost')
  const text = {
    loading: 'connecting',
    live: 'live',
    lost: `box up is out of reach since ${lostAt}; this is how it was then`,
  }[connection]
  if (link.textContent === text) return
  link.textContent = text
  link.className = `link ${connection}`
}

function showLogin(why?: string): void {
  session.abort()
  leave.abort()
  nav.replaceChildren()
  link.textContent = ''
  link.className = 'link'
  document.body.classList.remove('lost')
  replace(
    main,
    h(
      'div',
      { class: 'login' },
      heading('You are not logged in'),
      why !== undefined && note('bad', why),
      h('p', {}, 'On the machine where box up runs, type:'),
      h('pre', {}, 'box dashboard'),
      h(
        'p',
        { class: 'quiet' },
        'It opens this page, logged in for twelve hours. The address it makes is good once, for a minute.',
      ),
    ),
  )
}

window.addEventListener('hashchange', () => {
  if (CODE.test(location.hash)) begin()
})
begin()
