/** Real GNUnet daemons for the tests: lab.sh, and the tools of their own version run against them. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from 'vitest'
import { missing, type Outcome, Program, run, succeed } from './program.ts'

const LAB = join(import.meta.dirname, 'lab.sh')
/** The first port of all labs here; files that run at the same time have different ones, all below those that Linux gives to whoever connects. */
export const LAB_PORT =
  Number(process.env.LAB_PORT ?? 24_000) + 1_000 * Number(process.env.VITEST_POOL_ID ?? 1)
/** As lab.sh enters a root: with a /proc, in a mount namespace of its own. */
const ENTER = 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"'
const MINE = process.getuid?.() === 0 ? '-m' : '-rm'

/** One version of GNUnet: of this machine, or in a root of its own. */
export interface Release {
  readonly version: string
  /** Empty: this machine's. */
  readonly root: string
  /** Whether it cannot be tested here. */
  readonly skipped: boolean
}

/** A suite for each version that must work with us: those of Debian 12 and 13. In CI both must be there. */
export function withEachRelease(name: string, suite: (release: Release) => void): void {
  for (const release of releases())
    describe.skipIf(release.skipped)(`${name}, GNUnet ${release.version}`, () => suite(release))
}

function releases(): readonly Release[] {
  const root = process.env.GNUNET_TRIXIE_ROOT ?? ''
  const isThere = root !== '' && existsSync(join(root, 'usr/bin/gnunet-arm'))
  if (!isThere && process.env.CI) throw new Error('must not be skipped in CI: GNUNET_TRIXIE_ROOT')
  if (!isThere) console.warn('skipped: GNUnet 0.20.0 (GNUNET_TRIXIE_ROOT names no root with it)')
  const here = missing(['gnunet-arm', 'gnunet-cadet', 'gnunet-gns', 'gnunet-namestore'])
  return [
    { version: '0.19.3', root: '', skipped: here !== null },
    { version: '0.20.0', root, skipped: !isThere },
  ]
}

/** How far apart the ports of labs are: each daemon has one, and one 500 further. */
const PORTS = 50
/** Below these are the daemons' ports, above ours. */
const OWN_PORTS = 20

export interface LabOptions {
  /** Labs with different numbers can be up at the same time. */
  readonly number?: number
  /** From which the daemons' keys are derived; random where there is none. */
  readonly seed?: string
  /** Only what CADET and the DHT need. */
  readonly minimal?: boolean
  /** What else the configuration of a daemon says, by its number. */
  readonly configuration?: Readonly<Record<number, string>>
}

export type Topology = 'line' | 'none' | 'apart'

/** Those that may have something running, ended at the latest with this process. */
const open = new Set<Lab>()
process.once('exit', () => {
  for (const lab of open) lab.abandon()
})

/** Some daemons, in a directory that is made when they come up and is gone after them. */
export class Lab {
  /** The first daemon's is one more. */
  readonly port: number
  private readonly options: LabOptions
  private readonly root: string
  private directory = ''

  constructor({ root }: Pick<Release, 'root'>, options: LabOptions = {}) {
    this.root = root
    this.options = options
    this.port = LAB_PORT + PORTS * (options.number ?? 0)
  }

  /** A port for something of ours. */
  ownPort(number = 0): number {
    return this.port + OWN_PORTS + number
  }

  async up(daemons: number, topology: Topology): Promise<void> {
    // Short, for the paths of sockets; fresh, since a run that was killed may have left its own.
    this.directory = mkdtempSync(`${process.env.LAB_DIR ?? '/tmp/l'}-`)
    open.add(this)
    for (const [daemon, text] of Object.entries(this.options.configuration ?? {}))
      writeFileSync(this.configurationFile(daemon), text)
    await this.lab('up', `${daemons}`, topology)
  }

  /** Stops them; nothing where they are not up. */
  async down(): Promise<void> {
    if (!open.has(this)) return
    await this.lab('down')
    this.forget()
  }

  /** As `down`, when nothing can be waited for any more. */
  abandon(): void {
    spawnSync(LAB, ['down'], { env: { ...process.env, ...this.env() } })
    this.forget()
  }

