/** Real GNUnet daemons for the tests: lab.sh, and the tools of their own version run against them. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { missing, type Outcome, Program, run, succeed } from './program.ts'

const LAB = join(import.meta.dirname, 'lab.sh')
/** The first port of all labs here. */
export const LAB_PORT = Number(process.env.LAB_PORT ?? 28_000)
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

/** The versions that must work with us: those of Debian 12 and 13. In CI both must be there. */
export function releases(): readonly Release[] {
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

/** Some daemons. Labs with different numbers can be up at the same time. */
export class Lab {
  private readonly env: Readonly<Record<string, string>>
  private readonly root: string

  constructor({ root }: Pick<Release, 'root'>, number = 0) {
    this.root = root
    this.env = {
      LAB_DIR: `${process.env.LAB_DIR ?? '/tmp/l-dm'}${number}`,
      LAB_PORT: `${LAB_PORT + PORTS * number}`,
      LAB_ROOT: root,
    }
  }

  async up(daemons: number, topology: 'line' | 'apart'): Promise<void> {
    await this.lab('up', `${daemons}`, topology)
  }

  /** Stops them; nothing where they are not up. */
  async down(): Promise<void> {
    await this.lab('down')
  }

  /** Stops one daemon; its keys and data stay. */
  async halt(daemon: number): Promise<void> {
    await this.lab('kill', `${daemon}`)
  }

  /** Starts it again. */
  async resume(daemon: number): Promise<void> {
    await this.lab('start', `${daemon}`)
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
    return `${this.env.LAB_DIR}/p${daemon}/conf`
  }

  hello(daemon: number): Promise<string> {
    return this.lab('hello', `${daemon}`)
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

  /** Starts a tool that goes on running. */
  start(daemon: number, name: string, ...words: readonly string[]): Program {
    const program = new Program(this.command(daemon, name, words))
    program.child.stdin!.on('error', () => {})
    return program
  }

  private command(daemon: number, name: string, words: readonly string[]): string[] {
    const all = [name, '-c', `${this.env.LAB_DIR}/p${daemon}/conf`, ...words]
    return this.root === '' ? all : ['unshare', MINE, 'sh', '-c', ENTER, this.root, ...all]
  }

  private async lab(...words: string[]): Promise<string> {
    return (await succeed([LAB, ...words], { env: this.env })).trim()
  }
}
