/** The steps of the demonstration, each told in one line with the time it took. */

import { BoxError, ERRORS, type ErrorCode } from '../src/base/errors.ts'
import { ownProgram } from '../src/sys/own-programs.ts'
import type { Context } from './context.ts'
import type { Cast } from './demo-cast.ts'
import type { Daemons, Line } from './demo-daemons.ts'

/** Slow machines start a process in seconds; all of it fits a minute anyway. */
const START_TIMEOUT_MS = 20_000
const DEVICE = 'kitchen'
const EGO = 'home'
/** What the shell is asked where nobody sits at it. */
const QUESTION = 'uname -n; tty; echo $BOX_DEVICE'

/** A session one can watch. */
const TICKING = 'while :; do echo tick; sleep 0.1; done'
/** After the hub is gone: what was on its way has arrived by then. */
const SETTLED_MS = 300
/** A session that is silent for so long does not go on. */
const GOES_ON_MS = 8_000

export interface Hub {
  readonly role: string
  readonly pid: string
  readonly hello: string
}

/** What `box ssh --json` says. */
export interface ShellReport {
  readonly name: string
  readonly device_zone: string
  readonly path: readonly string[]
  readonly resolve_ms: number
  readonly channel_ms: number
  readonly shell_ms: number
  readonly output: string
  readonly exit_code: number
}

/** What `box demo --json` prints. */
export interface DemoReport extends ShellReport {
  readonly hub_pid: string
  readonly tty: string
}

export class Scene {
  readonly hubs: Hub[] = []
  private readonly context: Context
  private readonly cast: Cast
  private line: Line | null = null

  constructor(context: Context, cast: Cast) {
    this.context = context
    this.cast = cast
  }

  /** The command line of one of the programs, on its own state. */
  box(...words: string[]): string[] {
    const engine = this.line ? daemonWords(this.line.confs.controller) : []
    const state = this.cast.stateOf('controller')
    return [...ownProgram('box'), '--state', state, ...engine, ...words]
  }

  /** The shell for the person at the terminal. */
  shellCommand(): string[] {
    return this.box('ssh', DEVICE)
  }

  agent(role: string, ...words: string[]): string[] {
    return [...ownProgram('box-agent'), '--state', this.cast.stateOf(role), ...words]
  }

  async startHub(role: string): Promise<void> {
    await this.step(role, async () => {
      this.cast.start(role, this.agent(role, 'run', '--hub', '--listen', '127.0.0.1:0'))
      const hub = { role, ...(await this.statusOf(role, () => true)) }
      this.hubs.push(hub)
      return `peer ${short(hub.pid)}, process ${this.cast.pidOf(role)}, relays what it cannot read`
    })
  }

  /** GNUnet daemons in place of peers of our own: the middle one is the hub. */
  async useDaemons(daemons: Daemons, given: readonly string[]): Promise<void> {
    await this.step('daemons', async () => {
      this.line = await daemons.line(given, this.cast.directory)
      const { hub } = this.line
      this.hubs.push({ role: 'hub', ...hub })
      return `three GNUnet daemons in a line, ${short(hub.pid)} in the middle, relays what it cannot read`
    })
  }

  async startDevice(): Promise<void> {
    await this.step('device', async () => {
      const hubs = this.hubs.flatMap(({ hello }) => ['--hub-url', hello])
      this.cast.start('device', this.agent('device', 'run', ...this.deviceEngine(), ...hubs))
      const { pid } = await this.statusOf('device', status => status.hubs > 0)
      const dials = this.hubs.map(hub => short(hub.pid)).join(' and ')
      return `peer ${short(pid)}, process ${this.cast.pidOf('device')}, ${this.line ? 'on its own daemon, beside' : 'listens nowhere, dialled'} ${dials}`
    })
  }

  async pair(): Promise<void> {
    let code = ''
    await this.step('code', async () => {
      const said = await this.run(this.agent('device', 'pair', '--json', '--no-wait'))
      code = (said as { code: string }).code
      return `${code.slice(0, 23)}… on the screen of the device, good for one pairing`
    })
    await this.step('pair', async () => {
      await this.run(this.box('init', '--ego', EGO, '--json'))
      const said = await this.run(this.box('pair', code, '--as', DEVICE, '--json'))
      const { check_words: words } = said as { check_words: string[] }
      return `both say "${words.join(' ')}"; the device is ${DEVICE}.${EGO} now`
    })
  }

  /** A shell with a terminal, found by the name alone. */
  async openShell(): Promise<DemoReport> {
    let found!: DemoReport
    await this.step('shell', async () => {
      const words = ['ssh', DEVICE, '--fresh', '--tty', '--json', '--', QUESTION]
      const report = (await this.run(this.box(...words))) as ShellReport
      found = this.checked(report)
      return (
        `${found.name} found in the DHT in ${report.resolve_ms} ms, channel ` +
        `${report.path.map(short).join(' > ')} in ${report.channel_ms} ms, ` +
        `shell on ${found.tty} in ${report.shell_ms} ms`
      )
    })
    return found
  }

