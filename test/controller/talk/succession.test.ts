/** box rotate ego, for people: contacts follow to the new key, wherever they hear of it, and nobody else gets between. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { files } from '../../../controller/commands/files.ts'
import { send } from '../../../controller/commands/send.ts'
import { EGO_FILE } from '../../../controller/ego.ts'
import { offersKnown } from '../../../controller/files/offers.ts'
import { SealedState } from '../../../controller/talk/sealed-state.ts'
import { followContact } from '../../../controller/talk/succession.ts'
import type { ZoneKey } from '../../../src/base/ids.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { encodeZoneRevocation, PROOFS, signIntent } from '../../../src/gns/revocation.ts'
import { offerId } from '../../../src/social/file-offer.ts'
import { Rig } from '../rig.ts'
import { acquainted, depart, MailRelay, Person } from './town.ts'

// Whole worlds, and a disk: seconds each where the machine has nothing else to do.
vi.setConfig({ testTimeout: 180_000 })

let rig: Rig
let home: Person
let ada: Person

beforeEach(async () => {
  rig = new Rig(7)
  home = await Person.arrive(rig, 'home')
  ada = await Person.arrive(rig, 'ada')
})
afterEach(async () => {
  await depart(rig, [home, ada])
})

/** The key by which one has the other. */
const keyOf = async (one: Person, other: string) => (await one.book()).contact(other).zone
const knowsUs = async (one: Person, other: string) => (await one.book()).contact(other).knowsUs

