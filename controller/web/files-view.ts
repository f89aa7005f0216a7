/** The files of a device: going through directories, taking files from there and bringing some, making, renaming, deleting. */

import { ask, Refused, reasonOf, tell } from './api.ts'
import { h, replace, setText } from './dom.ts'
import { acceptDrops, fileButton } from './file-choice.ts'
import { FilePlace, type Listing, type NamedFile } from './file-place.ts'
import { bytes, count, moment } from './text.ts'
import { DOWNLOAD_MAX, download, entryAt, keep, upload } from './transfer.ts'
import { Transfers } from './transfers.ts'
import { backTo, heading, labelled, load, note, oneField, type Place, working } from './views.ts'

/** They go on when another view is shown. */
const transfers = new Transfers()

/** What the parts of the view have in common. */
interface Desk {
  readonly at: FilePlace
  readonly said: HTMLElement
  readonly signal: AbortSignal
  readonly again: () => void
}

export function filesView(place: Place): void {
  const { main, words, signal } = place
  const [name = '', , path = '.', user = ''] = words
  const list = h('div')
  const said = h('div', { 'aria-live': 'polite' })
  const tools = h('div')
  let at = new FilePlace(name, path, user)
  const show = (listing: Listing) => {
    at = at.in(listing.path)
    const desk = { at, said, signal, again: () => void again() }
    // Whatever is typed there is left as it is.
    if (tools.childElementCount === 0) tools.append(toolsOf(desk))
    return [crumbsOf(at), ...listOf(desk, listing)]
  }
  const get = () => ask<Listing>(at.listUrl(), { signal })
  const again = async () => {
    try {
      const listing = await get()
      if (signal.aborted) return
      replace(list, ...show(listing))
      // What had the focus may be gone.
      if (document.activeElement === document.body)
        main.querySelector('h1')?.focus({ preventScroll: true })
    } catch (error) {
      if (!signal.aborted) replace(said, note('bad', reasonOf(error)))
    }
  }
  main.append(
    heading(`Files: ${name}`, backTo(name)),
    ...[goForm(at), tools, said, transfers.element, list],
  )
  acceptDrops(list, {
    take: files => void bring({ at, said, signal, again: () => void again() }, files),
    refuse: names => {
      const why = `${names.join(', ')}: directories are brought by box cp -r.`
      replace(said, note('bad', why))
    },
  })
  transfers.watch(() => void again(), signal)
  load(list, place, { doing: `Asking ${name}`, get }, show)
}

function goForm(at: FilePlace): HTMLElement {
  const has = { autocomplete: 'off', spellcheck: 'false', class: 'mono' }
  const path = h('input', { ...has, value: at.path === '.' ? '' : at.path, placeholder: '/etc' })
  const user = h('input', { ...has, value: at.user, placeholder: 'as the agent' })
  const submit = (event: Event) => {
    event.preventDefault()
    location.hash = new FilePlace(at.device, path.value || '.', user.value).href()
  }
  return h(
    'form',
    { class: 'go', on: { submit } },
    labelled('Directory', path),
    labelled('As the user', user),
    h('button', {}, 'Go'),
  )
}

function toolsOf(desk: Desk): HTMLElement {
  const { at, said, again } = desk
  const pick = fileButton('Upload', files => void bring(desk, files), true)
  const make = oneField('New directory', 'Make', said, async name => {
    await tell(at.url('directories'), { path: at.child(name), ...at.asUser() })
    again()
    return `${name} is made.`
  })
  return h('div', { class: 'actions tools' }, pick, make)
}

/** One after the other; what is there already is replaced only where that was asked. */
async function bring({ at, said, signal }: Desk, files: readonly File[]): Promise<void> {
  for (const file of files) {
    const path = at.child(file.name)
    const mayGo = await asked(said, async () => {
      const old = await entryAt(at.url('entry', { path }), signal)
      const is = old && `${file.name} is there already, with ${bytes(old.size)}.`
      return !is || confirm(`${is} Replace it?`)
    })
    if (!mayGo) continue
    const to = at.url('content', { path, replace: 'true' })
    await transfers.run(`${file.name} to ${at.device}`, async options => {
      await upload(to, file, options)
      return `${file.name} is on ${at.device}, in ${at.path}.`
    })
  }
}

async function asked(said: HTMLElement, ask: () => Promise<boolean>): Promise<boolean> {
  let answer = false
  await working(h('button'), said, async () => {
    answer = await ask()
    return ''
  })
  return answer
}

/** Each directory on the way from the root. */
function crumbsOf(at: FilePlace): HTMLElement {
  const parts = at.path.split('/').filter(Boolean)
  const links = parts.map((part, i) => {
    const up = at.in(`/${parts.slice(0, i + 1).join('/')}`)
    const isHere = i === parts.length - 1
    return h('li', {}, h('a', { href: up.href(), ...(isHere && { 'aria-current': 'page' }) }, part))
  })
  const root = h('li', {}, h('a', { href: at.in('/').href() }, '/'))
  const has = { role: 'navigation', 'aria-label': 'Directories above' }
  return h('div', has, h('ol', { class: 'crumbs' }, root, links))
}

