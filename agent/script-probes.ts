/**
 * Probes of the owner's: each program in a directory is run now and then, and what it prints becomes variables of
 * the status, `_probe_NAME_VALUE`. Only programs are run that nobody can change who could not do so anyway. One that
 * fails is told of in the status, and harms nothing else.
 */

import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock, Timer } from '../src/base/clock.ts'
import type { Log } from '../src/base/log.ts'
import { WireError } from '../src/wire/layout.ts'
import { parseProbeOutput } from './probe-output.ts'
import { runProbe } from './probe-run.ts'

/** The directory is looked at so often: a new probe is run soon, and one that is gone has no values any more. */
const LOOK_MS = 5_000
const EVERY_MS = 60_000
/** Each run is a process: a router has better things to do. */
const EVERY_MS_MIN = 10_000
const EVERY_MS_MAX = 86_400_000
const PROBES_MAX = 16
/** `ups.5m.sh`: its name, how often, and an ending that means nothing here. */
const NAME = /^([a-z0-9]+(?:[_-][a-z0-9]+)*)(?:\.(\d{1,4})([smh]))?(?:\.[a-z]{1,8})?$/
const NAME_MAX = 32
const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 }
const OTHERS_MAY_WRITE = 0o022
const STICKY = 0o1000
const MAY_BE_RUN = 0o111
const TOLD_MAX = 256

/** What a probe said last; or how it failed, and then it said nothing. */
export interface ProbeReading {
  readonly name: string
  readonly values: ReadonlyMap<string, string>
  readonly failure: string | null
}

interface Probe {
  readonly name: string
  readonly path: string
  readonly everyMs: number
}

export interface ScriptProbesOptions {
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
}

export class ScriptProbes {
  private readonly options: ScriptProbesOptions
  private readonly readings = new Map<string, ProbeReading>()
  private readonly ranAt = new Map<string, number>()
  private readonly end = new AbortController()
  private timer: Timer | null = null
  /** What is wrong is told once, not every time. */
  private readonly told = new Set<string>()

  /** Runs them from now on. */
  constructor(options: ScriptProbesOptions) {
    this.options = options
    // Unexpected failures end the process, as everywhere.
    void this.look()
  }

  /** Of each that was run, by name. */
  all(): readonly ProbeReading[] {
    return [...this.readings.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  close(): void {
    this.end.abort()
    this.timer?.cancel()
  }

  /** Runs what is due, one after the other. */
  private async look(): Promise<void> {
    const { clock } = this.options
    const probes = this.probes()
    const names = new Set(probes.map(({ name }) => name))
    for (const name of this.readings.keys()) if (!names.has(name)) this.readings.delete(name)
    for (const name of this.ranAt.keys()) if (!names.has(name)) this.ranAt.delete(name)
    for (const probe of probes) {
      if (this.end.signal.aborted) return
      if (
        clock.elapsed() - (this.ranAt.get(probe.name) ?? Number.NEGATIVE_INFINITY) <
        probe.everyMs
      )
        continue
      this.ranAt.set(probe.name, clock.elapsed())
      const reading = await this.run(probe)
      if (this.end.signal.aborted) return
      this.readings.set(probe.name, reading)
    }
    if (!this.end.signal.aborted) this.timer = clock.after(LOOK_MS, () => void this.look())
  }

  private async run({ name, path }: Probe): Promise<ProbeReading> {
    const { clock } = this.options
    const end = await runProbe(path, { name, clock, signal: this.end.signal })
    if (end.is === 'failed') return this.failed(name, path, end.why)
    try {
      return { name, values: parseProbeOutput(end.output), failure: null }
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      return this.failed(name, path, `what it printed: ${error.detail}`)
    }
  }

  private failed(name: string, path: string, failure: string): ProbeReading {
    this.tell(failure, path)
    return { name, values: new Map(), failure }
  }

  private probes(): Probe[] {
    const { directory } = this.options
    if (!this.isOurs(directory, stats => stats.isDirectory()) || !this.isReachedBySafeWays())
      return []
    const found = new Map<string, Probe>()
    for (const file of listing(directory).sort()) {
      const probe = probeOf(directory, file)
      if (!probe || !this.isOurs(probe.path, isProgram)) continue
      if (found.has(probe.name)) this.tell('another one has this name', probe.path)
      else if (found.size >= PROBES_MAX)
        this.tell(`only the first ${PROBES_MAX} are run`, directory)
      else found.set(probe.name, probe)
    }
    return [...found.values()]
  }

  /** Whether it is what it should be, and nobody but root and we can change it. No links: what they lead to may be. */
  private isOurs(path: string, isRight: (stats: Stats) => boolean): boolean {
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (!stats || !isRight(stats)) return false
    const isOwn = stats.uid === 0 || stats.uid === process.getuid?.()
    if (isOwn && (stats.mode & OTHERS_MAY_WRITE) === 0) return true
    this.tell('others may change it: it is not run', path)
    return false
  }

  /** Who may rename a directory above can put another one there; in a sticky one only its owner may. */
  private isReachedBySafeWays(): boolean {
    for (let path = dirname(this.options.directory); ; path = dirname(path)) {
      const stats = lstatSync(path, { throwIfNoEntry: false })
      if (!stats) return false
      const isOwn = stats.uid === 0 || stats.uid === process.getuid?.()
      const isOpen = (stats.mode & OTHERS_MAY_WRITE) !== 0 && (stats.mode & STICKY) === 0
      if (!isOwn || isOpen) {
        this.tell('others may put other probes there: none is run', path)
        return false
      }
      if (path === dirname(path)) return true
    }
  }

  private tell(what: string, path: string): void {
    if (this.told.has(path + what) || this.told.size >= TOLD_MAX) return
    this.told.add(path + what)
    this.options.log.note('warn', 'probes', what, { path })
  }
}

function probeOf(directory: string, file: string): Probe | null {
  const [, name, count, unit] = NAME.exec(file) ?? []
  if (name === undefined || name.length > NAME_MAX) return null
  const ms = count === undefined ? EVERY_MS : Number(count) * UNITS_MS[unit!]!
  const everyMs = Math.max(EVERY_MS_MIN, Math.min(EVERY_MS_MAX, ms))
  return { name: name.replaceAll('-', '_'), path: join(directory, file), everyMs }
}

const isProgram = (stats: Stats): boolean => stats.isFile() && (stats.mode & MAY_BE_RUN) !== 0

function listing(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return [] // It is not there, or not for us.
  }
}
