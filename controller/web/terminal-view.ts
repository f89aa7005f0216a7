/** A shell on a device, in a terminal. It survives: what breaks off is gone on with, also after another view, or a reload. */

import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import { ownKey } from './api.ts'
import { h, replace } from './dom.ts'
import { adoptStyles } from './terminal-styles.ts'
import { backTo, heading, note, oneField, type Place } from './views.ts'

const AGAIN_MS = 500
const AGAIN_MAX_MS = 10_000
/** As the server takes them. */
const PIECE = 32_768

type Said =
  | { readonly is: 'open'; readonly id: string; readonly resumed: boolean }
  | { readonly is: 'ended'; readonly code: number }
  | { readonly is: 'lost' | 'failed'; readonly message: string }

export function terminalView({ main, words, signal }: Place): void {
  const [name = '', , user = ''] = words
  const said = h('div', { class: 'said', role: 'status' })
  const screen = h('div', { class: 'screen' })
  const button = (text: string, click: () => void) =>
    h('button', { type: 'button', on: { click } }, text)
  const actions = h('div', { class: 'actions' })
  const title = user === '' ? `Terminal: ${name}` : `Terminal: ${name}, as ${user}`
  main.append(heading(title, actions), said, screen)
  const shell = new Shell({ name, user, screen, said, signal })
  const asUser = oneField('As the user', 'Open', said, async other => {
    location.hash = `#/device/${[name, 'terminal', other].map(encodeURIComponent).join('/')}`
    return ''
  })
  actions.append(
    button('Copy', () => void shell.copy()),
    button('Paste', () => void shell.paste()),
    button('End', () => shell.leave()),
    asUser,
    backTo(name),
  )
}

interface ShellPlace {
  readonly name: string
  /** '': as whoever the agent runs as. */
  readonly user: string
  readonly screen: HTMLElement
  readonly said: HTMLElement
  readonly signal: AbortSignal
}

class Shell {
  private readonly name: string
  private readonly user: string
  private readonly said: HTMLElement
  private readonly signal: AbortSignal
  private readonly terminal: Terminal
  private readonly fit = new FitAddon()
  private socket: WebSocket | null = null
  private wait = AGAIN_MS
  private isOver = false

  constructor({ name, user, screen, said, signal }: ShellPlace) {
    this.name = name
    this.user = user
    this.said = said
    this.signal = signal
    this.terminal = new Terminal({
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      fontFamily: 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace',
      ...{ fontSize: 14, scrollback: 5_000, screenReaderMode: true, minimumContrastRatio: 4.5 },
      theme: { background: '#101412', foreground: '#e4e9e6', cursor: '#62c9a6' },
    })
    adoptStyles(() => this.terminal.open(screen))
    this.terminal.loadAddon(this.fit)
    this.terminal.onData(text => this.type(text))
    this.terminal.onBinary(text => this.send(Uint8Array.from(text, one => one.charCodeAt(0))))
    this.terminal.onResize(() => this.tell(this.size()))
    this.terminal.attachCustomKeyEventHandler(event => this.key(event))
    const resize = new ResizeObserver(() => this.fit.fit())
    resize.observe(screen)
    signal.addEventListener('abort', () => {
      resize.disconnect()
      this.socket?.close()
      this.terminal.dispose()
    })
    this.fit.fit()
    this.terminal.focus()
    this.connect()
  }

  async copy(): Promise<void> {
    await navigator.clipboard.writeText(this.terminal.getSelection())
    this.terminal.focus()
  }

  async paste(): Promise<void> {
    this.terminal.paste(await navigator.clipboard.readText())
    this.terminal.focus()
  }

  /** The shell ends, and is not kept. */
  leave(): void {
    this.isOver = true
    sessionStorage.removeItem(this.kept())
    this.tell({ leave: true })
    this.offer(note('quiet', 'The shell was ended.'))
  }

