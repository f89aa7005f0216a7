/** box contact and box chat: people who find each other, talk while both are there, and while one is not. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Rig } from '../rig.ts'
import { acquainted, depart, MailRelay, Person } from './town.ts'

// Whole worlds, and a disk: seconds each where the machine has nothing else to do.
vi.setConfig({ testTimeout: 120_000 })

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

describe('contacts', () => {
  test('are made by a code that one shows and the other types: both see the same words', async () => {
    const showing = home.contact('add')
    await rig.world.pass(3_000)
    const [code] = /^[0-9A-Z]{5}(-[0-9A-Z]+)+$/m.exec(home.controller.said.out)!
    const typed = await ada.contact('add', [code], { as: 'holm' })
    const { out } = await showing
    const [, words] = /same words: (.+)/.exec(typed.out)!
    expect(out).toContain(`ada is your contact. Both of you see the same words: ${words}`)
    expect((await home.contact('ls')).out).toBe(`ada  paired  ${ada.key}\n`)
    expect((await ada.contact('ls')).out).toBe(`holm  paired  ${home.key}\n`)
    // A code is used once.
    await expect(ada.contact('add', [code], { as: 'again' })).rejects.toMatchObject({
      family: 'unreachable',
    })
  })

  test('are renamed, and forgotten with what was said', async () => {
    await acquainted(home, ada, ['home', 'ada'])
    await home.chat('ada', { say: 'hello' })
    await home.contact('rename', ['ada', 'adele'])
    expect((await home.contact('ls')).out).toBe(`adele  unverified  ${ada.key}\n`)
    await home.contact('rm', ['adele'])
    expect((await home.contact('ls')).out).toBe('')
    const left = readdirSync(home.controller.context.state.directory)
    expect(left.filter(name => /^talk-[0-9A-Z]/.test(name))).toEqual([])
  })

  test('are introduced by somebody who knows both, and accepted by each', async () => {
    const bob = await Person.arrive(rig, 'bob')
    for (const one of [ada, bob]) {
      const showing = home.contact('add')
      await rig.world.pass(3_000)
      const [code] = /^[0-9A-Z]{5}(-[0-9A-Z]+)+$/m.exec(home.controller.said.out)!
      await one.contact('add', [code], { as: 'home' })
      await showing
    }
    await ada.up()
    await bob.up()
    await rig.world.pass(5_000)
    await home.contact('introduce', ['ada', 'bob'])
    expect((await ada.contact('ls')).out).toContain(`bob   offered by home  ${bob.key}\n`)
    await ada.contact('accept', ['bob'])
    await bob.contact('accept', ['ada'], { as: 'adele' })
    expect((await ada.contact('ls')).out).toContain(`bob   by home  ${bob.key}\n`)
    await rig.world.pass(10_000)
    expect((await ada.chat('bob', { say: 'so we know each other' })).code).toBe(0)
    expect(await bob.talkWith(ada)).toEqual(['them: so we know each other'])
    await ada.down()
    await bob.down()
    await rig.world.until(bob.controller.context.close(), 60_000)
  })

  test.for([
    [['add', ['nonsense'], { as: 'x' }], 'CODE_INVALID'],
    [['add', ['KEY']], 'INPUT_INVALID'],
    [['add', ['OWN'], { as: 'me' }], 'INPUT_INVALID'],
    [['rm', ['nobody']], 'CONTACT_UNKNOWN'],
    [['accept', ['nobody']], 'CONTACT_UNKNOWN'],
    [['rename', ['one']], 'INPUT_INVALID'],
  ] as const)('%j is %s', async ([[action, words, more = {}], code]) => {
    const meant = words.map(word => ({ KEY: ada.key, OWN: home.key })[word as string] ?? word)
    await expect(home.contact(action, meant, more)).rejects.toMatchObject({ code })
  })
})

describe('private talk', () => {
  test('goes straight to who is there, and is on the disk of both', async () => {
    await acquainted(home, ada, ['home', 'ada'])
    await ada.up()
    await rig.world.pass(5_000)
    expect(await home.chat('ada', { say: 'hello' })).toMatchObject({ code: 0, out: '', err: '' })
    const unread = async () => (await ada.memoryOf(home)).read().unread
    expect(await unread()).toBe(1)
    expect((await ada.chat('home', { history: true })).out).toMatch(/^\S+ \S+ home: hello\n$/)
    expect(await unread()).toBe(0)
    await home.up()
    expect((await ada.chat('home', { say: 'hello yourself' })).code).toBe(0)
    await rig.world.pass(5_000)
    expect(await home.talkWith(ada)).toEqual(['me: hello', 'them: hello yourself'])
    await home.down()
    await ada.down()
  })

  test('waits where nobody is there and no relay, and is brought by the next process', async () => {
    await acquainted(home, ada, ['home', 'ada'])
    const { code, err } = await home.chat('ada', { say: 'are you there?' })
    expect([code, err]).toEqual([75, expect.stringContaining('it waits here')])
    expect(await ada.talkWith(home)).toEqual([])
    await home.up()
    await ada.up()
    await rig.world.pass(150_000)
    expect(await ada.talkWith(home)).toEqual(['them: are you there?'])
    await home.down()
    await ada.down()
  })

  test('lies with a relay of the recipient until they are there, who says so by the same way', async () => {
    const relay = await MailRelay.of(ada)
    const relayOfHome = await MailRelay.of(home)
    await acquainted(home, ada, ['home', 'ada'])
    for (const text of ['one', 'two', 'three']) {
      const { code, err } = await home.chat('ada', { say: text })
      expect([code, err]).toEqual([0, expect.stringContaining('lies with a relay')])
    }
    expect((await ada.chat('home', { history: true })).out.match(/home: \w+/g)).toEqual([
      'home: one',
      'home: two',
      'home: three',
    ])
    expect(relay.shelf.waitingFor(ada.zone)).toEqual([])
    // Home was away meanwhile: what Ada says goes the other way, and with it that she has all.
    expect((await ada.chat('home', { say: 'four' })).code).toBe(0)
    expect(relayOfHome.shelf.waitingFor(home.zone).length).toBe(2)
    expect((await home.memoryOf(ada)).read().unheard).toHaveLength(3)
    expect((await home.chat('ada', { history: true })).out).toContain('ada: four')
    expect((await home.memoryOf(ada)).read().unheard).toEqual([])
  })

  test('is read by nobody on the way, has few sizes there, and says not even who writes', async () => {
    const relay = await MailRelay.of(ada)
    const seen: Uint8Array[] = []
    rig.net.tamper = message => {
      seen.push(message.slice())
      return message
    }
    await acquainted(home, ada, ['home', 'ada'])
    const canary = 'canary '.repeat(20)
    await home.chat('ada', { say: canary })
    const kept = relay.store.names().map(name => relay.store.get(name)!)
    const letters = relay.store.names().filter(name => name.startsWith('letter-'))
    expect(letters.map(name => relay.store.get(name)!.length)).toEqual([256])
    await ada.chat('home', { history: true })
    const sender = Buffer.from(home.zone)
    for (const bytes of [...kept, ...seen].map(one => Buffer.from(one))) {
      expect(bytes.includes('canary')).toBe(false)
      expect(bytes.includes(sender.subarray(4))).toBe(false)
    }
    for (const name of relay.store.names()) expect(name).not.toContain(home.key)
    // At rest it is encrypted on both sides, and no file is called as somebody.
    for (const { controller } of [home, ada]) {
      const { directory } = controller.context.state
      for (const name of readdirSync(directory).filter(one => !one.startsWith('.'))) {
        expect(readFileSync(join(directory, name)).includes('canary')).toBe(false)
        expect(name).not.toContain(ada.key)
      }
    }
  })

  test('is for contacts alone: whoever is none finds nobody, and leaves nothing', async () => {
    const relay = await MailRelay.of(ada)
    const eve = await Person.arrive(rig, 'eve')
    await ada.contact('add', [home.key], { as: 'home' })
    await eve.contact('add', [ada.key], { as: 'ada' })
    await ada.up()
    await rig.world.pass(10_000)
    const { code, err } = await eve.chat('ada', { say: 'hello?' })
    expect([code, err]).toEqual([75, expect.stringContaining('out of reach')])
    expect(relay.shelf.waitingFor(ada.zone)).toEqual([])
    // Also where Eve has heard where Ada is, and who keeps her letters: she cannot even knock.
    const book = await eve.book()
    const where = { pid: ada.pid, services: 1, hostKey: new Uint8Array(32), hubs: [] }
    await book.remember(ada.zone, { where, relays: [relay.device.secret.zone] })
    expect((await eve.chat('ada', { say: 'hello??' })).code).toBe(75)
    expect(relay.shelf.waitingFor(ada.zone)).toEqual([])
    expect(await ada.talkWith(eve)).toEqual([])
    await ada.down()
    await rig.world.until(eve.controller.context.close(), 60_000)
  })

  test('goes on after one of them has restored an old state: nothing that was said since is lost', async () => {
    await MailRelay.of(ada)
    await acquainted(home, ada, ['home', 'ada'])
    await home.chat('ada', { say: 'before' })
    await ada.chat('home', { history: true })
    // Ada loses the keys of the card that lies at her relay.
    const memory = await ada.memoryOf(home)
    await memory.change(state => [undefined, { ...state, prekeys: [] }])
    await home.chat('ada', { say: 'after' })
    await ada.chat('home', { history: true })
    expect(await ada.talkWith(home)).toEqual(['them: before'])
    expect((await ada.memoryOf(home)).read().isAgain).toBe(true)
    await ada.up()
    await home.up()
    await rig.world.pass(200_000)
    expect(await ada.talkWith(home)).toEqual(['them: before', 'them: after'])
    await home.down()
    await ada.down()
  })
})

test.for([1, 2, 3, 4, 5, 6, 7, 8])(
  'each word arrives once, whoever dies when, with seed %i',
  async seed => {
    rig = new Rig(seed)
    home = await Person.arrive(rig, 'home')
    ada = await Person.arrive(rig, 'ada')
    const relay = await MailRelay.of(ada)
    await acquainted(home, ada, ['home', 'ada'])
    const { random } = rig.world
    // Every tenth message of a channel is the last one of it.
    let isLossy = true
    rig.net.tamper = message => (isLossy && random.below(60) === 0 ? null : message)
    const said: Record<string, string[]> = { home: [], ada: [] }
    const people = { home, ada }
    const isUp = new Set<string>()
    for (let i = 0; i < 24; i++) {
      const name = (['home', 'ada'] as const)[random.below(2)]!
      const one = people[name]
      const other = name === 'home' ? 'ada' : 'home'
      switch (random.below(5)) {
        case 0:
          if (isUp.has(name)) await one.kill()
          isUp.delete(name)
          break
        case 1:
          if (!isUp.has(name)) await one.up()
          isUp.add(name)
          break
        case 2:
          relay.stop()
          await rig.world.pass(random.below(30_000))
          relay.comeBack()
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
    for (const name of ['home', 'ada'] as const) {
      if (!isUp.has(name)) await people[name].up()
    }
    await rig.world.pass(400_000)
    for (const [one, other, name] of [
      [home, ada, 'ada'],
      [ada, home, 'home'],
    ] as const) {
      const heard = (await one.talkWith(other)).filter(text => text.startsWith('them: '))
      expect(heard.toSorted(), `SEED=${seed}`).toEqual(
        said[name]!.map(text => `them: ${text}`).toSorted(),
      )
      expect((await one.memoryOf(other)).read().unheard).toEqual([])
    }
    await home.down()
    await ada.down()
  },
)