  /** Kills the hub that carries a session; how long until the session goes on, or a new one stands. */
  async failOver(path: readonly string[]): Promise<number> {
    const hub = this.hubs.find(({ pid }) => pid === path[1])
    if (!hub) throw wrong(`The session goes through none of the hubs: ${path.join(' > ')}.`)
    let ms = 0
    await this.step('fail-over', async () => {
      const watch = this.cast.watch(this.box('ssh', DEVICE, '--', TICKING))
      try {
        await watch.next(START_TIMEOUT_MS)
        const killedAt = this.context.clock.elapsed()
        await this.cast.kill(hub.role)
        // What was under way already says nothing: the session stands when it is heard after that.
        await this.pause(SETTLED_MS)
        const goesOn = await watch.next(GOES_ON_MS).then(
          () => true,
          () => false,
        )
        if (!goesOn) await this.run(this.box('ssh', DEVICE, '--json', '--', 'true'))
        ms = Math.round(this.context.clock.elapsed() - killedAt)
        const how = goesOn ? 'the same session goes on' : 'a new session stands'
        return `hub ${short(hub.pid)} killed in the middle of a session: ${how} after ${ms} ms`
      } finally {
        watch.end()
      }
    })
    return ms
  }

  /** What to type to go on, where everything is left running. */
  hints(others: readonly number[]): string[] {
    const processes = [...this.hubs.map(({ role }) => role), 'device']
      .map(role => this.cast.pidOf(role))
      .filter(pid => pid > 0)
      .concat(others)
    const box = this.box().map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`))
    const say = (...words: string[]) => [...box, ...words].join(' ')
    return [
      say('ssh', DEVICE),
      say('exec', DEVICE, '--', 'uptime'),
      say('doctor', DEVICE),
      `ssh -o ProxyCommand='${say('proxy', '%h')}' -i ${this.cast.stateOf('controller')}/ssh_key ` +
        `-o UserKnownHostsFile=${this.cast.stateOf('controller')}/known_hosts ${DEVICE}.box`,
      `kill ${processes.join(' ')}; rm -r ${this.cast.directory}`,
    ]
  }

  private deviceEngine(): readonly string[] {
    return this.line ? daemonWords(this.line.confs.device) : []
  }

  private checked(report: ShellReport): DemoReport {
    const [node, tty = '', device] = report.output.split(/\r?\n/)
    if (report.exit_code !== 0 || !node || !tty.startsWith('/dev/') || device !== DEVICE)
      throw wrong(`The shell says ${JSON.stringify(report.output)}.`)
    if (report.path.length !== 3 || !this.hubs.some(({ pid }) => pid === report.path[1]))
      throw wrong(`The way does not lead through the hub: ${report.path.join(' > ')}.`)
    return {
      name: `${report.name}.${EGO}`,
      device_zone: report.device_zone,
      hub_pid: report.path[1]!,
      path: report.path,
      resolve_ms: report.resolve_ms,
      channel_ms: report.channel_ms,
      shell_ms: report.shell_ms,
      tty,
      output: report.output.replaceAll('\r\n', '\n'),
      exit_code: report.exit_code,
    }
  }

  /** Tells a step when it is done. */
  private async step(name: string, run: () => Promise<string>): Promise<void> {
    const { clock, output } = this.context
    const progress = output.progress(name)
    const begun = clock.elapsed()
    const told = await run().finally(progress.end)
    const seconds = ((clock.elapsed() - begun) / 1_000).toFixed(2)
    if (!output.json) output.result(`${seconds.padStart(6)} s  ${name.padEnd(9)}  ${told}`, {})
  }

  /** Runs a program that must succeed; what it says is JSON. Fails with its reason. */
  private async run(command: readonly string[]): Promise<unknown> {
    const { code, out, err } = await this.cast.run(command)
    if (code === 0) return JSON.parse(out)
    throw failureOf(err)
  }

  /** The status of an agent, as soon as it is as wanted. */
  private statusOf(role: string, isReady: (status: Status) => boolean): Promise<Status> {
    const ask = async () => {
      const { code, out } = await this.cast.run(this.agent(role, 'status', '--json'))
      if (code !== 0) return null
      const status = JSON.parse(out) as Status
      return isReady(status) ? status : null
    }
    return this.cast.until(role, ask, START_TIMEOUT_MS)
  }

  private pause(ms: number): Promise<void> {
    return new Promise(resolve => void this.context.clock.after(ms, resolve))
  }
}

const daemonWords = (conf: string): string[] => ['--mesh', 'gnunet', '--gnunet-conf', conf]

/** A peer as people are shown it. */
const short = (pid: string): string => pid.slice(0, 4)

const wrong = (detail: string) => new BoxError('STATE_UNEXPECTED', detail)

/** The error that a program told as JSON, as if it were ours; or all that it said. */
function failureOf(err: string): BoxError {
  const line = err.trim().split('\n').at(-1) ?? ''
  try {
    const { error: told } = JSON.parse(line) as { error: Told }
    if (Object.hasOwn(ERRORS, told.code)) {
      const code = told.code as ErrorCode
      return new BoxError(code, told.message?.slice(ERRORS[code][1].length).trim())
    }
  } catch {
    // Not JSON: quoted as it is.
  }
  return wrong(err.trim() || 'A program ended without a word.')
}

interface Told {
  readonly code: string
  readonly message?: string
}

/** What the demonstration needs of `box-agent status --json`. */
interface Status {
  readonly pid: string
  readonly hello: string
  readonly hubs: number
}
