/**
 * Rooms over real processes: a hub, a device that hosts the room, two people and a stranger. Somebody is away for a
 * part of it, the device is killed in between, and both have the same history in the end.
 */

import { randomUUID } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Agent, Controller } from './fleet.ts'
import { cleanUp, filesIn, Program, run } from './program.ts'

const HUB = `127.0.0.1:${Number(process.env.LAB_PORT ?? 22_000) + 70}`
/** Until a member notices that the host was restarted, and hangs on it again. */
const BACK_MS = 120_000
const REFUSED = 77

interface Line {
  readonly id: string
  readonly what: string
  readonly author?: string
  readonly text?: string
}

const lines = (text: string): Line[] =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Line)
const talk = (text: string) =>
  lines(text).flatMap(({ what, author, text }) =>
    what === 'message' ? [`${author}: ${text}`] : [],
  )

describe('a room', { timeout: 400_000 }, () => {
  let hub: Agent
  let device: Agent
  let owner: Controller
  let ada: Controller
  let eve: Controller
  let address: string
  const canary = `canary ${randomUUID()}`

  beforeAll(async () => {
    hub = new Agent('hub', ['--hub', '--listen', HUB])
    const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
    device = new Agent('device', ['--hub-url', hello])
    await device.linked()
    owner = new Controller('owner')
    await owner.must('init', '--ego', 'home')
    await owner.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
    ada = new Controller('ada')
    eve = new Controller('eve')
    for (const [person, name] of [
      [ada, 'ada'],
      [eve, 'eve'],
    ] as const) {
      await person.must('init', '--ego', name)
      await person.must('hub', 'add', hello)
    }
  })
  afterAll(cleanUp)

  const zoneOf = async (person: Controller) =>
    (JSON.parse(await person.must('id', '--json')) as { id: string }).id
  const history = async (person: Controller) =>
    talk(await person.must('room', 'history', 'ops', '--json', '--last', '1000'))

  test('is made by an owner, and entered by who is invited and nobody else', async () => {
    await owner.must('room', 'create', 'ops', '--on', 'kitchen')
    const invited = await owner.must('room', 'invite', 'ops', await zoneOf(ada), '--as', 'ada')
    address = /^box room enter (ops@\S+)\n$/.exec(invited)![1]!
    await ada.must('room', 'say', address, 'hello', 'from', 'ada')
    await owner.must('room', 'say', 'ops', canary)
    expect(await history(owner)).toEqual(['ada: hello from ada', `home: ${canary}`])
    expect(await history(ada)).toEqual(['ada: hello from ada', `home: ${canary}`])
    expect(await ada.must('room', 'who', 'ops')).toMatch(/^home +000G\w+\nada +000G\w+\n$/)

    const stranger = await eve.box('room', 'say', address, 'let me in')
    expect(stranger.code).toBe(REFUSED)
    expect(stranger.err).toContain('not invited')
    expect(await eve.must('room', 'ls')).toBe('')
    // Being in a room is no right on the device.
    const zone = address.slice(address.indexOf('@') + 1, address.indexOf('.'))
    await ada.must('add', zone, '--as', 'hut')
    expect((await ada.box('exec', 'hut', '--', 'true')).code).toBe(REFUSED)
    expect((await ada.box('room', 'invite', 'ops', await zoneOf(eve))).code).toBe(REFUSED)
  })

  test('is live, and goes on over the death of its host: nothing is lost, nothing doubled', async () => {
    const typing = new Program(ada.command('room', 'enter', 'ops', '--json', '--timeout', '120'))
    await typing.until(/hello from ada/)
    typing.child.stdin!.write('one\n')
    await typing.until(/"text":"one"/)
    await owner.must('room', 'say', 'ops', 'two')
    await typing.until(/"text":"two"/)

    device.program.kill('SIGKILL')
    await device.program.ended()
    typing.child.stdin!.write('three\nfour\n')
    const waiting = run(owner.command('room', 'say', 'ops', 'five', '--timeout', '120'), {
      ms: BACK_MS,
    })
    await new Promise(resolve => setTimeout(resolve, 2_000))
    device.restart()
    await device.linked()
    expect((await waiting).code).toBe(0)
    await typing.until(/"text":"four"/, BACK_MS)
    await typing.until(/"text":"five"/, BACK_MS)

    // Away for a while: what was said meanwhile comes with the next visit, once.
    typing.child.stdin!.end()
    expect((await typing.ended()).code).toBe(0)
    await run(owner.command('room', 'say', 'ops'), { input: 'six\nof two lines\n' })
    const again = await run(ada.command('room', 'enter', 'ops', '--json'))
    expect(again.code).toBe(0)
    expect(talk(again.out)).toEqual(['home: six\nof two lines'])

    const seen = talk(typing.out).filter(text => !text.includes('canary'))
    expect(seen.slice(0, 3)).toEqual(['ada: hello from ada', 'ada: one', 'home: two'])
    expect(seen.slice(3).toSorted()).toEqual(['ada: four', 'ada: three', 'home: five'])
    const all = await history(owner)
    expect(all).toEqual(await history(ada))
    expect(all).toHaveLength(8)
    const ids = lines(await owner.must('room', 'history', 'ops', '--json')).map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('may be deniable: it is talked in like any other, over the death of its host', async () => {
    await owner.must('room', 'create', 'quiet', '--on', 'kitchen', '--deniable')
    const invited = await owner.must('room', 'invite', 'quiet', await zoneOf(ada), '--as', 'ada')
    const quiet = /^box room enter (quiet@\w+:deniable:\w+)\n$/.exec(invited)![1]!
    await ada.must('room', 'say', quiet, 'one')
    const typing = new Program(ada.command('room', 'enter', 'quiet', '--json', '--timeout', '120'))
    await typing.until(/"text":"one"/)
    await owner.must('room', 'say', 'quiet', canary)
    await typing.until(new RegExp(canary))
    device.program.kill('SIGKILL')
    await device.program.ended()
    device.restart()
    await device.linked()
    const again = owner.command('room', 'say', 'quiet', 'two', '--timeout', '120')
    expect((await run(again, { ms: BACK_MS })).code).toBe(0)
    await typing.until(/"text":"two"/, BACK_MS)
    typing.child.stdin!.end()
    expect((await typing.ended()).code).toBe(0)
    const said = ['ada: one', `home: ${canary}`, 'home: two']
    for (const person of [owner, ada])
      expect(talk(await person.must('room', 'history', 'quiet', '--json'))).toEqual(said)
    expect(await ada.must('room', 'ls')).toMatch(/^quiet +(hut|-) +deniable +quiet@/m)
    // By the address of a room that signs nobody comes in.
    const stranger = await eve.box('room', 'say', quiet.replace(':deniable:', '.'), 'hello')
    expect(stranger.code).toBe(REFUSED)
    await owner.must('room', 'delete', 'quiet')
    await ada.must('room', 'leave', 'quiet')
    expect(await ada.must('room', 'ls')).not.toContain('quiet')
  })

  test('is read by its members and its host: the hub has nothing of it', () => {
    // The host keeps it encrypted under keys that it keeps beside it.
    for (const agent of [hub, device])
      for (const content of filesIn(agent.state)) expect(content.includes(canary)).toBe(false)
    expect(`${hub.program.out}${hub.program.err}`).not.toContain(canary)
  })

  test('is answered by its host, by the grants of who asks; who was away finds the answer', async () => {
    const refusal = 'kitchen: I tell my status to whoever has the right status here.'
    const answered = async (person: Controller, question: string, pattern: RegExp) => {
      await person.must('room', 'say', 'ops', question)
      await expect
        .poll(async () => (await history(owner)).at(-1), { timeout: 60_000, interval: 500 })
        .toMatch(pattern)
    }
    await answered(owner, '@kitchen status', /^kitchen: up .*memory \d+ %.*, no alert$/)
    await answered(ada, '@kitchen status', new RegExp(`^${refusal}$`))
    await owner.must('grant', 'kitchen', await zoneOf(ada), 'status', '--as', 'ada')
    await answered(ada, '@kitchen status', /^kitchen: up .*, no alert$/)
    // Ada has been away since she asked: what was answered is there, once, and she calls the device otherwise.
    const all = (await history(owner)).slice(-6)
    expect(all.filter(line => line.includes('@kitchen status'))).toHaveLength(3)
    const hers = (await history(ada)).slice(-6).map(line => line.replace(/^hut:/, 'kitchen:'))
    expect(hers).toEqual(all)
  })

  test('knows members by their new keys, with or without a right on its device, and they read on', async () => {
    await owner.must('room', 'say', 'ops', 'before the new keys')
    const staying = new Program(owner.command('up', '--port', '0'))
    await staying.until(/^up at /m)
    // Ada has not read that yet.
    const rotated = await ada.box('rotate', 'ego')
    expect(rotated.out, rotated.err).toMatch(/^ops {2}knows the new key$/m)
    await ada.must('room', 'say', 'ops', 'under a new key')
    const told = await owner.box('rotate', 'ego')
    expect(told.out, told.err).toMatch(/^kitchen {2}knows the new key\nops {2}knows the new key$/m)
    await owner.must('room', 'say', 'ops', 'so am I')
    const last = ['home: before the new keys', 'ada: under a new key', 'home: so am I']
    for (const person of [owner, ada]) expect((await history(person)).slice(-3)).toEqual(last)
    expect(await owner.must('room', 'who', 'ops')).toContain(await zoneOf(ada))
    expect(await ada.must('room', 'who', 'ops')).toContain(await zoneOf(owner))
    staying.kill('SIGINT')
    expect((await staying.ended(60_000)).code).toBe(0)
  })

  test('is closed to who is put out, from the next word on', async () => {
    const listening = new Program(ada.command('room', 'enter', 'ops', '--listen', '--json'))
    await owner.must('room', 'say', 'ops', 'seven')
    await listening.until(/"text":"seven"/)
    await owner.must('room', 'remove', 'ops', 'ada')
    await owner.must('room', 'say', 'ops', 'eight')
    const { code, out } = await listening.ended(60_000)
    expect(code).toBe(REFUSED)
    expect(out).not.toContain('eight')
    expect((await ada.box('room', 'say', 'ops', 'still here')).code).toBe(REFUSED)
    expect(await history(owner)).toContain('home: eight')
    await owner.must('room', 'delete', 'ops')
    expect((await owner.box('room', 'say', 'ops', 'gone')).code).toBe(69)
    expect(readdirSync(device.state).filter(name => name.startsWith('room-'))).toEqual([])
  })
})
