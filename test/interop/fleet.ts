/** Our own programs as a person uses them: hubs, devices and controllers with state directories of their own. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BOX, BOX_AGENT, folder, type Outcome, type Place, Program, run } from './program.ts'

const LOOK_EVERY_MS = 100
const START_MS = 60_000

/** What `box-agent status --json` says, as far as the tests look. */
export interface AgentStatus {
  readonly pid: string
  readonly hello: string
  readonly device_zone: string
  readonly device_zones_before: readonly { readonly zone: string; readonly until: string }[]
  readonly neighbours: readonly { readonly pid: string; readonly state: string }[]
  readonly owners: readonly { readonly name: string; readonly calls_it: string }[]
  readonly rooms: readonly {
    readonly direct: number
    readonly fragments: string
    readonly sent: number
  }[]
}

export interface AgentOptions {
  /** What agent.json says. */
  readonly settings?: object
  /** A file that starts the agent, and is run again whenever that ends. */
  readonly supervised?: string
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`

/** A running `box-agent`. */
export class Agent {
  readonly state: string
  program: Program
  private readonly place: Place
  private readonly command: readonly string[]

  constructor(
    name: string,
    words: readonly string[],
    place: Place = {},
    { settings, supervised }: AgentOptions = {},
  ) {
    this.state = folder(name)
    this.place = place
    const command = [process.execPath, BOX_AGENT, 'run', '--state', this.state, ...words]
    if (settings) writeFileSync(join(this.state, 'agent.json'), JSON.stringify(settings))
    if (supervised) writeFileSync(supervised, `exec ${command.map(quoted).join(' ')}\n`)
    this.command = supervised
      ? [
          'sh',
          '-c',
          `trap 'kill $!; exit' TERM; while :; do sh ${supervised} & wait $!; sleep 1; done`,
        ]
      : command
    this.program = new Program(this.command, place)
  }

  /** Starts it again on the same state, after it has ended. */
  restart(): void {
    this.program = new Program(this.command, this.place)
  }

  /** Asks the running agent, until the answer satisfies. */
  async status(
    holds: (status: AgentStatus) => boolean = () => true,
    ms = START_MS,
  ): Promise<AgentStatus> {
    const deadline = Date.now() + ms
    for (;;) {
      const said = await this.ask('status', '--json')
      if (said.code === 0) {
        const status = JSON.parse(said.out) as AgentStatus
        if (holds(status)) return status
      }
      if (Date.now() > deadline)
        throw new Error(`agent: ${said.out} ${said.err} ${this.program.err.slice(-1_000)}`)
      await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS))
    }
  }

  /** Until it has so many neighbours. */
  linked(count = 1, ms = START_MS): Promise<AgentStatus> {
    const up = ({ neighbours }: AgentStatus) =>
      neighbours.filter(({ state }) => state === 'up').length >= count
    return this.status(up, ms)
  }

  /** Opens the pairing window; the code. */
  async pairingCode(): Promise<string> {
    const said = await this.ask('pair', '--json', '--no-wait')
    if (said.code !== 0) throw new Error(said.err)
    return (JSON.parse(said.out) as { code: string }).code
  }

  ask(...words: string[]): Promise<Outcome> {
    const [verb, ...rest] = words
    const command = [process.execPath, BOX_AGENT, verb!, '--state', this.state, ...rest]
    return run(command, { ...this.place, ms: START_MS })
  }
}

/** A person with a `box`. */
export class Controller {
  readonly state: string
  private readonly place: Place

  constructor(name: string, place: Place = {}) {
    this.state = join(folder(name), 'state')
    mkdirSync(this.state, { mode: 0o700 })
    this.place = place
  }

  /** The command line of a `box` on this state. */
  command(...words: readonly string[]): string[] {
    return [process.execPath, BOX, '--state', this.state, ...words]
  }

  box(...words: readonly string[]): Promise<Outcome> {
    return this.boxWithin(60_000, ...words)
  }

  /** As `box`, for what takes its time. */
  boxWithin(ms: number, ...words: readonly string[]): Promise<Outcome> {
    return run(this.command(...words), { ...this.place, ms })
  }

  /** As `box`, and fails unless it exits with 0; its standard output. */
  async must(...words: readonly string[]): Promise<string> {
    const { code, out, err } = await this.box(...words)
    if (code !== 0) throw new Error(`box ${words.join(' ')} exited ${code}:\n${out}\n${err}`)
    return out
  }
}