describe('box rotate ego', () => {
  test('reaches a contact who is there; both go on under the new key, with all that was said', async () => {
    await acquainted(home, ada, ['home', 'ada'])
    await ada.up()
    await rig.world.pass(5_000)
    await home.chat('ada', { say: 'before' })
    const before = home.zone
    const { code, out } = await home.rotate()
    expect([code, out]).toEqual([0, `${home.key}\nada  knows the new key\n`])
    expect(home.zone).not.toEqual(before)
    await rig.world.pass(10_000)
    expect(await keyOf(ada, 'home')).toEqual(home.zone)
    expect((await ada.book()).contact('home').before).toEqual([before])
    expect(await knowsUs(home, 'ada')).toEqual(home.zone)

    await home.up()
    await rig.world.pass(10_000)
    expect((await home.chat('ada', { say: 'after' })).code).toBe(0)
    expect((await ada.chat('home', { say: 'so be it' })).code).toBe(0)
    await rig.world.pass(10_000)
    expect(await ada.talkWith(home)).toEqual([
      ...['them: before', 'them: succession', 'them: after', 'me: so be it'],
    ])
    expect(await home.talkWith(ada)).toEqual(['me: before', 'me: after', 'them: so be it'])
    const shown = (await ada.chat('home', { history: true })).out
    expect(shown).toContain(`-- home has a new key (${home.key}), signed by the one before`)
    expect((await ada.contact('ls')).out).toBe(`home  unverified  ${home.key}\n`)
    await home.down()
    await ada.down()
  })

  test('is told while box up runs on either side, without anybody doing anything', async () => {
    await acquainted(home, ada, ['home', 'ada'])
    await home.up()
    await ada.up()
    await rig.world.pass(10_000)
    await home.rotate()
    await rig.world.pass(30_000)
    expect(await keyOf(ada, 'home')).toEqual(home.zone)
    expect(await knowsUs(home, 'ada')).toEqual(home.zone)
    expect((await ada.chat('home', { say: 'hello' })).code).toBe(0)
    await rig.world.pass(5_000)
    expect(await home.talkWith(ada)).toEqual(['them: hello'])
    await home.down()
    await ada.down()
  })

  test('lies with the relay of a contact who is away, beside what is said meanwhile', async () => {
    const relay = await MailRelay.of(ada)
    await MailRelay.of(home)
    await acquainted(home, ada, ['home', 'ada'])
    await home.chat('ada', { say: 'before' })
    const { code, out } = await home.rotate()
    expect([code, out]).toEqual([0, expect.stringContaining('ada  is not there: it lies with')])
    expect((await home.contact('ls')).err).toContain('Not known to know your new key yet: ada')
    await home.chat('ada', { say: 'after' })
    expect(relay.shelf.waitingFor(ada.zone).length).toBe(3)
    const heard = await ada.chat('home', { history: true })
    expect(heard.err).toContain('home has a new key, signed by the one before')
    expect(await ada.talkWith(home)).toEqual(['them: before', 'them: succession', 'them: after'])
    expect(await keyOf(ada, 'home')).toEqual(home.zone)
    // What Ada leaves goes to the drop of the new key; with it, that she has all.
    expect((await ada.chat('home', { say: 'thank you' })).code).toBe(0)
    await home.chat('ada', { history: true })
    expect(await home.talkWith(ada)).toEqual(['me: before', 'me: after', 'them: thank you'])
    expect((await home.memoryOf(ada)).read().unheard).toEqual([])
    expect(await knowsUs(home, 'ada')).toEqual(home.zone)
    expect((await home.contact('ls')).err).toBe('')
  })

  test('is read where a contact wrote to the old key meanwhile, also at a relay of before', async () => {
    const relay = await MailRelay.of(home)
    await acquainted(home, ada, ['home', 'ada'])
    await home.chat('ada', { history: true })
    await ada.chat('home', { say: 'one' })
    expect(relay.shelf.waitingFor(home.zone)).toHaveLength(1)
    await home.rotate()
    // The letter was there before the key was another one.
    expect(await home.talkWith(ada)).toEqual(['them: one'])
    relay.isOld = true
    await home.rotate()
    expect((await home.chat('ada', { history: true })).code).toBe(0)
    expect(relay.shelf.hasMailbox(home.zone)).toBe(true)
  })

  test('is found in the zone of the old key, where nobody is there to say it', async () => {
    await acquainted(home, ada, ['home', 'ada'])
    expect((await home.rotate()).code).toBe(75)
    const { code, err } = await ada.chat('home', { say: 'are you there?' })
    expect([code, err]).toEqual([75, expect.stringContaining('home has a new key')])
    expect(await keyOf(ada, 'home')).toEqual(home.zone)
    await home.up()
    await ada.up()
    await rig.world.pass(150_000)
    expect(await home.talkWith(ada)).toEqual(['them: are you there?'])
    await home.down()
    await ada.down()
  })

  test('several times, and on both sides at once, leads from each to the other', async () => {
    await acquainted(home, ada, ['home', 'ada'])
    await home.rotate()
    await ada.rotate()
    await home.rotate()
    await home.up()
    await ada.up()
    await rig.world.pass(200_000)
    expect(await keyOf(ada, 'home')).toEqual(home.zone)
    expect(await keyOf(home, 'ada')).toEqual(ada.zone)
    expect((await home.chat('ada', { say: 'here' })).code).toBe(0)
    await rig.world.pass(5_000)
    expect((await ada.talkWith(home)).at(-1)).toBe('them: here')
    await home.down()
    await ada.down()
  })

  test('leaves what was offered before to be fetched after, by whoever has not heard of it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'box-succession-'))
    const source = join(directory, 'plan.tar')
    writeFileSync(source, 'plan')
    mkdirSync(join(directory, 'inbox'))
    const run = async (who: Person, command: typeof send, args: object) => {
      const { context, mesh } = who.process()
      const done = command.run(context, { json: false, timeout: 20, ...args } as never)
      const code = await rig.world.until(done, 400_000)
      mesh.stop()
      return code
    }
    await acquainted(home, ada, ['home', 'ada'])
    await home.up()
    await ada.up()
    await rig.world.pass(5_000)
    await run(home, send, { file: source, to: 'ada', wait: undefined })
    await rig.world.pass(5_000)
    const { context } = ada.controller
    const sealed = await SealedState.open(context.state, context.random)
    const [offered] = await offersKnown(context, sealed)
    const id = offerId(offered!.offer)
    await ada.down()
    const before = home.zone
    await home.rotate()
    expect(await keyOf(ada, 'home')).toEqual(before)
    await rig.world.pass(20_000)
    const out = join(directory, 'inbox')
    expect(await run(ada, files as never, { action: 'get', ids: [id], out })).toBe(0)
    expect(readFileSync(join(out, 'plan.tar'), 'utf8')).toBe('plan')
    await home.down()
    rmSync(directory, { recursive: true, force: true })
  })
})

