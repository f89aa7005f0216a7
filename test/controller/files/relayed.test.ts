/** A file for a contact who is away: left with a relay of theirs, gone on with after each death, fetched, and gone there. */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { files } from '../../../controller/commands/files.ts'
import { send } from '../../../controller/commands/send.ts'
import { FileBook } from '../../../controller/files/file-book.ts'
import { leaveFile } from '../../../controller/files/leaving.ts'
import { SealedState } from '../../../controller/talk/sealed-state.ts'
import { CHUNK_SIZE } from '../../../src/social/file-tree.ts'
import { seededRandom } from '../../sim/random.ts'
import { Rig } from '../rig.ts'
import { acquainted, depart, FILES_BYTES, MailRelay, Person } from '../talk/town.ts'

// Whole worlds, and a disk: seconds each where the machine has nothing else to do.
vi.setConfig({ testTimeout: 120_000 })

const DAY_MS = 86_400_000
const random = seededRandom(12)
/** More than are on their way at once. */
const PARTS = 16
const PART_SIZE = 61_440
/** The last part is of a smaller size. */
const CONTENT = random.bytes((PARTS - 1) * CHUNK_SIZE + 1_234)

let rig: Rig
let home: Person
let ada: Person
let relay: MailRelay
let directory: string
let source: string
let inbox: string

beforeEach(async () => {
  rig = new Rig(9)
  home = await Person.arrive(rig, 'home')
  ada = await Person.arrive(rig, 'ada')
  directory = mkdtempSync(join(tmpdir(), 'box-relayed-'))
  source = join(directory, 'plan.tar')
  inbox = join(directory, 'inbox')
  mkdirSync(inbox)
  writeFileSync(source, CONTENT)
  relay = await MailRelay.of(ada)
  await acquainted(home, ada, ['home', 'ada'])
})
afterEach(async () => {
  await depart(rig, [home, ada])
  rmSync(directory, { recursive: true, force: true })
})

type Runnable = typeof send

/** Begins a command in a process of its own. */
function begin(who: Person, command: Runnable, args: object) {
  const { said } = who.controller
  said.out = ''
  said.err = ''
  const { context, mesh } = who.process()
  const all = { json: false, timeout: 20, ...args }
  const running = command.run(context, all as never)
  running.catch(() => {})
  return { running, mesh }
}

/** Runs a command to its end; what it printed. */
async function run(who: Person, command: Runnable, args: object) {
  const { running, mesh } = begin(who, command, args)
  try {
    const code = await rig.world.until(running, 400_000)
    return { code, ...who.controller.said }
  } finally {
    mesh.stop()
  }
}

const SEND = { to: 'ada', wait: undefined, relay: true }
const sendFile = (more: object = {}) => run(home, send, { file: source, ...SEND, ...more })
const filesOf = (who: Person, action: string, id?: string) =>
  run(who, files as unknown as Runnable, { action, ids: id ? [id] : [], out: inbox })
const idIn = ({ out }: { out: string }) => /: ([0-9a-z]{8})\n$/.exec(out)![1]!
const place = () => join(inbox, 'plan.tar')
/** How many whole parts lie at the relay. */
const lying = () => [...relay.disk.content.values()].map(one => Math.ceil(one.length / PART_SIZE))
const refusal = (code: string) => expect.objectContaining({ code })

/** Has something happen once so many full parts were seen on their way to, or from, the relay. */
function afterParts(count: number, way: 'to' | 'from', happens: () => void) {
  let seen = 0
  rig.net.tamper = (message, from, to) => {
    const isIt = `${way === 'to' ? to : from}` === `${relay.device.pid}`
    if (isIt && message.length > PART_SIZE && ++seen === count) happens()
    return message
  }
  return () => seen
}

/** The id of what is offered, as ada sees it. */
async function offered(): Promise<string> {
  const { out } = await filesOf(ada, 'ls')
  return /^(\S{8}) .* plan\.tar\n$/m.exec(out)![1]!
}

