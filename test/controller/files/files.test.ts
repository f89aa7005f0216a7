/** box send and box files: between two people, and in a room; fetched, gone on with, refused, and lied about. */

import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { files } from '../../../controller/commands/files.ts'
import { room } from '../../../controller/commands/room.ts'
import { send } from '../../../controller/commands/send.ts'
import { FileBook } from '../../../controller/files/file-book.ts'
import { SealedState } from '../../../controller/talk/sealed-state.ts'
import { offerId } from '../../../src/social/file-offer.ts'
import { CHUNK_SIZE, leafHash } from '../../../src/social/file-tree.ts'
import { seededRandom } from '../../sim/random.ts'
import { Rig } from '../rig.ts'
import { Hosting } from '../room/hosting.ts'
import { acquainted, depart, Person } from '../talk/town.ts'

// Whole worlds, and a disk: seconds each where the machine has nothing else to do.
vi.setConfig({ testTimeout: 120_000 })

const random = seededRandom(11)
/** Of several parts, the last one not full. */
const CONTENT = random.bytes(4 * CHUNK_SIZE + 1_234)

let rig: Rig
let home: Person
let ada: Person
let directory: string
let source: string
let inbox: string

beforeEach(async () => {
  rig = new Rig(9)
  home = await Person.arrive(rig, 'home')
  ada = await Person.arrive(rig, 'ada')
  directory = mkdtempSync(join(tmpdir(), 'box-files-'))
  source = join(directory, 'plan.tar')
  inbox = join(directory, 'inbox')
  mkdirSync(inbox)
  writeFileSync(source, CONTENT)
})
afterEach(async () => {
  await depart(rig, [home, ada])
  rmSync(directory, { recursive: true, force: true })
})

type Runnable = typeof send

/** Runs a command in a process of its own; what it printed. */
async function run(who: Person, command: Runnable, args: object) {
  const { said } = who.controller
  said.out = ''
  said.err = ''
  const { context, mesh } = who.process()
  const { json } = context.output
  const all = { json, timeout: 20, ...args }
  const code = await rig.world.until(command.run(context, all as never), 400_000)
  mesh.stop()
  return { code, ...said }
}

const sendFile = (who: Person, to: string, more: object = {}) =>
  run(who, send, { file: source, to, wait: undefined, ...more })
const list = (who: Person) =>
  run(who, files as unknown as Runnable, { action: 'ls', ids: [], out: '.' })
const get = (who: Person, id: string, out = inbox) =>
  run(who, files as unknown as Runnable, { action: 'get', ids: [id], out })
/** What the last `box send` called it. */
const idIn = ({ out }: { out: string }) => /: ([0-9a-z]{8})\n$/.exec(out)![1]!
const refusal = (code: string) => expect.objectContaining({ code })

async function heldBy(who: Person, id: string) {
  const { state, random } = who.controller.context
  const book = new FileBook(await SealedState.open(state, random))
  const held = book.read().find(({ offer }) => offerId(offer).startsWith(id))!
  return { book, held, tree: book.treePath(offerId(held.offer)) }
}

/** What has come of a file, beside where it shall be. */
const parts = () => readdirSync(inbox).filter(name => name.startsWith('.'))

