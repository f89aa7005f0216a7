/**
 * What the device keeps about pushes, in `push` of its state directory: contents by their hash, the
 * generations it has been through, and the journal of the change under way. Each value is replaced as a
 * whole; whatever moment a crash chooses, all of them can be read.
 */

import { join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { LIMITS } from '../../src/box/bundle/limits.ts'
import { contentId } from '../../src/box/bundle/release.ts'
import { type Disk, replaceOn } from '../../src/sys/disk.ts'
import { type FileState, hex, type Place } from './state-of-files.ts'

/** Where a change is. Until `confirmed`, an interruption leads back to the old. */
export type Step =
  | 'preparing'
  | 'swapping'
  | 'running'
  | 'verifying'
  | 'awaiting'
  | 'confirmed'
  | 'restoring'
  | 'undoing'

/** What a change is: something new, the way back to a generation, or what had drifted put right. */
export type Act = 'push' | 'rollback' | 'repair'

/** The change under way. */
export interface Journal {
  readonly version: 1
  readonly act: Act
  readonly step: Step
  /** Names this change to whoever is to confirm it. */
  readonly id: string
  /** The kernel's name for the time since it was started. */
  readonly boot: string
  readonly places: readonly Place[]
  /** Directories that were made for it, outer ones first. */
  readonly directories: readonly string[]
  /** What it becomes when confirmed. */
  readonly becomes: Generation
  readonly confirmSeconds: number
  readonly commandSeconds: number
  readonly undo: readonly string[]
  /** Services that read their configuration again after `undo`. */
  readonly reload: readonly string[]
  /** When it is put back unless confirmed; milliseconds since 1970. */
  readonly deadline: number | null
  /** Why it is put back. */
  readonly reason: string | null
  /** Who confirmed it, as in names; null until then, and where the device did so itself. */
  readonly by: string | null
  /** How often the undo commands were begun. */
  readonly tries: number
  /** The process group of a command that runs. */
  readonly group: { readonly pid: number; readonly began: string } | null
}

/** A configuration that was confirmed. 0 is what was there before anybody pushed anything. */
export interface Generation {
  readonly number: number
  readonly name: string
  readonly sequence: number
  /** The zone of who signed it, as in names; empty for number 0. */
  readonly signer: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** The signed release, by its name among the contents; null where it was a way back to number 0. */
  readonly release: string | null
  /** The release of each bundle that is in force, by the bundle's name. */
  readonly bundles: Readonly<Record<string, string>>
  /** All files that are looked after, and by which bundle. */
  readonly files: Readonly<Record<string, Managed>>
}

export interface Managed {
  readonly state: FileState
  readonly by: string
}

/** How the last change ended. */
export interface Outcome {
  readonly id: string
  readonly act: Act
  readonly is: 'confirmed' | 'put back'
  readonly name: string
  readonly sequence: number
  /** The generation that holds since. */
  readonly generation: number
  readonly reason: string | null
  readonly at: number
  /** Who confirmed it, as in names; null where the device ended it by itself. */
  readonly by: string | null
  /** Undo commands that failed, if any did. */
  readonly complaints: readonly string[]
}

export interface History {
  readonly version: 1
  /** The highest number that was tried: nothing older is taken. */
  readonly sequence: number
  readonly generations: readonly Generation[]
  /** What each path was before it was looked after. */
  readonly origins: Readonly<Record<string, FileState>>
  readonly last: Outcome | null
}

const START: Generation = {
  ...{ number: 0, name: '', sequence: 0, signer: '', at: 0, release: null, bundles: {}, files: {} },
}
const EMPTY: History = { version: 1, sequence: 0, generations: [START], origins: {}, last: null }

/** Generations that can be gone back to, beside number 0; each keeps its contents. */
const GENERATIONS_MAX = 20
const VALUE_BYTES_MAX = 16 * 1_024 * 1_024
const OWNER_DIRECTORY = 0o700
const CONTENT_NAME = /^[0-9a-f]{64}$/

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class PushState {
  readonly stage: string
  readonly output: string
  private readonly disk: Disk
  private readonly directory: string
  private readonly contents: string

  /** Makes the directories where they are missing. */
  constructor(stateDirectory: string, disk: Disk) {
    this.disk = disk
    this.directory = join(stateDirectory, 'push')
    this.contents = join(this.directory, 'contents')
    this.stage = join(this.directory, 'stage')
    this.output = join(this.directory, 'output')
    for (const path of [this.directory, this.contents])
      if (!disk.look(path)) disk.makeDirectory(path, OWNER_DIRECTORY)
  }

  /** Throws STATE_UNREADABLE. */
  journal(): Journal | null {
    return this.value<Journal>('journal')
  }

  setJournal(journal: Journal): void {
    this.set('journal', journal)
  }

  endJournal(): void {
    this.disk.remove(join(this.directory, 'journal'))
    this.disk.sync(this.directory)
  }

  /** Throws STATE_UNREADABLE. */
  history(): History {
    return this.value<History>('history') ?? EMPTY
  }

  setHistory(history: History): void {
    this.set('history', history)
  }

  /** The history after a change; the same where it is written down twice. The oldest generations go. */
  static after(history: History, { places, becomes }: Journal, outcome: Outcome): History {
    const sequence = Math.max(history.sequence, outcome.sequence)
    const last = { ...history, sequence, last: outcome }
    const isKnown = history.generations.some(({ number }) => number === becomes.number)
    if (outcome.is !== 'confirmed' || isKnown) return last
    const origins = { ...history.origins }
    for (const { path, was } of places) origins[path] ??= was
    const [start, ...others] = history.generations
    const kept = [...others, becomes].slice(-GENERATIONS_MAX)
    return { ...last, origins, generations: [start!, ...kept] }
  }

  has(name: string): boolean {
    return this.disk.look(join(this.contents, name)) !== null
  }

  /** A content, which is what its name says. Throws STATE_UNREADABLE. */
  content(name: string): Uint8Array {
    const path = join(this.contents, name)
    if (CONTENT_NAME.test(name) && this.disk.look(path)) {
      const content = this.disk.read(path, LIMITS.fileBytes)
      if (hex(contentId(content)) === name) return content
      this.disk.remove(path)
    }
    throw new BoxError('STATE_UNREADABLE', `${path} is not there, or damaged.`)
  }

  /** Keeps a content; its name. */
  keep(content: Uint8Array): string {
    const name = hex(contentId(content))
    if (!this.has(name)) replaceOn(this.disk, join(this.contents, name), content)
    return name
  }

  /** Removes what no generation needs. */
  tidy(): void {
    const { generations, origins } = this.history()
    const states = [
      ...Object.values(origins),
      ...generations.flatMap(({ files }) => Object.values(files).map(({ state }) => state)),
    ]
    const needed = new Set(states.flatMap(state => (state.is === 'file' ? [state.stored] : [])))
    for (const { bundles } of generations)
      for (const release of Object.values(bundles)) needed.add(release)
    for (const name of this.disk.list(this.contents))
      if (!needed.has(name)) this.disk.remove(join(this.contents, name))
    this.disk.removeTree(this.stage)
    this.disk.remove(this.output)
  }

  private set(name: string, value: object): void {
    replaceOn(this.disk, join(this.directory, name), encoder.encode(JSON.stringify(value)))
  }

  private value<T extends { readonly version: 1 }>(name: string): T | null {
    const path = join(this.directory, name)
    if (!this.disk.look(path)) return null
    try {
      const value = JSON.parse(decoder.decode(this.disk.read(path, VALUE_BYTES_MAX))) as T
      if (value.version !== 1) throw new TypeError('of another version')
      return value
    } catch (cause) {
      throw new BoxError('STATE_UNREADABLE', `${path} is damaged.`, cause)
    }
  }
}
