/**
 * A room whose host and members are killed (SIGKILL) at any moment, again and again, while they talk: what was accepted is
 * in every history in the end, once, in the same order. KILLS=100 does it so often; SEED chooses the moments.
 */

import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededRandom } from '../sim/random.ts'
import { Agent, Controller } from './fleet.ts'
import { cleanUp, Program } from './program.ts'

const HUB = `127.0.0.1:${Number(process.env.LAB_PORT ?? 22_000) + 95}`
const KILLS = Number(process.env.KILLS ?? 10)
const SEED = Number(process.env.SEED ?? randomInt(1_000_000))
/** Longer than it takes to say a line, so that kills come before, within and after it. */
const MOMENT_MS = 1_500
const HEARD_MS = 20_000
/** Until members notice that a host was restarted, and all that waits is said. */
const SETTLED_MS = 240_000

interface Line {
  readonly id: string
  readonly what: string
  readonly text?: string
}

/** Whole lines of somebody who may have been killed within one. */
const talkIn = (out: string): Line[] =>
  out
    .split('\n')
    .slice(0, -1)
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Line)
    .filter(({ what }) => what === 'message')
const textsIn = (out: string) => talkIn(out).map(({ text }) => text!)

/** Somebody who is in the room by a program that may be killed. */
class Person {
  readonly name: string
  readonly controller: Controller
  program!: Program
  /** All that any of its programs has shown. */
  readonly seen: string[] = []
  /** Typed into the program that runs. */
  private typed: string[] = []

  constructor(name: string) {
    this.name = name
    this.controller = new Controller(name)
  }

  enter(): void {
    const words = ['room', 'enter', 'ops', '--json', '--timeout', `${SETTLED_MS / 1_000}`]
    this.program = new Program(this.controller.command(...words))
    this.program.child.stdin!.on('error', () => {})
    this.typed = []
  }

  type(text: string): void {
    this.program.child.stdin!.write(`${text}\n`)
    this.typed.push(text)
  }

  async kill(): Promise<void> {
    this.program.kill('SIGKILL')
    await this.program.ended()
    this.seen.push(...textsIn(this.program.out))
  }

  /** Ends it in peace: then all that was typed is said. */
  async finish(): Promise<readonly string[]> {
    this.program.child.stdin!.end()
    const { code, err } = await this.program.ended(SETTLED_MS)
    expect(code, `${this.name}: ${err}`).toBe(0)
    this.seen.push(...textsIn(this.program.out))
    return this.typed
  }

  async history(): Promise<readonly Line[]> {
    return talkIn(await this.controller.must('room', 'history', 'ops', '--json', '--last', '5000'))
  }
}

describe('a room under fire', { timeout: 600_000 }, () => {
  let device: Agent
  const people = [new Person('home'), new Person('ada')]

  beforeAll(async () => {
    const hub = new Agent('hub', ['--hub', '--listen', HUB])
    const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
    device = new Agent('device', ['--hub-url', hello])
    await device.linked()
    const [{ controller: owner }, { controller: ada }] = people as [Person, Person]
    await owner.must('init', '--ego', 'home')
    await owner.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
    await owner.must('room', 'create', 'ops', '--on', 'kitchen')
    await ada.must('init', '--ego', 'ada')
    await ada.must('hub', 'add', hello)
    const { id } = JSON.parse(await ada.must('id', '--json')) as { id: string }
    const invited = await owner.must('room', 'invite', 'ops', id, '--as', 'ada')
    await ada.must('room', 'say', /(ops@\S+)/.exec(invited)![1]!, 'begin')
  }, 400_000)
  afterAll(cleanUp)

  test(`loses nothing that was accepted, and doubles nothing (SEED=${SEED})`, async () => {
    const random = seededRandom(SEED)
    for (const one of people) one.enter()
    for (let kill = 0; kill < KILLS; kill++) {
      for (const one of people) one.type(`${one.name} ${kill}`)
      // Half of the time only when something was heard again, on a slow machine too.
      const heard = new RegExp(`"${random.pick(people).name} ${kill}"`)
      if (random.chance(0.5)) await people[0]!.program.until(heard, HEARD_MS).catch(() => {})
      await new Promise(resolve => setTimeout(resolve, random.below(MOMENT_MS)))
      const victim = random.pick([null, ...people])
      if (victim) {
        await victim.kill()
        victim.enter()
        continue
      }
      device.program.kill('SIGKILL')
      await device.program.ended()
      device.restart()
    }
    await device.linked()
    for (const one of people) one.type(`${one.name} ends`)
    const said: string[] = []
    for (const one of people) said.push(...(await one.finish()))

    const [ours, theirs] = [await people[0]!.history(), await people[1]!.history()]
    expect(ours).toEqual(theirs)
    const texts = ours.map(({ text }) => text!)
    expect(texts).toEqual([...new Set(texts)])
    expect(ours.map(({ id }) => id)).toEqual([...new Set(ours.map(({ id }) => id))])
    // Whatever anybody has ever been shown, and whatever a program that ended well was told to say.
    for (const text of [...said, ...people.flatMap(({ seen }) => seen)])
      expect(texts).toContain(text)
    console.info(`SEED=${SEED}: ${KILLS} kills, ${texts.length} messages, ${said.length} awaited`)
  })
})
