/** Keys of the kind PKEY have nothing to do with files, and that is said before anything is done. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { send } from '../../../controller/commands/send.ts'
import { EGO_FILE } from '../../../controller/ego.ts'
import { fetchFile, holdersOf } from '../../../controller/files/fetching.ts'
import { getFile } from '../../../controller/files/getting.ts'
import type { Offered } from '../../../controller/files/offers.ts'
import { RoomBook } from '../../../controller/room/book.ts'
import { ContactBook } from '../../../controller/talk/contact-book.ts'
import { SealedState } from '../../../controller/talk/sealed-state.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { systemRandom } from '../../../src/sys/random.ts'
import { type Controller, Rig } from '../rig.ts'

const pkey = ZoneSecret.generate('PKEY', systemRandom)
const edkey = ZoneSecret.generate('EDKEY', systemRandom)
const place = new Uint8Array(32).fill(7)
const offer = { name: 'plan.tar', size: 4, root: new Uint8Array(32), key: new Uint8Array(32) }

let rig: Rig
let home: Controller
let directory: string
let source: string

beforeEach(async () => {
  rig = new Rig(3)
  home = await rig.controller()
  directory = mkdtempSync(join(tmpdir(), 'box-file-keys-'))
  source = join(directory, 'plan.tar')
  writeFileSync(source, 'plan')
  const room = { name: 'ops', device: edkey.zone, place, isDeniable: false, last: null }
  await new RoomBook(home.context.state).add(room)
})
afterEach(async () => {
  await rig.world.until(home.context.close(), 60_000)
  rig.clean()
  rmSync(directory, { recursive: true, force: true })
})

const sendTo = (to: string) => {
  const args = { json: false, timeout: 20, file: source, to, wait: undefined }
  return rig.world.until(send.run(home.context, args as never), 60_000)
}
const files = () => readdirSync(home.context.state.directory).filter(name => !/lock/.test(name))

/** As an older GNUnet has made it. */
function becomePkey(): void {
  const { state } = home.context
  const secret = Buffer.from(pkey.bytes).toString('hex')
  state.writeText(EGO_FILE, JSON.stringify({ version: 1, name: 'home', type: 'PKEY', secret }))
}

test('whoever has one sends nothing to a room: nothing is read, written, or said there', async () => {
  becomePkey()
  const before = files()
  await expect(sendTo('ops')).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    detail: expect.stringContaining('Your identity is an ego of the kind PKEY'),
  })
  expect(files()).toEqual(before)
  expect(home.said.out).toBe('')
})

test('a contact who has one is sent nothing', async () => {
  const { state, random } = home.context
  const book = new ContactBook(await SealedState.open(state, random))
  const known = { is: 'unverified' } as const
  await book.add({ name: 'ada', zone: pkey.zone, known, addedAt: 1 })
  const before = files()
  await expect(sendTo('ada')).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    detail: expect.stringContaining('The key of ada is an ego of the kind PKEY'),
  })
  expect(files()).toEqual(before)
})

test('whoever has one fetches nothing, and nothing is begun', async () => {
  becomePkey()
  const { state, random } = home.context
  const offered: Offered = {
    ...{ offer, circle: { is: 'room', place }, where: 'ops', by: edkey.zone, who: 'ada', at: 1 },
  }
  const target = join(directory, 'here')
  const getting = getFile(home.context, await SealedState.open(state, random), offered, {
    ...{ target, timeoutMs: 1_000, step: () => {} },
  })
  await expect(getting).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  expect(readdirSync(directory)).toEqual(['plan.tar'])
})

test('of a room, those who have one are not asked, and the others are', async () => {
  const holders = holdersOf(home.context, [pkey.zone, edkey.zone, edkey.zone], () => null)
  expect(holders.map(({ zone }) => zone)).toEqual([edkey.zone])
  const part = { isWhole: false, next: 0 } as never
  const nobody = fetchFile(home.context, {
    ...{ offer, part, holders: holdersOf(home.context, [pkey.zone], () => null) },
    ...{ timeoutMs: 1_000, step: () => {}, finish: async () => {} },
  })
  await expect(rig.world.until(nobody, 60_000)).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' })
})