  private readonly kept = () =>
    this.user === '' ? `box-shell-${this.name}` : `box-shell-${this.name}/${this.user}`

  private size() {
    return { rows: this.terminal.rows, columns: this.terminal.cols }
  }

  private connect(): void {
    if (this.signal.aborted) return
    const resume = sessionStorage.getItem(this.kept())
    const verb = resume === null ? 'Opening a shell' : 'Going back to your shell'
    replace(this.said, h('p', { class: 'quiet' }, `${verb} …`))
    const path = `/v1/devices/${encodeURIComponent(this.name)}/terminal`
    const socket = new WebSocket(`ws://${location.host}${path}`, ['box-terminal', ownKey() ?? ''])
    socket.binaryType = 'arraybuffer'
    this.socket = socket
    let why = 'box up does not answer.'
    const user = this.user === '' ? {} : { user: this.user }
    socket.onopen = () => this.tell({ ...this.size(), ...user, ...(resume !== null && { resume }) })
    socket.onmessage = ({ data }) => {
      if (typeof data !== 'string') this.show(new Uint8Array(data as ArrayBuffer))
      else why = this.hear(JSON.parse(data) as Said) ?? why
    }
    socket.onclose = () => {
      if (this.signal.aborted || this.isOver) return
      replace(this.said, note('warn', `${why} Trying again, as soon as it can be.`))
      setTimeout(() => this.connect(), this.wait)
      this.wait = Math.min(2 * this.wait, AGAIN_MAX_MS)
    }
  }

  /** Why it was lost, where it was. */
  private hear(said: Said): string | null {
    switch (said.is) {
      case 'open': {
        const wasThere = sessionStorage.getItem(this.kept()) !== null
        // The device shows its screen again.
        if (wasThere) this.terminal.reset()
        this.wait = AGAIN_MS
        sessionStorage.setItem(this.kept(), said.id)
        replace(
          this.said,
          wasThere &&
            !said.resumed &&
            note('quiet', 'The old shell is not there any more; this is a new one.'),
        )
        return null
      }
      case 'lost':
        return said.message
      default:
        this.isOver = true
        sessionStorage.removeItem(this.kept())
        this.offer(
          said.is === 'ended'
            ? note('quiet', `The shell has ended, with exit code ${said.code}.`)
            : note('bad', said.message),
        )
        return null
    }
  }

  private offer(what: HTMLElement): void {
    const click = () => {
      this.isOver = false
      this.terminal.reset()
      this.connect()
      this.terminal.focus()
    }
    replace(this.said, what, h('button', { type: 'button', on: { click } }, 'Open a new shell'))
  }

  private show(bytes: Uint8Array): void {
    this.terminal.write(bytes, () => this.tell({ taken: bytes.length }))
  }

  private type(text: string): void {
    const bytes = new TextEncoder().encode(text)
    for (let at = 0; at < bytes.length; at += PIECE) this.send(bytes.subarray(at, at + PIECE))
  }

  private send(data: Uint8Array | string): void {
    if (this.socket?.readyState === WebSocket.OPEN)
      this.socket.send(data as Uint8Array<ArrayBuffer> | string)
  }

  private tell(value: object): void {
    this.send(JSON.stringify(value))
  }

  /** As terminals of desktops have it: ^C interrupts, ^⇧C copies; ^⇧V is the browser's. Tab leaves with ⌥/Alt+Esc. */
  private key(event: KeyboardEvent): boolean {
    if (event.type !== 'keydown') return true
    if (event.ctrlKey && event.shiftKey && event.code === 'KeyC') {
      event.preventDefault()
      void this.copy()
      return false
    }
    // Whoever goes by keyboard must get out of it.
    if (event.altKey && event.key === 'Escape') {
      document.querySelector<HTMLElement>('.actions button')?.focus()
      return false
    }
    return !(event.ctrlKey && event.shiftKey && event.code === 'KeyV')
  }
}
