/** What is kept of a talk: each word once, whichever write is the last one of a process. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { directoryState, type State } from '../../../controller/state.ts'
import { nextKey, prekeyOf, withCard, withoutPrekey } from '../../../controller/talk/cards.ts'
import { TalkMemory, UNHEARD_MAX } from '../../../controller/talk/memory.ts'
import { SealedState } from '../../../controller/talk/sealed-state.ts'
import { BEGINNING, talkJson, talkOf } from '../../../controller/talk/talk-state.ts'
import { BoxError } from '../../../src/base/errors.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { Bond } from '../../../src/social/bond.ts'
import { openCard, PREKEYS } from '../../../src/social/prekeys.ts'
import { systemClock } from '../../../src/sys/clock.ts'
import { seededRandom } from '../../sim/random.ts'
import { utf8 } from '../../vectors.ts'

const random = seededRandom(1)
const ada = ZoneSecret.generate('EDKEY', random)
const home = ZoneSecret.generate('EDKEY', random)
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'box-talk-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** A process; `writes`: it dies with the write after so many. */
async function memory(writes = Infinity): Promise<TalkMemory> {
  const state = directoryState(directory, systemClock)
  let left = writes
  const dying: State = {
    ...state,
    writeText: (name, text) => {
      if (left-- <= 0) throw new BoxError('STATE_UNWRITABLE', 'dead')
      state.writeText(name, text)
    },
  }
  await SealedState.open(state, random)
  return new TalkMemory((await SealedState.open(dying, random))!, ada.zone)
}
const words = async () =>
  (await (await memory()).history()).map(
    ({ by, packet }) => `${by} ${new TextDecoder().decode(packet)}`,
  )
const keep = <T>(state: T): T => state

test('what was said is there once, and waits until it is heard', async () => {
  const one = await memory()
  const first = await one.say(utf8('one'), 5_000)
  // The clock was set back.
  const second = await one.say(utf8('two'), 4_000)
  expect([first, second]).toEqual([5_000, 5_001])
  expect(one.read().unheard.map(({ number }) => number)).toEqual([first, second])
  await (await memory()).heard([first])
  expect(one.read().unheard.map(({ number }) => number)).toEqual([second])
  expect(await words()).toEqual(['me one', 'me two'])
})

test('what they said is taken once', async () => {
  const one = await memory()
  expect(await one.take(7, utf8('hello'), keep)).toBe('new')
  expect(await (await memory()).take(7, utf8('hello'), keep)).toBe('seen')
  expect(await words()).toEqual(['them hello'])
})

test('a process that dies before its note has said nothing; one that dies after it, everything', async () => {
  await (await memory()).say(utf8('zero'), 1)
  await expect((await memory(0)).say(utf8('lost'), 2)).rejects.toMatchObject({
    code: 'STATE_UNWRITABLE',
  })
  expect(await words()).toEqual(['me zero'])
  // The note is there, and the history has not been written.
  const { state, log } = files()
  await (await memory()).take(7, utf8('noted'), keep)
  writeFileSync(log.path, log.content)
  expect(await words()).toEqual(['me zero', 'them noted'])
  expect(state.path).toBeDefined()
  await (await memory()).say(utf8('next'), 3)
  expect(await words()).toEqual(['me zero', 'them noted', 'me next'])
  // It is offered again, since it was not acknowledged.
  expect(await (await memory()).take(7, utf8('noted'), keep)).toBe('seen')
  expect(await words()).toEqual(['me zero', 'them noted', 'me next'])
})

function files() {
  const named = (test: (name: string) => boolean) => {
    const path = join(directory, readdirSync(directory).find(test)!)
    return { path, content: readFileSync(path) }
  }
  return {
    state: named(name => /^talk-[0-9A-Z]+$/.test(name)),
    log: named(name => name.endsWith('.log')),
  }
}

test('what was changed on the disk is told, and not taken for something else', async () => {
  await (await memory()).say(utf8('one'), 1)
  const { state } = files()
  const changed = Buffer.from(state.content)
  changed[40]! ^= 1
  writeFileSync(state.path, changed)
  const one = await memory()
  expect(() => one.read()).toThrow(expect.objectContaining({ code: 'STATE_UNREADABLE' }))
})

test('so much waits, and no more', async () => {
  const one = await memory()
  await one.change(state => [
    undefined,
    {
      ...state,
      unheard: Array.from({ length: UNHEARD_MAX }, (_, number) => ({
        ...{ number: number + 1, packet: utf8('x'), leftAt: null },
      })),
    },
  ])
  await expect(one.say(utf8('one more'), 1)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
})

test('is forgotten as a whole', async () => {
  const one = await memory()
  await one.say(utf8('one'), 1)
  await one.forget()
  expect(await words()).toEqual([])
  expect(one.read()).toEqual(BEGINNING)
})

test('a state is read as it was written', () => {
  const bond = new Bond(home, ada.zone)
  const withKeys = withCard(BEGINNING, 'relay', { bond, now: 5, random })
  const full = {
    ...withKeys,
    ...{ last: 9, owed: [1], isAgain: true, seen: { floor: 3, numbers: [4] } },
    unheard: [{ number: 9, packet: utf8('x'), leftAt: 5 }],
    pending: [{ by: 'them' as const, number: 4, packet: utf8('y') }],
    theirs: { other: { serial: 7, used: [random.bytes(8)] } },
  }
  expect(talkOf(JSON.parse(JSON.stringify(talkJson(full))))).toEqual(full)
})

test('each key of a card is used once, the last one as long as there is no other', () => {
  const bond = new Bond(home, ada.zone)
  const theirs = new Bond(ada, home.zone)
  let mine = withCard(BEGINNING, 'r', { bond, now: 5, random })
  const card = openCard(mine.cards.r!.sealed, theirs.cardKey(home.zone))!
  let hers = BEGINNING
  const used: string[] = []
  for (let i = 0; i < PREKEYS + 3; i++) {
    const [key, next] = nextKey(hers, 'r', card)
    hers = next
    used.push(`${key}`)
  }
  expect(new Set(used).size).toBe(PREKEYS)
  expect(used.slice(PREKEYS)).toEqual(Array.from({ length: 3 }, () => used[PREKEYS - 1]))
  // What was read with a key is read by nobody after that.
  const { hints } = mine.cards.r!
  for (const hint of hints) {
    expect(prekeyOf(mine, hint)).not.toBeNull()
    mine = withoutPrekey(mine, hint)
  }
  expect(hints.filter(hint => prekeyOf(mine, hint))).toEqual([hints.at(-1)])
  const renewed = withCard(mine, 'r', { bond, now: 6, random })
  expect(renewed.cards.r!.serial).toBeGreaterThan(card.serial)
  // Letters to the old one may be on their way for two weeks, and then it is gone.
  expect(prekeyOf(renewed, hints.at(-1)!)).not.toBeNull()
  const later = withCard(renewed, 'r', { bond, now: 17 * 86_400_000, random })
  expect(prekeyOf(later, hints.at(-1)!)).toBeNull()
  const old = { ...card, serial: 4 }
  expect(() => nextKey(hers, 'r', old)).toThrow(expect.objectContaining({ code: 'PUSH_REFUSED' }))
})
