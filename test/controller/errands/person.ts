/** A house with its `box up`, which takes errands at a real socket, and whoever types `box` beside it. */

import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { AgentConfig } from '../../../agent/config.ts'
import { type Context, createContext } from '../../../controller/context.ts'
import { errandDesk } from '../../../controller/errands/desk.ts'
import { type Job, runThere } from '../../../controller/errands/errand.ts'
import { Output } from '../../../controller/output.ts'
import { directoryState } from '../../../controller/state.ts'
import { concat } from '../../../src/base/bytes.ts'
import { silentLog } from '../../../src/base/log.ts'
import type { Stream } from '../../../src/base/stream.ts'
import { systemClock as clock } from '../../../src/sys/clock.ts'
import { systemRandom as random } from '../../../src/sys/random.ts'
import { dialUnix, listenUnix, type UnixListener } from '../../../src/sys/unix-socket.ts'
import { House } from '../up/house.ts'

export const JOB: Job = {
  ...{ line: 'true', input: new Uint8Array(0), timeoutMs: 20_000, limitS: null, user: null },
  approved: false,
}

export class BusyHouse extends House {
  desk!: UnixListener
  /** The ends of the `box up` of all errands. */
  readonly taken = new Set<Stream>()

  override async start(config: Partial<AgentConfig> = {}): Promise<void> {
    await super.start(config)
    const accept = errandDesk(this.context, this.shells.take)
    this.desk = await listenUnix(this.socketAt('errands.sock'), stream => {
      this.taken.add(stream)
      const events = accept(stream)
      const closed = (error: Error | null) => {
        this.taken.delete(stream)
        events.closed(error)
      }
      return { ...events, closed }
    })
  }

  override async stop(): Promise<void> {
    this.desk.close()
    await super.stop()
  }

  /** A file that goes with the house. */
  socketAt(name: string): string {
    return join(this.directory, name)
  }
}

/** Whoever types `box` beside the `box up`; `at` is the socket it finds, null: none. */
export class Person {
  readonly said = { out: '', err: '' }
  readonly end = new AbortController()
  readonly context: Context
  /** How often it has made a peer of its own. */
  own = 0

  constructor(house: House, at: string | null, { json = true } = {}) {
    const sink = (name: 'out' | 'err') => ({
      isTerminal: false,
      write: (bytes: string | Uint8Array) => {
        this.said[name] += typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('latin1')
      },
    })
    this.context = createContext({
      ...{ clock, random, log: silentLog, signal: this.end.signal, box: ['box'], commands: [] },
      state: directoryState(house.directory, clock),
      stdio: {
        ...{ input: new PassThrough(), output: new PassThrough(), errors: new PassThrough() },
        isTerminal: false,
      },
      engine: { mesh: 'embedded', gnunetConf: null },
      output: new Output({ json, out: sink('out'), err: sink('err'), clock }),
      errands: async () => (at === null ? null : events => dialUnix(at, events)),
      startMesh: async () => {
        this.own += 1
        return house.home.net.peer()
      },
    })
  }

  /** What came of it, and all that was printed. */
  async run(job: Partial<Job>, took: () => Promise<void> | void = () => {}) {
    const printed = { out: [] as Uint8Array[], err: [] as Uint8Array[] }
    const [device] = this.context.fleet.devices()
    const end = await runThere(this.context, device!, { ...JOB, ...job }, (from, piece) => {
      printed[from].push(piece.slice())
      return took()
    })
    return { ...end, out: concat(...printed.out), err: concat(...printed.err) }
  }
}
