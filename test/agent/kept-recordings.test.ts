/** Recorded shells that outlive the process of the agent: the next one goes on recording them. */

import type { Client } from 'ssh2'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { formatShellLabel, parseShellLabel } from '../../agent/keeper/shell-label.ts'
import { Recorder } from '../../agent/recorder.ts'
import { openRecordingOf, recordingsOn } from '../../controller/recording.ts'
import { login, type SshSession } from '../../controller/ssh-client.ts'
import { silentLog as log } from '../../src/base/log.ts'
import { KEEP_VARIABLE, RESUME_VARIABLE } from '../../src/box/kept-shells.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { systemRandom as random } from '../../src/sys/random.ts'
import { KeeperHouse, SimulatedAgent } from './keeper-house.ts'
import { type MemoryFiles, memoryFiles } from './memory-files.ts'
import { SkippingClock } from './skipping-clock.ts'
import { CALLER, gone, KEYS, shell, streamPair } from './ssh-fixture.ts'

/** The machine may be busy. */
const WITHIN = { timeout: 10_000 }
const ID = 'aaaaaaaa'
const device = ZoneSecret.generate('EDKEY', random)

let clock: SkippingClock
let house: KeeperHouse
let files: MemoryFiles
let agents: SimulatedAgent[]
let recorders: Recorder[]

beforeEach(() => {
  clock = new SkippingClock()
  house = new KeeperHouse(clock)
  files = memoryFiles()
  agents = []
  recorders = []
})
afterEach(async () => {
  for (const agent of agents) await agent.stop()
  for (const recorder of recorders) recorder.close()
  house.close()
})

function newRecorder(sizeMax = 1_000_000): Recorder {
  const audit = { note: () => {} }
  const bounds = { sizeMax, ageMaxMs: 1e9, withInput: false }
  const recorder = new Recorder({
    ...{ files, device: { secret: device }, clock, random, log, audit },
    ...bounds,
  })
  recorders.push(recorder)
  return recorder
}

async function newAgent(recorder: Recorder | null = newRecorder()): Promise<SimulatedAgent> {
  const agent = await SimulatedAgent.start(house, { log, recorder })
  agents.push(agent)
  return agent
}

const enter = async (agent: SimulatedAgent): Promise<Client> =>
  (await agent.connect({ isRecorded: () => true })).client

async function look(client: Client, variable: string) {
  const window = { cols: 80, rows: 24, term: 'xterm' }
  const channel = await shell(client, window, { env: { [variable]: ID } })
  let seen = ''
  channel.on('data', (chunk: Buffer) => {
    seen += chunk
  })
  const until = (wanted: RegExp) => vi.waitUntil(() => wanted.exec(seen), WITHIN)
  return { channel, until }
}

async function owner(agent: SimulatedAgent): Promise<SshSession> {
  const [near, far] = streamPair()
  void agent.server.serve(far, CALLER)
  return await login({
    ...{ stream: near, user: 'x', privateKey: KEYS.private, accepts: () => true },
    clock: systemClock,
  })
}

/** Every recording there is, the oldest first: what it is about, what it shows, its last event. */
async function all(agent: SimulatedAgent) {
  const ssh = await owner(agent)
  const found = []
  for (const { id, state } of await recordingsOn(ssh)) {
    const { about, events } = await openRecordingOf(ssh, [device.zone], id)
    let text = ''
    let last = ''
    for await (const [, kind, data] of events) {
      if (kind === 'o') text += data
      last = data
    }
    found.push({ id, state, about, text, last })
  }
  ssh.destroy()
  return found
}

describe('a recorded shell whose agent ends', () => {
  test('goes on with the next, which records it from where the one before has left it', async () => {
    const first = await newAgent()
    const begun = await look(await enter(first), KEEP_VARIABLE)
    begun.channel.write('secret=4711; echo fir"st"\n')
    await begun.until(/[\r\n]first/)
    await first.stop()

    const second = await newAgent()
    const again = await look(await enter(second), RESUME_VARIABLE)
    again.channel.write('echo "<$secret>"\n')
    await again.until(/<4711>/)
    again.channel.write('exit 7\n')
    await vi.waitUntil(() => second.notes.includes(`${ID} exit 7`), WITHIN)
    await expect
      .poll(async () => (await all(second)).map(({ state }) => state), WITHIN)
      .toEqual(['whole', 'whole'])
    const [before, after] = await all(second)
    expect(before!.text).toMatch(/[\r\n]first/)
    expect(before!.last).toBe('the agent has ended, the shell goes on')
    expect(after!.about).toMatchObject({
      ...{ who: 'ada', what: 'shell', detail: `goes on from ${before!.id}`, device: 'kitchen' },
      ...{ shell: '/bin/bash', term: 'xterm' },
    })
    // What was on the screen when it was taken over, and all that came after.
    expect(after!.text).toMatch(/[\r\n]first[\s\S]*<4711>/)
    expect(after!.last).toBe('exit 7')
  })

  test('ends where the next cannot record: nothing goes on unrecorded', async () => {
    const first = await newAgent()
    const begun = await look(await enter(first), KEEP_VARIABLE)
    begun.channel.write('echo pid=$$=\n')
    const [, pid] = (await begun.until(/pid=(\d+)=/))!
    await first.stop()
    const second = await newAgent(null)
    expect(second.notes).toEqual([`${ID} let go: not recorded, STATE_UNWRITABLE`])
    expect(second.server.keptShells).toBe(0)
    await gone(Number(pid))
  })

  test('is given up by an agent that is too old to go on recording it', () => {
    const recorded = { recording: '0123456789abc', shell: '/bin/bash', term: 'xterm' }
    const label = { id: ID, zone: CALLER.zone, key: 'ABC', user: null }
    const text = formatShellLabel({ ...label, recorded })
    expect(parseShellLabel(text)).toEqual({ ...label, recorded })
    // Such an agent reads these of the outermost, and nothing else.
    for (const name of ['id', 'zone', 'key']) expect(JSON.parse(text)).not.toHaveProperty(name)
  })
})
