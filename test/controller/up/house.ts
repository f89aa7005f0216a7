/** A `box up` beside a real agent, in one process and in real time: API, fleet and device on a mesh without a network. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { AgentConfig } from '../../../agent/config.ts'
import { type Context, createContext } from '../../../controller/context.ts'
import { keepEgo, newEgo } from '../../../controller/ego.ts'
import { Output } from '../../../controller/output.ts'
import { makeSshKey } from '../../../controller/ssh-key.ts'
import { directoryState } from '../../../controller/state.ts'
import type { FleetWatch } from '../../../controller/up/fleet-watch.ts'
import type { RoomHall } from '../../../controller/up/room-hall.ts'
import type { TalkHall } from '../../../controller/up/talk-hall.ts'
import type { WarmShells } from '../../../controller/up/warm-shells.ts'
import { silentLog } from '../../../src/base/log.ts'
import { systemClock as clock } from '../../../src/sys/clock.ts'
import { systemRandom as random } from '../../../src/sys/random.ts'
import { Home } from '../../agent/home.ts'
import { askOf, type Up, upOver } from './up-over.ts'

export class House {
  readonly home = new Home()
  readonly directory = mkdtempSync(join(tmpdir(), 'box-house-'))
  readonly end = new AbortController()
  context!: Context
  watch!: FleetWatch
  shells!: WarmShells
  talk!: TalkHall
  hall!: RoomHall
  app!: FastifyInstance
  token!: string
  private up!: Up

  /** A device called kitchen, paired; its controller up. */
  async start(config: Partial<AgentConfig> = {}): Promise<void> {
    await this.home.start(config)
    const paired = await this.home.pair()
    const state = directoryState(this.directory, clock)
    const nowhere = { isTerminal: false, write: () => {} }
    const stdio = {
      ...{ input: new PassThrough(), output: new PassThrough(), errors: new PassThrough() },
      isTerminal: false,
    }
    this.context = createContext({
      ...{ clock, random, log: silentLog, state, stdio, signal: this.end.signal },
      engine: { mesh: 'embedded', gnunetConf: null },
      output: new Output({ json: true, out: nowhere, err: nowhere, clock }),
      box: ['box'],
      commands: [],
      startMesh: async () => this.home.net.peer(),
    })
    await keepEgo(state, newEgo('home', this.home.owner))
    await makeSshKey(state, random)
    const last = { record: paired.record, hostKey: null, at: clock.now() }
    const { zone } = this.home.agent.device
    const pairedAt = clock.now()
    await this.context.fleet.add({ name: 'kitchen', zone, tags: ['routers'], pairedAt, last })
    this.up = await upOver(this.context)
    const { app, watch, shells, talk, hall, token } = this.up
    Object.assign(this, { app, watch, shells, talk, hall, token })
  }

  async stop(): Promise<void> {
    await this.up.close()
    this.end.abort(new Error('the test is over'))
    await this.context.close()
    await this.home.stop()
    rmSync(this.directory, { recursive: true })
  }

  /** Asks as a program with the token does; `more` are options of inject. */
  ask(method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object, headers: object = {}) {
    return askOf(this.up, method, url, payload, headers)
  }
}