describe('somebody with an old key', () => {
  /** Home's state of before in other hands. */
  async function thiefOf(egoText: string): Promise<Person> {
    const thief = await Person.arrive(rig, 'thief')
    thief.controller.context.state.writeText(EGO_FILE, egoText)
    await thief.contact('add', [ada.key], { as: 'ada' })
    return thief
  }

  test('is nobody to contacts who know the new one: not heard, not read, and names no other key', async () => {
    const relay = await MailRelay.of(ada)
    await acquainted(home, ada, ['home', 'ada'])
    const stolen = home.controller.context.state.readText(EGO_FILE)!
    await home.rotate()
    await ada.chat('home', { history: true })
    expect(await keyOf(ada, 'home')).toEqual(home.zone)
    const thief = await thiefOf(stolen)
    await ada.up()
    await rig.world.pass(10_000)
    expect((await thief.chat('ada', { say: 'it is me' })).code).toBe(75)
    await thief.rotate()
    expect((await thief.chat('ada', { say: 'it is me again' })).code).toBe(75)
    await rig.world.pass(70_000)
    expect(await keyOf(ada, 'home')).toEqual(home.zone)
    expect(await ada.talkWith(home)).toEqual(['them: succession'])
    expect(relay.shelf.waitingFor(ada.zone)).toEqual([])
    await ada.down()
    await rig.world.until(thief.controller.context.close(), 60_000)
  })

  test('takes nobody over once that key is revoked', async () => {
    await MailRelay.of(ada)
    await acquainted(home, ada, ['home', 'ada'])
    const stolen = home.controller.context.state.readText(EGO_FILE)!
    const { secret } = home.controller.context.ego()
    const before = home.zone
    const thief = await thiefOf(stolen)
    await thief.rotate()
    revoke(ada, encodeZoneRevocation(signIntent(secret, 5n), PROOFS_OF_WORK, 1))
    await expect(ada.chat('home', { say: 'is it you?' })).rejects.toMatchObject({
      code: 'ZONE_REVOKED',
    })
    expect(await keyOf(ada, 'home')).toEqual(before)
    // What the thief has left at her relay is fetched, and not followed.
    const { err } = await ada.chat('home', { history: true })
    expect(err).toContain('A letter from home is not taken: their key is revoked.')
    expect(await keyOf(ada, 'home')).toEqual(before)
    // Nor do the two talk by the key that is revoked.
    await ada.up()
    await rig.world.pass(10_000)
    await thief.chat('ada', { say: 'it is me' })
    await rig.world.pass(70_000)
    expect(await keyOf(ada, 'home')).toEqual(before)
    const memory = await ada.memoryOf({ zone: before } as Person)
    expect(await memory.history()).toEqual([])
    await ada.down()
    await rig.world.until(thief.controller.context.close(), 60_000)
  })

  test('is not followed where the revocation is heard of with the new key', async () => {
    const { context } = ada.controller
    await acquainted(home, ada, ['home', 'ada'])
    const thief = await thiefOf(home.controller.context.state.readText(EGO_FILE)!)
    await thief.rotate()
    const { chain } = thief.controller.context.ego()
    const book = await ada.book()
    const contact = book.contact('home')
    const memory = await ada.memoryOf(home)
    const asked: ZoneKey[] = []
    const isRevoked = (zone: ZoneKey) => asked.length > 0 && `${zone}` === `${contact.zone}`
    const revocations = { isRevoked, ask: (zone: ZoneKey) => void asked.push(zone) }
    const follow = (known: typeof revocations) =>
      rig.world.until(
        followContact(
          { context, book, revocations: { ...known, decided: async () => {} } },
          { contact, memory },
          chain[0]!,
        ),
        60_000,
      )
    expect(await follow(revocations)).toBe(false)
    expect(asked).toEqual([contact.zone, thief.zone])
    expect(ada.controller.said.err).toContain('the one before is revoked: not taken')
    expect(book.contact('home').zone).toEqual(contact.zone)
    expect(await follow({ ...revocations, isRevoked: () => false })).toBe(true)
    expect(book.contact('home').zone).toEqual(thief.zone)
    await rig.world.until(thief.controller.context.close(), 60_000)
  })

  test('is believed by a contact who has heard of nothing else, once', async () => {
    await acquainted(home, ada, ['home', 'ada'])
    const stolen = home.controller.context.state.readText(EGO_FILE)!
    const thief = await thiefOf(stolen)
    await ada.up()
    await rig.world.pass(5_000)
    await thief.rotate()
    await home.rotate()
    await rig.world.pass(70_000)
    expect(await keyOf(ada, 'home')).toEqual(thief.zone)
    await ada.down()
    await rig.world.until(thief.controller.context.close(), 60_000)
  })
})