function listOf(desk: Desk, { entries, next, is_whole }: Listing): HTMLElement[] {
  const rows = h('ul', { class: 'files', 'aria-label': `In ${desk.at.path}` })
  const sum = h('p', { class: 'quiet', role: 'status' })
  const more = h('button', { type: 'button', hidden: true }, 'Show more')
  const failed = h('div', { 'aria-live': 'polite' })
  let behind: string | null = null
  const add = ({ entries, next }: Pick<Listing, 'entries' | 'next'>) => {
    rows.append(...entries.map(entry => rowOf(desk, entry)))
    behind = next
    more.hidden = next === null
    const shown = count(rows.childElementCount, 'entry', 'entries')
    setText(sum, next === null ? shown : `${shown}, and there are more`)
  }
  more.addEventListener('click', () => {
    void working(more, failed, async () => {
      if (behind !== null) add(await ask<Listing>(desk.at.listUrl(behind), { signal: desk.signal }))
      return ''
    })
  })
  add({ entries, next })
  if (entries.length === 0) setText(sum, 'There is nothing in this directory.')
  return [
    sum,
    ...(is_whole ? [] : [note('warn', 'There is more in it than is ever listed.')]),
    ...[rows, more, failed],
  ]
}

function rowOf(desk: Desk, entry: NamedFile): HTMLElement {
  const { at } = desk
  const { name, kind, leads_to, size, modified_at, mode } = entry
  const leads = kind === 'link' ? leads_to : kind
  const isDirectory = leads === 'directory'
  const row = h('li', {})
  const button = (word: string, done: (button: HTMLButtonElement) => void, danger = false) => {
    const has = { type: 'button', 'aria-label': `${word} ${name}`, class: danger ? 'danger' : '' }
    const button = h('button', has, word)
    button.addEventListener('click', () => done(button))
    return button
  }
  const about = [
    ...(kind === 'link' ? [leads === null ? 'link that leads nowhere' : `link to a ${leads}`] : []),
    ...(kind === 'other' ? ['neither file nor directory'] : []),
    ...(leads === 'file' && kind === 'file' ? [bytes(size)] : []),
    ...[moment(modified_at), mode],
  ]
  row.append(
    isDirectory
      ? h('a', { href: at.in(at.child(name)).href(), class: 'name' }, `${name}/`)
      : h('span', { class: 'name' }, name),
    h('span', { class: 'quiet small' }, about.join(' · ')),
    h(
      'div',
      { class: 'actions' },
      leads === 'file' && button('Download', () => take(desk, name, size)),
      button('Rename', pressed => rename(desk, name, pressed)),
      button('Delete', pressed => remove(desk, entry, pressed), true),
    ),
  )
  return row
}

function take({ at, said }: Desk, name: string, size: number): void {
  if (size > DOWNLOAD_MAX) {
    const line = `box cp ${at.device}:${at.child(name)} .`
    replace(said, note('bad', `It is too large for a browser: ${line}`))
    return
  }
  void transfers.run(`${name} from ${at.device}`, async options => {
    keep(await download(at.url('content', { path: at.child(name) }), options), name)
    return `${name} is with your browser, which saves it.`
  })
}

function rename({ at, said, again }: Desk, name: string, button: HTMLButtonElement): void {
  const to = prompt(`Another name for ${name}, or a path from the root`, name)
  if (to === null || to === '' || to === name) return
  const names = { path: at.child(name), to: to.startsWith('/') ? to : at.child(to) }
  void working(button, said, async () => {
    const body = { ...names, ...at.asUser() }
    try {
      await tell(at.url('rename'), body)
    } catch (error) {
      if (!isRefused(error, 'FILE_EXISTS') || !confirm(`${to} is there already. Replace it?`))
        throw error
      await tell(at.url('rename'), { ...body, replace: true })
    }
    again()
    return `${name} is ${to} now.`
  })
}

/** A directory that is not empty is asked for a second time. */
function remove({ at, said, again }: Desk, { name }: NamedFile, button: HTMLButtonElement): void {
  if (!confirm(`Delete ${name} on ${at.device}? It cannot be undone.`)) return
  const path = at.child(name)
  const gone = (more: object) => tell(at.url(null, { path, ...more }), {}, { method: 'DELETE' })
  void working(button, said, async () => {
    try {
      await gone({})
    } catch (error) {
      const isFull = isRefused(error, 'FILE_UNUSABLE')
      if (!isFull || !confirm(`${name} is not empty. Delete it, and all that is in it?`))
        throw error
      await gone({ recursive: 'true' })
    }
    again()
    return `${name} is deleted.`
  })
}

const isRefused = (error: unknown, code: string): boolean =>
  error instanceof Refused && error.code === code