describe('a file for somebody who is away', () => {
  test('lies with their relay until they come, whoever sent it being gone; then it is gone there', async () => {
    const sent = await sendFile()
    expect(sent.err).toMatch(/it lies with a relay for them, until \d{4}-\d\d-\d\d \d\d:\d\d/)
    expect([sent.code, lying()]).toEqual([0, [PARTS]])
    expect((await filesOf(home, 'ls')).out).toContain('  left with a relay until ')
    const id = await offered()
    expect(id).toBe(idIn(sent))
    expect((await filesOf(ada, 'get', id)).out).toBe(`${place()}\n`)
    expect(readFileSync(place()).equals(CONTENT)).toBe(true)
    expect(readdirSync(inbox)).toEqual(['plan.tar'])
    expect(lying()).toEqual([])
  })

  test('is read by nobody at the relay, which has sizes, a drop and a tag of it', async () => {
    const canary = Buffer.from('canary '.repeat(20_000))
    writeFileSync(source, canary)
    const seen: Uint8Array[] = []
    rig.net.tamper = message => {
      seen.push(message.slice())
      return message
    }
    const { out } = await sendFile()
    const [[name, kept]] = [...relay.disk.content] as [[string, Uint8Array]]
    expect(kept.length % 256).toBe(0)
    expect(name).toMatch(/^[0-9A-Z]{52}-[0-9a-z]{26}-3-\d+-\d+$/)
    expect(name).not.toContain(idIn({ out }))
    await filesOf(ada, 'get', await offered())
    expect(readFileSync(place()).equals(canary)).toBe(true)
    for (const bytes of [kept, ...seen].map(one => Buffer.from(one)))
      for (const word of ['canary', 'plan.tar']) expect(bytes.includes(word)).toBe(false)
  })

  test('stays here with --no-relay, and where the relay is an older one or keeps none', async () => {
    const never = await sendFile({ relay: false })
    expect(never.err).toContain('box up hands it out')
    relay.keepsFiles = false
    const older = await sendFile()
    expect(older.err).toContain('It keeps no files')
    expect(older.err).toContain('box up hands it out')
    expect([never.code, older.code, lying()]).toEqual([75, 75, []])
    // Nor does a process that stays bring what was said not to be brought.
    relay.keepsFiles = true
    await home.up()
    await rig.world.pass(180_000)
    expect(lying()).toEqual([PARTS])
    await home.down()
    await expect(filesOf(ada, 'get', idIn(never))).rejects.toThrow()
    expect((await filesOf(ada, 'get', idIn(older))).code).toBe(0)
  })

  test('goes straight where they are there, and nothing of it to the relay', async () => {
    await home.up()
    await ada.up()
    await rig.world.pass(20_000)
    const sent = await sendFile()
    expect(sent.err).not.toContain('relay')
    await rig.world.pass(180_000)
    expect((await filesOf(ada, 'get', idIn(sent))).code).toBe(0)
    expect(lying()).toEqual([])
    await home.down()
    await ada.down()
  })

  test('that is more than the relay keeps is refused before anything of it is sent', async () => {
    writeFileSync(source, random.bytes(FILES_BYTES / 2))
    const seen = afterParts(1, 'to', () => {})
    const { code, err } = await sendFile()
    expect(err).toContain('It keeps 1 MiB of one writer for one person at most. This is more.')
    expect([code, seen(), lying()]).toEqual([75, 0, []])
    const id = await offered()
    await expect(filesOf(home, 'leave', id)).rejects.toEqual(refusal('RELAY_REFUSED'))
  })

  test('is gone on with where whoever brings it is killed, by hand or by box up', async () => {
    const { running, mesh } = begin(home, send, { file: source, ...SEND })
    afterParts(12, 'to', () => mesh.stop())
    await expect(rig.world.until(running, 400_000)).resolves.toBe(75)
    const [has] = lying()
    expect(has).toBeGreaterThan(0)
    expect(has).toBeLessThan(PARTS)
    const id = await offered()
    expect((await filesOf(home, 'ls')).out).toContain('  yours  ')
    // What has come of it is taken; the rest is not there yet.
    await expect(filesOf(ada, 'get', id)).rejects.toEqual(refusal('PEER_UNREACHABLE'))
    expect(existsSync(place())).toBe(false)
    const again = afterParts(0, 'to', () => {})
    expect((await filesOf(home, 'leave', id)).out).toMatch(/^plan.tar lies with a relay until /)
    expect(again()).toBeLessThanOrEqual(PARTS - has!)
    const fetched = afterParts(0, 'from', () => {})
    expect((await filesOf(ada, 'get', id)).code).toBe(0)
    expect(fetched()).toBeLessThanOrEqual(PARTS - has!)
    expect(readFileSync(place()).equals(CONTENT)).toBe(true)

    rmSync(place())
    const second = begin(home, send, { file: source, ...SEND })
    afterParts(12, 'to', () => second.mesh.stop())
    await rig.world.until(second.running, 400_000)
    await home.up()
    await rig.world.pass(180_000)
    expect(lying()).toEqual([PARTS])
    await home.down()
  })

  test('is gone on with where the relay is killed in the middle, and has a torn end', async () => {
    afterParts(12, 'to', () => relay.stop())
    const { running, mesh } = begin(home, send, { file: source, ...SEND })
    await rig.world.until(running, 400_000)
    mesh.stop()
    const [[name, kept]] = [...relay.disk.content] as [[string, Uint8Array]]
    relay.disk.content.set(name, Buffer.concat([kept, random.bytes(777)]))
    rig.net.tamper = message => message
    relay.comeBack()
    await rig.world.pass(5_000)
    const id = await offered()
    expect((await filesOf(home, 'leave', id)).code).toBe(0)
    expect((await filesOf(ada, 'get', id)).code).toBe(0)
    expect(readFileSync(place()).equals(CONTENT)).toBe(true)
  })

  test('is gone on with where whoever fetches is killed in the middle', async () => {
    const id = idIn(await sendFile())
    await offered()
    const { running, mesh } = begin(ada, files as unknown as Runnable, {
      ...{ action: 'get', ids: [id], out: inbox },
    })
    afterParts(12, 'from', () => mesh.stop())
    await expect(rig.world.until(running, 400_000)).rejects.toThrow()
    expect([lying(), existsSync(place())]).toEqual([[PARTS], false])
    const again = afterParts(0, 'from', () => {})
    expect((await filesOf(ada, 'get', id)).code).toBe(0)
    expect(again()).toBeLessThan(PARTS)
    expect(readFileSync(place()).equals(CONTENT)).toBe(true)
    expect(lying()).toEqual([])
  })

  test('comes from its sender where the relay has something else, from where that was right', async () => {
    const id = idIn(await sendFile())
    const [[name, kept]] = [...relay.disk.content] as [[string, Uint8Array]]
    const damaged = kept.slice()
    damaged[5 * PART_SIZE + 99]! ^= 1
    relay.disk.content.set(name, damaged)
    await offered()
    await expect(filesOf(ada, 'get', id)).rejects.toEqual(refusal('FILE_DAMAGED'))
    expect(existsSync(place())).toBe(false)
    await home.up()
    await rig.world.pass(20_000)
    let fromHome = 0
    rig.net.tamper = (message, from) => {
      if (`${from}` === `${home.pid}` && message.length > PART_SIZE - 100) fromHome++
      return message
    }
    expect((await filesOf(ada, 'get', id)).code).toBe(0)
    expect(readFileSync(place()).equals(CONTENT)).toBe(true)
    expect(fromHome).toBeLessThanOrEqual(PARTS - 5)
    // Who has handed it out takes the copy back.
    await rig.world.pass(180_000)
    expect(lying()).toEqual([])
    await home.down()
  })

  test('is taken back with box files rm, and by time', async () => {
    const id = idIn(await sendFile())
    expect((await filesOf(home, 'rm', id)).code).toBe(0)
    expect(lying()).toEqual([])
    const later = idIn(await sendFile())
    await offered()
    await rig.world.pass(15 * DAY_MS)
    expect((await filesOf(home, 'ls')).out).not.toContain('with a relay')
    await expect(filesOf(ada, 'get', later)).rejects.toThrow()
    relay.files.tidy()
    expect(lying()).toEqual([])
  })

  test('stays where its relay is away: taken back here alone, which is said', async () => {
    const id = idIn(await sendFile())
    relay.stop()
    const { code, err } = await filesOf(home, 'rm', id)
    expect([code, err]).toEqual([75, expect.stringContaining('does not hear that')])
    expect((await filesOf(home, 'ls')).out).toContain('  taken back  ')
  })

  test('is there under a new key of who is away, and from who has one', async () => {
    const id = idIn(await sendFile())
    await ada.rotate()
    expect((await filesOf(ada, 'get', id)).code).toBe(0)
    expect(readFileSync(place()).equals(CONTENT)).toBe(true)
    expect(lying()).toEqual([])
    rmSync(place())
    await home.rotate()
    const second = idIn(await sendFile())
    expect(lying()).toEqual([PARTS])
    expect((await filesOf(ada, 'get', second)).code).toBe(0)
    expect(readFileSync(place()).equals(CONTENT)).toBe(true)
  })

  test('is known to be gone from the relay to its sender, by looking and by a process that stays', async () => {
    await filesOf(ada, 'get', idIn(await sendFile()))
    expect((await filesOf(home, 'ls')).out).toContain('  gone from the relay  ')
    rmSync(place())
    await filesOf(ada, 'get', idIn(await sendFile()))
    await home.up()
    await rig.world.pass(180_000)
    const { state, random } = home.controller.context
    const all = new FileBook(await SealedState.open(state, random)).read()
    expect(all.map(one => one.relay?.is)).toEqual(['gone', 'gone'])
    await home.down()
  })

  test('is left for nobody whose key is revoked', async () => {
    await sendFile({ relay: false })
    const desk = await home.up()
    const [held] = desk.files.read()
    const leaving = {
      ...desk.leaving,
      revocations: { ...desk.leaving.revocations, isRevoked: () => true },
    }
    await expect(
      leaveFile(home.process().context, leaving as typeof desk.leaving, held!, () => {}),
    ).rejects.toEqual(refusal('ZONE_REVOKED'))
    expect(lying()).toEqual([])
    await home.down()
  })

  test('is nothing to wait for: box send --wait ends once it lies there', async () => {
    const { code, out } = await sendFile({ wait: 100_000, json: true })
    expect(code).toBe(0)
    expect(out).toContain('plan.tar')
  })
})