describe('a file for a contact', () => {
  let id: string
  beforeEach(async () => {
    await acquainted(home, ada, ['home', 'ada'])
    await home.up()
    await ada.up()
    await rig.world.pass(5_000)
    id = idIn(await sendFile(home, 'ada'))
    await rig.world.pass(20_000)
  })
  afterEach(async () => {
    await home.down()
    await ada.down()
  })

  test('is listed on both sides, fetched, and is what it was', async () => {
    expect((await list(ada)).out).toMatch(
      new RegExp(`^${id}  \\S+ \\S+  home  home  ${CONTENT.length}  offered  plan.tar\\n$`),
    )
    expect((await ada.chat('home', { history: true })).out).toMatch(
      new RegExp(`-- home offers plan.tar, ${CONTENT.length} bytes: box files get ${id}\\n$`),
    )
    expect(await get(ada, id)).toMatchObject({ code: 0, out: `${join(inbox, 'plan.tar')}\n` })
    expect(readFileSync(join(inbox, 'plan.tar')).equals(CONTENT)).toBe(true)
    expect(parts()).toEqual([])
    await rig.world.pass(5_000)
    expect((await list(ada)).out).toContain('  here  ')
    expect((await list(home)).out).toContain('  fetched by 1  ')
    expect((await get(ada, id)).out).toContain('(it was there)')
  })

  test('takes the place of no other file', async () => {
    writeFileSync(join(inbox, 'plan.tar'), 'mine')
    await expect(get(ada, id)).rejects.toEqual(refusal('FILE_EXISTS'))
    expect(readFileSync(join(inbox, 'plan.tar'), 'utf8')).toBe('mine')
    expect(parts()).toEqual([])
    expect((await get(ada, id, join(inbox, 'other.tar'))).code).toBe(0)
    expect(readFileSync(join(inbox, 'other.tar')).equals(CONTENT)).toBe(true)
  })

  test('that was changed since is not handed out', async () => {
    writeFileSync(source, random.bytes(CONTENT.length))
    await expect(get(ada, id)).rejects.toEqual(refusal('FILE_UNKNOWN'))
    expect(readdirSync(inbox)).toEqual([])
  })

  test('is not believed where its sender lies, and what was right before that is kept', async () => {
    const { tree } = await heldBy(home, id)
    const forged = Uint8Array.from(CONTENT)
    forged[2 * CHUNK_SIZE + 5]! ^= 1
    writeFileSync(source, forged)
    const hashes = readFileSync(tree)
    hashes.set(leafHash(forged.subarray(2 * CHUNK_SIZE, 3 * CHUNK_SIZE)), 2 * 32)
    writeFileSync(tree, hashes)
    await expect(get(ada, id)).rejects.toEqual(refusal('FILE_DAMAGED'))
    expect(existsSync(join(inbox, 'plan.tar'))).toBe(false)
    // Honest again: it goes on behind the two parts that were right.
    writeFileSync(source, CONTENT)
    hashes.set(leafHash(CONTENT.subarray(2 * CHUNK_SIZE, 3 * CHUNK_SIZE)), 2 * 32)
    writeFileSync(tree, hashes)
    expect((await get(ada, id)).code).toBe(0)
    expect(readFileSync(join(inbox, 'plan.tar')).equals(CONTENT)).toBe(true)
  })

  test('is gone on with from whatever a death has left', async () => {
    const { held } = await heldBy(home, id)
    const part = join(inbox, `.plan.tar.${offerId(held.offer)}.part`)
    const hashes = part.replace(/part$/, 'hashes')
    const all = Buffer.concat(
      Array.from({ length: 5 }, (_, i) =>
        leafHash(CONTENT.subarray(i * CHUNK_SIZE, (i + 1) * CHUNK_SIZE)),
      ),
    )
    const damaged = Uint8Array.from(CONTENT)
    damaged[CHUNK_SIZE + 1]! ^= 1
    const left: readonly (readonly [part: Uint8Array, hashes: Uint8Array])[] = [
      // In the middle of a part; between the part and its hash; at the end; a disk that lost something; more than there is.
      [CONTENT.subarray(0, 2 * CHUNK_SIZE + 7), all.subarray(0, 64)],
      [CONTENT.subarray(0, 3 * CHUNK_SIZE), all.subarray(0, 64)],
      [CONTENT, all],
      [damaged, all],
      [Buffer.concat([CONTENT, CONTENT]), Buffer.concat([all, all])],
      [new Uint8Array(0), all],
    ]
    for (const [bytes, known] of left) {
      writeFileSync(part, bytes)
      writeFileSync(hashes, known)
      expect((await get(ada, id)).code).toBe(0)
      expect(readFileSync(join(inbox, 'plan.tar')).equals(CONTENT)).toBe(true)
      expect(parts()).toEqual([])
      rmSync(join(inbox, 'plan.tar'))
    }
    // It was in its place already, and nobody had written that down.
    writeFileSync(part, CONTENT)
    writeFileSync(hashes, all)
    linkSync(part, join(inbox, 'plan.tar'))
    const { book } = await heldBy(ada, id)
    await book.forget(offerId(held.offer))
    expect((await get(ada, id)).out).toBe(`${join(inbox, 'plan.tar')}\n`)
    expect(readdirSync(inbox)).toEqual(['plan.tar'])
    // It was written down, and what had come was not removed.
    linkSync(join(inbox, 'plan.tar'), part)
    expect((await get(ada, id)).out).toContain('(it was there)')
    expect(readdirSync(inbox)).toEqual(['plan.tar'])
  })

  test('waits while its sender is away, and comes when they are back', async () => {
    await home.kill()
    await expect(get(ada, id)).rejects.toEqual(expect.objectContaining({ family: 'unreachable' }))
    expect(readdirSync(inbox)).toEqual([])
    await home.up()
    await rig.world.pass(20_000)
    expect((await get(ada, id)).code).toBe(0)
  })

  test('is handed out no longer once that was said, and to nobody who is no contact any more', async () => {
    expect((await run(home, files as unknown as Runnable, { action: 'rm', ids: [id] })).code).toBe(
      0,
    )
    await rig.world.pass(20_000)
    await expect(get(ada, id)).rejects.toEqual(expect.objectContaining({ family: 'unreachable' }))
    expect(existsSync(source)).toBe(true)
    expect((await list(home)).out).toContain('  taken back  ')
    const again = idIn(await sendFile(home, 'ada'))
    await rig.world.pass(20_000)
    await home.contact('rm', ['ada'])
    await rig.world.pass(20_000)
    await expect(get(ada, again)).rejects.toThrow()
    expect(readdirSync(inbox)).toEqual([])
  })

  test('leaves nothing readable of itself in the state of either', async () => {
    await get(ada, id)
    for (const { controller } of [home, ada])
      for (const name of readdirSync(controller.context.state.directory))
        if (!name.startsWith('.lock') && !name.endsWith('.tree'))
          expect(
            readFileSync(join(controller.context.state.directory, name)).includes('plan.tar'),
          ).toBe(false)
  })
})

