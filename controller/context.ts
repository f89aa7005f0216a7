/**
 * What a command is given: its state, its identity, its output, and a mesh that starts when it is first
 * asked for. The composition root of `box`: nothing else in the controller makes an engine.
 *
 * Every process is a peer of its own with a key of its own, so that any number of commands can run at
 * once: devices know us by our zone key, never by our peer key.
 */

import { setMaxListeners } from 'node:events'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import { type Log, silentLog } from '../src/base/log.ts'
import type { Random } from '../src/base/random.ts'
import { revocationBits } from '../src/box/revocation-bits.ts'
import { DIFFICULTY } from '../src/gns/revocation.ts'
import type { GnunetNames } from '../src/mesh/gnunet-names.ts'
import { MESH_CHOICES, type Mesh, type MeshChoice } from '../src/mesh/mesh.ts'
import { systemClock } from '../src/sys/clock.ts'
import { isLevel, lineLog } from '../src/sys/log.ts'
import { ownProgram } from '../src/sys/own-programs.ts'
import { stateDirectory, surroundings } from '../src/sys/paths.ts'
import { systemRandom } from '../src/sys/random.ts'
import type { Common } from './command.ts'
import { type Ego, egoIn, egoText } from './ego.ts'
import type { DialErrand } from './errands/errand.ts'
import { Fleet } from './fleet.ts'
import { readHubs } from './hubs.ts'
import { EXIT_INTERRUPTED, Interrupted, type Output } from './output.ts'
import { directoryState, type State } from './state.ts'

/** Where a running `box up` lends its peer to other commands, in the state directory. */
export const LOAN_SOCKET = 'mesh.sock'
/** Where it takes commands that are to be run on devices. */
export const ERRAND_SOCKET = 'errands.sock'
/** Hubs that are dialled at the start: enough that one answers, few enough for a phone line. */
const HUBS_DIALLED_MAX = 8

/** The three streams of the process, or those of a test. */
export interface Stdio {
  readonly input: Readable
  readonly output: Writable
  readonly errors: Writable
  /** Whether input and output are a terminal. */
  readonly isTerminal: boolean
}

export interface MeshParts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Starts an engine; it closes when the command ends. */
export type StartMesh = (parts: MeshParts) => Promise<ControllerMesh>

/** An engine; a daemon has naming services beside it, or perhaps not. */
export type ControllerMesh = Mesh & {
  readonly names?: GnunetNames
  /** It is that of a `box up`, which listens for people who talk to us. */
  readonly isLent?: boolean
}

/** Which peer is ours: one of our own, that of the GNUnet installed here, or that where one answers. */
export interface EngineChoice {
  readonly mesh: MeshChoice
  /** The configuration file of the daemon; null: whichever is found. */
  readonly gnunetConf: string | null
}

export interface Context {
  readonly output: Output
  readonly stdio: Stdio
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly state: State
  readonly fleet: Fleet
  /** Aborted when the person, or the system, wants the command to end. */
  readonly signal: AbortSignal
  /** The program and arguments that run `box` on the same state. */
  readonly box: readonly string[]
  /** The names of all commands. */
  readonly commands: readonly string[]
  readonly engine: EngineChoice
  /** Who we are. Throws NO_EGO, KEY_UNREADABLE. */
  readonly ego: () => Ego
  /** Our peer in the mesh, with the hubs we know of introduced to it. */
  readonly mesh: () => Promise<ControllerMesh>
  /** The way to a `box up` of the same state that runs commands on devices for us; null where there is none. */
  readonly errands: () => Promise<DialErrand | null>
  /** What goes on beside the command; its end is waited for. Where it fails, only the log says so. */
  readonly meanwhile: (work: Promise<void>) => void
  /** What is to be closed before the mesh is. */
  readonly ending: (close: () => void) => void
  /** The work that a revocation of a zone needs in this network. */
  readonly revocationBits: number
  /** Called when the command has ended, however it did. */
  readonly close: () => Promise<void>
}

type Made =
  | 'fleet'
  | 'ego'
  | 'mesh'
  | 'errands'
  | 'meanwhile'
  | 'ending'
  | 'revocationBits'
  | 'close'
export type ContextParts = Omit<Context, Made> & {
  readonly startMesh: StartMesh
  /** Absent: there is none. */
  readonly errands?: () => Promise<DialErrand | null>
  readonly revocationBits?: number
}

/** Puts a context together; what costs time is made when it is first needed. */
export function createContext({
  startMesh,
  errands = async () => null,
  revocationBits = DIFFICULTY,
  ...parts
}: ContextParts): Context {
  const { state, clock, random, log, signal } = parts
  // Each device of a fleet listens: many are no leak.
  setMaxListeners(0, signal)
  const fleet = new Fleet(state)
  let ego: { readonly text: string; readonly is: Ego } | null = null
  let mesh: Promise<ControllerMesh> | null = null
  const beside = new Set<Promise<void>>()
  const endings: (() => void)[] = []
  const start = async () => {
    const started = await startMesh({ clock, random, log })
    for (const hub of knownHubs(state, fleet)) introduce(started, hub, log)
    return started
  }
  return {
    ...parts,
    errands,
    revocationBits,
    fleet,
    ego: () => {
      // Another process may have given us another key meanwhile (box rotate).
      const text = egoText(state)
      if (text === null) throw new BoxError('NO_EGO')
      if (ego?.text !== text) ego = { text, is: egoIn(state, text) }
      return ego.is
    },
    mesh: () => {
      mesh ??= start()
      return mesh
    },
    meanwhile: work => {
      const done = work
        .catch(error => log.note('error', 'controller', 'left undone', { why: `${error}` }))
        .finally(() => beside.delete(done))
      beside.add(done)
    },
    ending: close => void endings.push(close),
    close: async () => {
      await Promise.all(beside)
      for (const end of endings) end()
      // A mesh that could not start has said so to the command that wanted it.
      await mesh?.then(started => started.close()).catch(() => {})
    },
  }
}