  /** Stops one, which keeps its keys and data. */
  async stop(daemon: number): Promise<void> {
    await this.lab('kill', `${daemon}`)
  }

  async startAgain(daemon: number): Promise<void> {
    await this.lab('start', `${daemon}`)
  }

  /** Introduces two to each other. */
  async link(one: number, other: number): Promise<void> {
    await this.lab('link', `${one}`, `${other}`)
  }

  /** The processes of a daemon. */
  async processes(daemon: number): Promise<readonly number[]> {
    return (await this.lab('pids', `${daemon}`)).split(/\s+/).map(Number)
  }

  /** The pid of a daemon. */
  id(daemon: number): Promise<string> {
    return this.lab('id', `${daemon}`)
  }

  /** Its configuration file. */
  conf(daemon: number): string {
    return join(this.directory, `p${daemon}`, 'conf')
  }

  hello(daemon: number): Promise<string> {
    return this.lab('hello', `${daemon}`)
  }

  /** Where a service of a daemon listens for clients. */
  socket(daemon: number, service: string): string {
    return join(this.directory, `p${daemon}`, 'run', `gnunet-service-${service}.sock`)
  }

  /** Waits until a daemon has so many links. */
  async linked(daemon: number, count: number): Promise<void> {
    await this.lab('wait', `${daemon}`, `${count}`)
  }

  /** Runs one of its tools against a daemon; its output. Fails unless it exits with 0. */
  tool(daemon: number, name: string, ...words: readonly string[]): Promise<string> {
    return succeed(this.command(daemon, name, words), { ms: 30_000 })
  }

  /** As `tool`, whatever comes of it. */
  try(daemon: number, name: string, ...words: readonly string[]): Promise<Outcome> {
    return run(this.command(daemon, name, words), { ms: 30_000 })
  }

  /** Makes an ego, in place of one that an attempt of the same test may have left; its zone as text. */
  async makeEgo(daemon: number, name: string, type: 'EDKEY' | 'PKEY'): Promise<string> {
    await this.try(daemon, 'gnunet-identity', '-D', name)
    const words = type === 'EDKEY' ? ['-X'] : []
    await this.tool(daemon, 'gnunet-identity', '-C', name, ...words)
    const told = await this.tool(daemon, 'gnunet-identity', '-d', '-e', name)
    return /([0-9A-Z]{58})/.exec(told)![1]!
  }

  /** Starts a tool that goes on running. */
  start(daemon: number, name: string, ...words: readonly string[]): Program {
    const program = new Program(this.command(daemon, name, words))
    program.child.stdin!.on('error', () => {})
    return program
  }

  private command(daemon: number, name: string, words: readonly string[]): string[] {
    const all = [name, '-c', join(this.directory, `p${daemon}`, 'conf'), ...words]
    return this.root === '' ? all : ['unshare', MINE, 'sh', '-c', ENTER, this.root, ...all]
  }

  private async lab(...words: string[]): Promise<string> {
    return (await succeed([LAB, ...words], { env: this.env() })).trim()
  }

  private env(): Readonly<Record<string, string>> {
    const { seed = '', minimal = false, configuration = {} } = this.options
    const files = Object.keys(configuration).map(daemon => [
      `LAB_CONF_${daemon}`,
      this.configurationFile(daemon),
    ])
    return {
      LAB_DIR: this.directory,
      LAB_PORT: `${this.port}`,
      LAB_ROOT: this.root,
      LAB_SEED: seed,
      LAB_MIN: minimal ? '1' : '0',
      ...Object.fromEntries(files),
    }
  }

  /** Beside the directory, which has to be empty at first. */
  private configurationFile(daemon: string): string {
    return `${this.directory}.${daemon}.conf`
  }

  private forget(): void {
    open.delete(this)
    rmSync(this.directory, { recursive: true, force: true })
    for (const daemon of Object.keys(this.options.configuration ?? {}))
      rmSync(this.configurationFile(daemon), { force: true })
  }
}