describe('without box up', () => {
  beforeEach(async () => {
    await acquainted(home, ada, ['home', 'ada'])
  })

  test('box send says that it waits, and --wait hands it out until it was fetched', async () => {
    await ada.up()
    await rig.world.pass(5_000)
    const { code, err } = await sendFile(home, 'ada')
    expect(code).toBe(75)
    expect(err).toContain('box up hands it out')
    const { context, mesh } = home.process()
    home.controller.said.out = ''
    const waiting = send.run(context, {
      ...{ json: false, timeout: 20, file: source, to: 'ada', wait: 3_000 },
    } as never)
    await rig.world.pass(20_000)
    const [, id] = /^(\S{8}) .* offered {2}plan\.tar\n$/.exec(
      (await list(ada)).out.split('\n').slice(-2).join('\n'),
    )!
    await get(ada, id!)
    expect(await rig.world.until(waiting, 60_000)).toBe(0)
    mesh.stop()
    await ada.down()
  })

  test.for([
    ['nobody', {}, 'CONTACT_UNKNOWN'],
    ['ada', { file: '/nonexistent/x' }, 'FILE_UNKNOWN'],
    ['ada', { file: '/' }, 'FILE_UNUSABLE'],
    ['ada', { wait: -1 }, 'INPUT_INVALID'],
  ] as const)('box send to %s with %j is %s', async ([to, more, code]) => {
    await expect(sendFile(home, to, more)).rejects.toEqual(refusal(code))
    const { state, random } = home.controller.context
    expect(new FileBook(await SealedState.open(state, random)).read()).toEqual([])
    expect(readdirSync(state.directory).filter(name => name.endsWith('.tree'))).toEqual([])
  })
})

describe('a file for a room', () => {
  const DEFAULTS = {
    ...{ words: [], on: undefined, as: undefined, open: false, last: 50, listen: false },
    ...{ forget: false, deniable: false },
  }
  const inRoom = (who: Person, action: string, name: string, more: object = {}) =>
    run(who, room as unknown as Runnable, { ...DEFAULTS, action, room: name, ...more })
  let bob: Person
  let address: string
  let hosting: Hosting

  beforeEach(async () => {
    bob = await Person.arrive(rig, 'bob')
    hosting = new Hosting(rig, await rig.device(home.controller, 'kitchen'))
    await rig.world.pass(5_000)
    await inRoom(home, 'create', 'ops', { on: 'kitchen' })
    for (const [one, as] of [
      [ada, 'ada'],
      [bob, 'bob'],
    ] as const) {
      const { out } = await inRoom(home, 'invite', 'ops', { words: [one.key], as })
      address = out.trim().split(' ').at(-1)!
      await inRoom(one, 'who', address)
    }
    await inRoom(home, 'who', 'ops')
  })
  afterEach(async () => {
    hosting.stop()
    await rig.world.until(bob.controller.context.close(), 60_000)
  })

  test('is fetched from whoever sent it, then from a member that has it; by nobody who is out', async () => {
    await home.up()
    await rig.world.pass(5_000)
    const id = idIn(await sendFile(home, 'ops'))
    await rig.world.pass(20_000)
    expect((await list(ada)).out).toMatch(new RegExp(`^${id} .* home {2}ops .* plan.tar\\n$`))
    expect((await inRoom(ada, 'history', 'ops')).out).toContain(`-- home offers plan.tar`)
    expect((await get(ada, id)).code).toBe(0)
    // The sender is away now, and ada hands it out.
    await home.down()
    await ada.up()
    await rig.world.pass(20_000)
    const there = join(directory, 'bob')
    mkdirSync(there)
    await list(bob)
    expect((await get(bob, id, there)).code).toBe(0)
    expect(readFileSync(join(there, 'plan.tar')).equals(CONTENT)).toBe(true)
    // Bob has the offer; he is put out, and gets nothing any more.
    rmSync(join(there, 'plan.tar'))
    await inRoom(home, 'remove', 'ops', { words: ['bob'] })
    await inRoom(ada, 'who', 'ops')
    await expect(get(bob, id, there)).rejects.toThrow()
    expect(readdirSync(there)).toEqual([])
    await ada.down()
  })

  test('is passed from another member where the sender hands out something else', async () => {
    await home.up()
    await rig.world.pass(5_000)
    const id = idIn(await sendFile(home, 'ops'))
    await rig.world.pass(20_000)
    await get(ada, id)
    await ada.up()
    truncateSync(source, 5)
    await rig.world.pass(20_000)
    const there = join(directory, 'bob')
    mkdirSync(there)
    expect((await get(bob, id, there)).code).toBe(0)
    expect(readFileSync(join(there, 'plan.tar')).equals(CONTENT)).toBe(true)
    await home.down()
    await ada.down()
  })
})