const PROOFS_OF_WORK = Array.from({ length: PROOFS }, (_, i) => BigInt(i))

/** Somebody has heard of a revocation and has checked it. */
function revoke({ controller }: Person, raw: Uint8Array): void {
  const until = Buffer.alloc(8)
  until.writeBigUInt64BE(BigInt(rig.world.now() + 86_400_000))
  const shelf = Buffer.concat([Buffer.from([0, 1]), until, raw])
  controller.context.state.writeText('revoked-zones', `${shelf.toString('base64')}\n`)
}

test('what says which key came after which names nobody else', async () => {
  await acquainted(home, ada, ['home', 'ada'])
  await home.rotate()
  const { chain, before, secret } = home.controller.context.ego()
  const said = Buffer.concat(chain.map(link => Buffer.from(link)))
  const has = (zone: ZoneKey) => said.includes(Buffer.from(zone))
  expect([has(before!.zone), has(secret.zone), has(ada.zone)]).toEqual([true, true, false])
  expect(said.includes(zoneToText(ada.zone))).toBe(false)
})

test.for([1, 2, 3, 4, 5, 6])(
  'each word arrives once, whoever gets a new key, dies or comes back when, with seed %i',
  async seed => {
    rig = new Rig(seed)
    home = await Person.arrive(rig, 'home')
    ada = await Person.arrive(rig, 'ada')
    const relays = [await MailRelay.of(home), await MailRelay.of(ada)]
    await acquainted(home, ada, ['home', 'ada'])
    const { random } = rig.world
    let isLossy = true
    rig.net.tamper = message => (isLossy && random.below(60) === 0 ? null : message)
    const said: Record<string, string[]> = { home: [], ada: [] }
    const people = { home, ada }
    const rotations = { home: 0, ada: 0 }
    const isUp = new Set<string>()
    for (let i = 0; i < 20; i++) {
      const name = (['home', 'ada'] as const)[random.below(2)]!
      const one = people[name]
      const other = name === 'home' ? 'ada' : 'home'
      switch (random.below(6)) {
        case 0:
          if (isUp.has(name)) await one.kill()
          isUp.delete(name)
          break
        case 1:
          if (!isUp.has(name)) await one.up()
          isUp.add(name)
          break
        case 2: {
          const relay = relays[random.below(2)]!
          relay.stop()
          await rig.world.pass(random.below(30_000))
          relay.comeBack()
          break
        }
        case 3:
          // More than four at once are more than anybody is told.
          if (rotations[name]++ < 4) await one.rotate()
          break
        default: {
          const text = `${name} ${i}`
          await one.chat(other, { say: text })
          said[name]!.push(text)
        }
      }
      await rig.world.pass(random.below(20_000))
    }
    isLossy = false
    for (const name of ['home', 'ada'] as const) if (!isUp.has(name)) await people[name].up()
    await rig.world.pass(500_000)
    for (const [one, other, name] of [
      [home, ada, 'ada'],
      [ada, home, 'home'],
    ] as const) {
      expect(await keyOf(one, name), `SEED=${seed}`).toEqual(other.zone)
      const heard = (await one.talkWith(other)).filter(text => text.startsWith(`them: ${name}`))
      expect(heard.toSorted(), `SEED=${seed}`).toEqual(
        said[name]!.map(text => `them: ${text}`).toSorted(),
      )
      expect((await one.memoryOf(other)).read().unheard, `SEED=${seed}`).toEqual([])
    }
    await home.down()
    await ada.down()
  },
)
