/**
 * Files over real processes and a hub behind a proxy that records: to a contact, with either side killed in the middle; to
 * one who is away, by their relay; to a room, with a member that was away; and from a sender that lies. Neither hub, host,
 * relay nor wire has anything of them.
 */

import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { CHUNK_SIZE, leafHash } from '../../src/social/file-tree.ts'
import { Agent, Controller } from './fleet.ts'
import { residentMb } from './household.ts'
import { contains, memoryContains, needlesOf } from './process-memory.ts'
import { cleanUp, filesIn, folder, missing, Program, run } from './program.ts'
import { Recorder } from './recorder.ts'

const PORT = Number(process.env.LAB_PORT ?? 22_000) + 96
const PATIENCE_MS = 120_000
const MEGABYTE = 1_048_576
/** Large enough to be killed in the middle of, and to be seen if it were held in memory. */
const LARGE = 96 * MEGABYTE
/** Of what is left with a relay, which keeps 32 MiB of one writer where nothing else is said. */
const AWAY = 24 * MEGABYTE
/** What a process may grow by that hands it out. */
const GROWTH_MB = 64
const FAULT = 76

const skipped = missing([], { root: true }) !== null
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

describe.skipIf(skipped)('files', { timeout: 600_000 }, () => {
  const canary = `canary-${randomUUID()}`
  const large = Buffer.alloc(LARGE, randomBytes(MEGABYTE))
  let recorder: Recorder
  let hub: Agent
  let device: Agent
  let post: Agent
  let home: Controller
  let ada: Controller
  let bob: Controller
  let directory: string
  let up: Program

  const person = async (name: string, hello: string) => {
    const one = new Controller(name)
    await one.must('init', '--ego', name)
    await one.must('hub', 'add', hello)
    return one
  }
  const keyOf = async (one: Controller) =>
    (JSON.parse(await one.must('id', '--json')) as { id: string }).id
  const start = async (one: Controller) => {
    const program = new Program(one.command('up', '--port', '0'))
    await program.until(/^up at /m, PATIENCE_MS)
    return program
  }
  const inboxOf = (name: string) => {
    const path = join(directory, name)
    mkdirSync(path)
    return path
  }
  /** So much has come of what is being fetched there. */
  const hasCome = (inbox: string, bytes: number) =>
    vi.waitFor(
      () => {
        const part = readdirSync(inbox).find(name => name.endsWith('.part'))
        expect(part && statSync(join(inbox, part)).size).toBeGreaterThan(bytes)
      },
      { timeout: PATIENCE_MS, interval: 10 },
    )
  const offered = async (one: Controller, name: string) => {
    const listed = await one.must('files', '--json')
    const all = listed.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line)]))
    return all.find(file => file.name === name) as
      | { file: string; state: string; by: string; where: string }
      | undefined
  }

  beforeAll(async () => {
    for (let at = 0; at < LARGE; at += MEGABYTE) large.write(`${at} ${canary}`, at)
    recorder = await Recorder.open(PORT + 1, PORT)
    const addresses = ['--listen', `127.0.0.1:${PORT}`, '--advertise', `127.0.0.1:${PORT + 1}`]
    hub = new Agent('hub', ['--hub', ...addresses])
    const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
    device = new Agent('device', ['--hub-url', hello])
    await device.linked()
    post = new Agent(
      'post',
      ['--hub-url', hello],
      {},
      {
        settings: { relay: true },
      },
    )
    await post.linked()
    home = await person('home', hello)
    ada = await person('ada', hello)
    bob = await person('bob', hello)
    await home.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
    await home.must('contact', 'add', await keyOf(ada), '--as', 'ada')
    await ada.must('contact', 'add', await keyOf(home), '--as', 'holm')
    await bob.must('pair', await post.pairingCode(), '--as', 'post', '--tag', 'mail', '--json')
    await home.must('contact', 'add', await keyOf(bob), '--as', 'bob')
    await bob.must('contact', 'add', await keyOf(home), '--as', 'holm')
    await home.must('room', 'create', 'ops', '--on', 'kitchen')
    for (const [one, name] of [
      [ada, 'ada'],
      [bob, 'bob'],
    ] as const) {
      const invited = await home.must('room', 'invite', 'ops', await keyOf(one), '--as', name)
      await one.must('room', 'say', /(ops@\S+)/.exec(invited)![1]!, 'hello')
    }
    directory = folder('sent')
    writeFileSync(join(directory, `${canary}.tar`), large)
    writeFileSync(join(directory, 'notes.txt'), `${canary}\n`.repeat(20_000))
    up = await start(home)
  }, 400_000)
  afterAll(async () => {
    await cleanUp()
    recorder?.close()
  })

  test('go to a contact, over the death of who fetches and of who sends', async () => {
    const taking = await start(ada)
    const sent = JSON.parse(
      (await home.box('send', join(directory, `${canary}.tar`), '--to', 'ada', '--json')).out,
    )
    expect(sent).toMatchObject({ to: 'ada', size: LARGE, handed_out: true, fetched: false })
    await vi.waitFor(async () => expect(await offered(ada, `${canary}.tar`)).toBeDefined(), {
      timeout: PATIENCE_MS,
      interval: 500,
    })
    taking.kill('SIGINT')
    await taking.ended(PATIENCE_MS)

    const inbox = inboxOf('ada')
    const place = join(inbox, `${canary}.tar`)
    const before = residentMb(up.child.pid!)
    const words = ['files', 'get', sent.file, '--out', inbox, '--json', '--timeout', '120']
    const first = new Program(ada.command(...words))
    await hasCome(inbox, LARGE / 4)
    first.kill('SIGKILL')
    await first.ended()
    expect(existsSync(place)).toBe(false)

    const second = new Program(ada.command(...words))
    await hasCome(inbox, LARGE / 2)
    const grownMb = residentMb(up.child.pid!) - before
    up.kill('SIGKILL')
    await up.ended()
    expect(existsSync(place)).toBe(false)
    up = await start(home)
    const { code, out, err } = await second.ended(PATIENCE_MS)
    expect([code, err]).toEqual([0, ''])
    expect(JSON.parse(out)).toMatchObject({ file: sent.file, path: place, new: true })
    expect(digest(readFileSync(place))).toBe(digest(large))
    expect(readdirSync(inbox)).toEqual([`${canary}.tar`])
    console.info(
      `box up grew by ${grownMb.toFixed(0)} MB while it handed out ${LARGE / MEGABYTE} MB`,
    )
    expect(grownMb).toBeLessThan(GROWTH_MB)
    // Had it begun anew each time, more than twice of it would have gone by.
    const toHub = recorder.connections.reduce((sum, one) => sum + one.up, 0)
    expect(toHub).toBeLessThan(1.7 * LARGE)
    await vi.waitFor(
      async () => expect((await offered(home, `${canary}.tar`))?.state).toBe('fetched'),
      { timeout: PATIENCE_MS, interval: 500 },
    )
  })

  test('go to a room: who was away fetches it from a member, the sender being off', async () => {
    const sent = JSON.parse(
      await home.must('send', join(directory, 'notes.txt'), '--to', 'ops', '--json'),
    )
    console.time('a')
    const first = inboxOf('ada-room')
    await ada.must('files', 'get', sent.file, '--out', first)
    console.timeLog('a')
    up.kill('SIGINT')
    expect((await up.ended(PATIENCE_MS)).code).toBe(0)
    const member = await start(ada)
    console.timeLog('a')
    expect(await offered(bob, 'notes.txt')).toMatchObject({ state: 'offered', where: 'ops' })
    console.timeLog('a')
    const second = inboxOf('bob')
    const words = ['files', 'get', sent.file.slice(0, 8), '--out', second, '--timeout', '60']
    expect((await run(bob.command(...words), { ms: PATIENCE_MS })).code).toBe(0)
    for (const inbox of [first, second])
      expect(digest(readFileSync(join(inbox, 'notes.txt')))).toBe(
        digest(readFileSync(join(directory, 'notes.txt'))),
      )
    console.timeLog('a')
    member.kill('SIGINT')
    await member.ended(PATIENCE_MS)
    up = await start(home)
  })

  test('that are not what was offered are refused, and nothing of them stays', async () => {
    const path = join(directory, 'lie.bin')
    const content = randomBytes(3 * CHUNK_SIZE)
    writeFileSync(path, content)
    const { file } = JSON.parse(await home.must('send', path, '--to', 'ops', '--json'))
    // Another content, and a first hash that fits it: what only a sender can do that means to.
    content[0]! ^= 1
    writeFileSync(path, content)
    const tree = join(home.state, `.file-${file}.tree`)
    const hashes = readFileSync(tree)
    hashes.set(leafHash(content.subarray(0, CHUNK_SIZE)), 0)
    writeFileSync(tree, hashes)
    const inbox = inboxOf('lied-to')
    const words = ['files', 'get', file, '--out', inbox, '--json', '--timeout', '20']
    const { code, err } = await run(bob.command(...words), { ms: PATIENCE_MS })
    expect(code).toBe(FAULT)
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'FILE_DAMAGED' } })
    expect(readdirSync(inbox)).toEqual([])
  })

  test('for who is away lie with their relay, over the death of who sends, of the relay and of who fetches', async () => {
    up.kill('SIGINT')
    expect((await up.ended(PATIENCE_MS)).code).toBe(0)
    const path = join(directory, 'away.bin')
    const content = large.subarray(0, AWAY)
    writeFileSync(path, content)
    const relayed = join(post.state, 'relayed')
    const lies = (bytes: number) =>
      vi.waitFor(
        () => {
          const [name] = existsSync(relayed) ? readdirSync(relayed) : []
          expect(name && statSync(join(relayed, name)).size).toBeGreaterThan(bytes)
        },
        { timeout: PATIENCE_MS, interval: 10 },
      )
    const before = residentMb(post.program.child.pid!)
    const sending = new Program(home.command('send', path, '--to', 'bob', '--json'))
    await lies(AWAY / 4)
    sending.kill('SIGKILL')
    await sending.ended()
    const { file } = (await offered(bob, 'away.bin'))!
    const going = new Program(home.command('files', 'leave', file, '--json'))
    await lies(AWAY / 2)
    const grownMb = residentMb(post.program.child.pid!) - before
    post.program.kill('SIGKILL')
    await post.program.ended()
    post.restart()
    await post.linked()
    await going.ended(PATIENCE_MS)
    const left = await home.box('files', 'leave', file, '--json')
    expect(left.code, left.err).toBe(0)
    expect(JSON.parse(left.out)).toMatchObject({ file, size: AWAY })
    expect(await offered(home, 'away.bin')).toMatchObject({ state: 'left' })
    console.info(
      `the relay grew by ${grownMb.toFixed(0)} MB while it took ${AWAY / 2 / MEGABYTE} MB`,
    )
    expect(grownMb).toBeLessThan(GROWTH_MB)

    // Nothing of home runs any more.
    const needles = needlesOf(canary)
    expect(filesIn(relayed).length).toBe(1)
    expect(filesIn(relayed).some(one => contains(one, needles))).toBe(false)
    const inbox = inboxOf('bob-away')
    const words = ['files', 'get', file, '--out', inbox, '--json', '--timeout', '60']
    const fetching = new Program(bob.command(...words))
    await hasCome(inbox, AWAY / 4)
    fetching.kill('SIGKILL')
    await fetching.ended()
    const { code, err } = await run(bob.command(...words), { ms: PATIENCE_MS })
    expect([code, err]).toEqual([0, ''])
    expect(digest(readFileSync(join(inbox, 'away.bin')))).toBe(digest(content))
    expect(readdirSync(inbox)).toEqual(['away.bin'])
    expect(readdirSync(relayed)).toEqual([])
    // What is too much for it is said, and nothing of it is sent.
    const tooLarge = await home.box('send', join(directory, `${canary}.tar`), '--to', 'bob')
    expect(tooLarge.code).toBe(75)
    expect(tooLarge.err).toContain('It keeps 32 MiB of one writer for one person at most')
    expect(readdirSync(relayed)).toEqual([])
    up = await start(home)
  })

  test('are nowhere but with those they are for', async () => {
    const needles = needlesOf(canary)
    expect(await memoryContains(hub.program.child.pid!, needles)).toBe(false)
    for (const agent of [hub, device, post]) {
      expect(filesIn(agent.state).some(content => contains(content, needles))).toBe(false)
      expect(`${agent.program.out}${agent.program.err}`).not.toContain(canary)
    }
    expect(recorder.captured.some(content => contains(content, needles))).toBe(false)
    // The search sees what is there.
    expect(await memoryContains(hub.program.child.pid!, [Buffer.from(hub.state)])).toBe(true)
    expect(filesIn(directory).some(content => contains(content, needles))).toBe(true)
  })
})
