/** Somebody else on the mesh of a house, with a state directory of their own: who talks to whoever has `box up`. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { type Context, createContext } from '../../../controller/context.ts'
import { makeEgo } from '../../../controller/ego.ts'
import { addHub } from '../../../controller/hubs.ts'
import { Output } from '../../../controller/output.ts'
import { directoryState } from '../../../controller/state.ts'
import { ContactBook } from '../../../controller/talk/contact-book.ts'
import { TalkDesk } from '../../../controller/talk/desk.ts'
import { sayingIn } from '../../../controller/talk/intake.ts'
import { SealedState } from '../../../controller/talk/sealed-state.ts'
import { silentLog } from '../../../src/base/log.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { systemClock as clock } from '../../../src/sys/clock.ts'
import { systemRandom as random } from '../../../src/sys/random.ts'
import type { FakeMesh } from '../../sim/fake-mesh.ts'
import type { House } from './house.ts'

export class Friend {
  readonly context: Context
  readonly book: ContactBook
  private readonly end: AbortController
  private desk: TalkDesk | null = null

  private constructor(context: Context, end: AbortController, sealed: SealedState) {
    this.context = context
    this.end = end
    this.book = new ContactBook(sealed)
  }

  /** Both know the same hub. */
  static async at(house: House, hub: FakeMesh, ego: string): Promise<Friend> {
    const directory = mkdtempSync(join(tmpdir(), 'box-friend-'))
    const state = directoryState(directory, clock)
    const end = new AbortController()
    const nowhere = { isTerminal: false, write: () => {} }
    const context = createContext({
      ...{ clock, random, log: silentLog, state, box: ['box'], commands: [], signal: end.signal },
      stdio: {
        ...{ input: new PassThrough(), output: new PassThrough(), errors: new PassThrough() },
        isTerminal: false,
      },
      engine: { mesh: 'embedded', gnunetConf: null },
      output: new Output({ json: true, out: nowhere, err: nowhere, clock }),
      startMesh: async () => house.home.net.peer(),
    })
    await makeEgo(state, ego, random)
    await addHub(state, hub.hello())
    return new Friend(context, end, await SealedState.open(state, random))
  }

  get key(): string {
    return zoneToText(this.context.ego().secret.zone)
  }

  /** Is there from now on, as a `box up` or an open `box chat` is. */
  async come(): Promise<TalkDesk> {
    this.desk = await TalkDesk.open(this.context, { stays: true })
    return this.desk
  }

  async say(name: string, text: string): Promise<void> {
    const contact = this.desk!.book.contact(name)
    await this.desk!.say(contact, { is: 'text', text })
  }

  async heard(name: string): Promise<string[]> {
    const memory = this.desk!.memoryOf(this.desk!.book.contact(name))
    return (await memory.history()).map(({ by, packet }) => {
      const saying = sayingIn(packet)
      return `${by}: ${saying.is === 'text' ? saying.text : saying.is}`
    })
  }

  async leave(): Promise<void> {
    await this.desk?.close()
    this.desk = null
  }

  async stop(): Promise<void> {
    await this.leave()
    this.end.abort(new Error('the test is over'))
    await this.context.close()
    rmSync(this.context.state.directory, { recursive: true })
  }
}