/** The hubs of this controller, then those its devices were last seen at, the latest first. */
export function knownHubs(state: State, fleet: Fleet): readonly string[] {
  const seen = fleet
    .devices()
    .flatMap(({ last }) => last ?? [])
    .toSorted((a, b) => b.at - a.at)
    .flatMap(({ record }) => record.hubs.map(({ hello }) => hello))
  return [...new Set([...readHubs(state), ...seen])].slice(0, HUBS_DIALLED_MAX)
}

/** Tells the engine of a hub; a HELLO that is out of date is no reason to give up. */
export function introduce(mesh: Mesh, hello: string, log: Log): void {
  try {
    mesh.introduce(hello)
  } catch {
    log.note('info', 'controller', 'hub not introduced', { hello: hello.slice(0, 80) })
  }
}

/** The context of this process. */
export async function openContext(
  common: Common,
  output: Output,
  commands: readonly string[],
): Promise<Context> {
  const directory = stateDirectory('controller', {
    ...surroundings(),
    env: common.state ? { BOX_STATE: common.state } : process.env,
  })
  const engine = engineOf(common)
  const end = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      // Whoever says it twice means at once; but ssh hangs up on its proxy that has heard of the end already.
      if (end.signal.aborted && name !== 'SIGHUP') process.exit(EXIT_INTERRUPTED)
      end.abort(new Interrupted())
    })
  const { stdin, stdout, stderr } = process
  return createContext({
    output,
    stdio: {
      input: stdin,
      output: stdout,
      errors: stderr,
      isTerminal: stdin.isTTY === true && stdout.isTTY === true,
    },
    clock: systemClock,
    random: systemRandom,
    log: processLog(),
    state: directoryState(directory, systemClock),
    signal: end.signal,
    box: [...ownProgram('box'), '--state', directory, ...engineWords(engine)],
    commands,
    engine,
    revocationBits: revocationBits(process.env),
    errands: () => (engine.mesh === 'embedded' ? errandsIn(directory) : Promise.resolve(null)),
    startMesh: async parts => {
      const borrowed = engine.mesh === 'embedded' ? await borrowFrom(directory, parts) : null
      return borrowed ?? (await import('./engine.ts')).startEngine(engine, parts)
    },
  })
}

/** The peer of a `box up` on the same state, where one runs: it is connected already. */
async function borrowFrom(
  directory: string,
  { clock, log }: MeshParts,
): Promise<ControllerMesh | null> {
  const path = join(directory, LOAN_SOCKET)
  if (!existsSync(path)) return null
  const [{ borrowMesh }, { dialUnix }] = await Promise.all([
    import('../src/mesh/borrowed.ts'),
    import('../src/sys/unix-socket.ts'),
  ])
  const mesh = await borrowMesh({ path, dial: dialUnix, clock, log })
  if (!mesh) return null
  log.note('info', 'controller', 'uses the peer of box up')
  return Object.assign(mesh, { isLent: true as const })
}

/** To a `box up` on the same state, where one runs, or has run. */
async function errandsIn(directory: string): Promise<DialErrand | null> {
  const path = join(directory, ERRAND_SOCKET)
  if (!existsSync(path)) return null
  const { dialUnix } = await import('../src/sys/unix-socket.ts')
  return events => dialUnix(path, events)
}

/** What was typed, or BOX_MESH and BOX_GNUNET_CONF say. Throws INPUT_INVALID. */
function engineOf(common: Common): EngineChoice {
  const wanted = common.mesh ?? process.env.BOX_MESH ?? 'embedded'
  const mesh = MESH_CHOICES.find(choice => choice === wanted)
  if (!mesh) throw new BoxError('INPUT_INVALID', `BOX_MESH is none of ${MESH_CHOICES.join(', ')}.`)
  const gnunetConf = common['gnunet-conf'] ?? process.env.BOX_GNUNET_CONF ?? null
  return { mesh, gnunetConf: gnunetConf && resolve(gnunetConf) }
}

/** The options that choose the same engine again. */
export const engineWords = ({ mesh, gnunetConf }: EngineChoice): readonly string[] => [
  ...(mesh === 'embedded' ? [] : ['--mesh', mesh]),
  ...(gnunetConf === null ? [] : ['--gnunet-conf', gnunetConf]),
]

/** Silent, unless BOX_LOG names a level. */
function processLog(): Log {
  const level = process.env.BOX_LOG ?? ''
  if (!isLevel(level)) return silentLog
  return lineLog({
    level,
    format: 'text',
    clock: systemClock,
    write: line => void process.stderr.write(`${line}\n`),
  })
}
