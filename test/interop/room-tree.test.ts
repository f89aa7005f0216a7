/**
 * A room with more members than its host hands on to, over a real hub behind a proxy that records: members that run
 * `box up` hand on to others, one of them is killed, and neither hub nor wire nor disk has anything of what is said.
 */

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Agent, Controller } from './fleet.ts'
import { contains, memoryContains, needlesOf } from './process-memory.ts'
import { cleanUp, filesIn, missing, Program, succeed } from './program.ts'
import { Recorder } from './recorder.ts'

const PORT = Number(process.env.LAB_PORT ?? 22_000) + 90
/** As the host of a room hands on to (src/psyc/children.ts). */
const FANOUT = 4
const MEMBERS = 5
/** Of a text that takes more than a small cell. */
const LONG = 3_900
/** A parent that says nothing any more is left after 35 s. */
const HEALED_MS = 120_000
const HEARD_MS = 60_000

/** Somebody in the room who runs `box up`, and has a page open on it. */
class Member {
  readonly name: string
  readonly person: Controller
  up!: Program
  heard = ''
  private readonly gone = new AbortController()

  constructor(name: string) {
    this.name = name
    this.person = new Controller(name)
  }

  async start(): Promise<void> {
    const env = { BOX_LOG: 'info' }
    this.up = new Program(this.person.command('up', '--port', '0', '--json'), { env })
    const [line] = await this.up.until(/^\{.*\}$/m, HEARD_MS)
    const { api, token } = JSON.parse(line) as { api: string; token: string }
    const headers = { authorization: `Bearer ${(await succeed(['cat', token])).trim()}` }
    void this.listen(`${api}/v1/rooms/ops/events`, headers).catch(() => {})
    const options = { timeout: HEARD_MS, interval: 100 }
    await vi.waitFor(() => expect(this.heard).toContain('"attached":true'), options)
  }

  /** Whether others hang below it, or did. */
  get handsOn(): boolean {
    return this.up.err.includes('handed on to')
  }

  async kill(): Promise<void> {
    this.up.kill('SIGKILL')
    await this.up.ended()
  }

  close(): void {
    this.gone.abort()
  }

  private async listen(url: string, headers: Record<string, string>): Promise<void> {
    const answer = await fetch(url, { headers, signal: this.gone.signal })
    for await (const piece of answer.body!) this.heard += new TextDecoder().decode(piece)
  }
}

const skipped = missing([], { root: true }) !== null

describe.skipIf(skipped)('the tree of a room', { timeout: 400_000 }, () => {
  /** What somebody is called is kept by all in the room, as long as it is there. */
  const nick = `n${randomUUID().replaceAll('-', '').slice(0, 20)}`
  const canaries = ['short', 'long', 'late'].map(name => `canary-${name}-${randomUUID()}`)
  let recorder: Recorder
  let hub: Agent
  let device: Agent
  const members: Member[] = []

  const others = (one: Member) => members.filter(member => member !== one)
  /** The last to come has nobody below it. */
  const speaker = () => members[MEMBERS - 1]!
  const say = (text: string) => speaker().person.must('room', 'say', 'ops', text)

  beforeAll(async () => {
    recorder = await Recorder.open(PORT + 1, PORT)
    const addresses = ['--listen', `127.0.0.1:${PORT}`, '--advertise', `127.0.0.1:${PORT + 1}`]
    hub = new Agent('hub', ['--hub', ...addresses])
    const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
    device = new Agent('device', ['--hub-url', hello])
    await device.linked()
    for (let i = 0; i < MEMBERS; i++) members.push(new Member(`m${i}`))
    const [owner, ...rest] = members
    await owner!.person.must('init', '--ego', 'home')
    await owner!.person.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
    await owner!.person.must('room', 'create', 'ops', '--on', 'kitchen')
    for (const { person, name } of rest) {
      const called = name === 'm1' ? nick : name
      await person.must('init', '--ego', name)
      await person.must('hub', 'add', hello)
      const { id } = JSON.parse(await person.must('id', '--json')) as { id: string }
      const invited = await owner!.person.must('room', 'invite', 'ops', id, '--as', called)
      await person.must('room', 'say', /(ops@\S+)/.exec(invited)![1]!, 'hello')
    }
    for (const member of members) await member.start()
  }, 400_000)
  afterAll(async () => {
    for (const member of members) member.close()
    await cleanUp()
    recorder?.close()
  })

  const heardBy = (some: readonly Member[], text: string, timeout = HEARD_MS) =>
    expect
      .poll(() => some.filter(({ heard }) => !heard.includes(text)).map(({ name }) => name), {
        timeout,
      })
      .toEqual([])

  /** Says something, and waits until all have it; how many times the host sent it. */
  async function watch(text: string, readers: readonly Member[]): Promise<number> {
    const { rooms: had } = await device.status()
    await say(text)
    await heardBy(readers, text.slice(0, 60))
    const { rooms: has } = await device.status()
    expect(BigInt(has[0]!.fragments) - BigInt(had[0]!.fragments)).toBe(1n)
    return has[0]!.sent - had[0]!.sent
  }

  test('is a tree: the host sends each message to few, and all have it', async () => {
    const copies = await watch(canaries[1]!.padEnd(LONG, 'x'), members)
    console.info(`the host sent one message ${copies} times to ${MEMBERS} members`)
    expect(copies).toBe(FANOUT)
    expect(members.some(({ handsOn }) => handsOn)).toBe(true)
    await watch(canaries[0]!, members)
  })

  test('has nothing for hub, disk and wire: what is found in a member is nowhere there', async () => {
    expect(await memoryContains(members[1]!.up.child.pid!, needlesOf(nick))).toBe(true)
    for (const canary of [nick, ...canaries.slice(0, 2)]) {
      const needles = needlesOf(canary)
      expect(await memoryContains(hub.program.child.pid!, needles)).toBe(false)
      expect(filesIn(hub.state).some(content => contains(content, needles))).toBe(false)
      expect(recorder.captured.some(content => contains(content, needles))).toBe(false)
    }
    // The search sees what is there: the hub knows where its state is, and what went by was recorded.
    expect(await memoryContains(hub.program.child.pid!, [Buffer.from(hub.state)])).toBe(true)
    expect(recorder.connections.length).toBeGreaterThan(MEMBERS)
    expect(recorder.captured.every(({ length }) => length > 0)).toBe(true)
  })

  test('heals where one who hands on is killed: the others miss nothing', async () => {
    const parent = members.find(one => one.handsOn && one !== speaker())!
    await parent.kill()
    await say(canaries[2]!)
    await heardBy(others(parent), canaries[2]!, HEALED_MS)
    for (const { heard } of others(parent)) expect(heard.split(canaries[2]!)).toHaveLength(2)
    expect(await watch('z'.repeat(LONG), others(parent))).toBeLessThanOrEqual(FANOUT)
  })
})
