/**
 * Private talk over real processes: a hub, a relay that keeps Ada's letters, two people with codes and words, `box up`
 * and without it; one of them away, and either killed in between. The relay and the hub have nothing of it.
 */

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Agent, Controller } from './fleet.ts'
import { cleanUp, filesIn, Program, run } from './program.ts'

const HUB = `127.0.0.1:${Number(process.env.LAB_PORT ?? 22_000) + 75}`
const PATIENCE_MS = 120_000
const AGAIN_MS = 500

describe('private talk', { timeout: 500_000 }, () => {
  let hub: Agent
  let post: Agent
  let home: Controller
  let ada: Controller
  const canary = `canary ${randomUUID()}`

  beforeAll(async () => {
    hub = new Agent('hub', ['--hub', '--listen', HUB])
    const { hello } = await hub.status(({ hello }) => hello.includes('tcp'))
    post = new Agent('post', ['--hub-url', hello], {}, { settings: { relay: true } })
    await post.linked()
    home = new Controller('home')
    ada = new Controller('ada')
    for (const [person, name] of [
      [home, 'home'],
      [ada, 'ada'],
    ] as const) {
      await person.must('init', '--ego', name)
      await person.must('hub', 'add', hello)
    }
    await ada.must('pair', await post.pairingCode(), '--as', 'post', '--tag', 'mail', '--json')
  })
  afterAll(cleanUp)

  const keyOf = async (person: Controller) =>
    (JSON.parse(await person.must('id', '--json')) as { id: string }).id
  /** What was said, by whom, as this one has it. */
  const history = async (person: Controller, name: string) =>
    (await person.must('chat', name, '--history', '--json', '--last', '1000'))
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as { by: string; text: string })
      .map(({ by, text }) => `${by}: ${text}`)
  /** Until what one has is what is wanted. */
  const has = async (person: Controller, name: string, wanted: readonly string[]) => {
    const deadline = Date.now() + PATIENCE_MS
    for (;;) {
      const all = await history(person, name)
      if (all.length >= wanted.length || Date.now() > deadline) {
        expect(all).toEqual(wanted)
        return
      }
      await new Promise(resolve => setTimeout(resolve, AGAIN_MS))
    }
  }

  test('begins with a code, and the same words on both sides', async () => {
    const showing = new Program(home.command('contact', 'add', '--json'))
    const [, code] = await showing.until(/"code":"([0-9A-Z-]+)"/)
    const typed = JSON.parse(await ada.must('contact', 'add', code!, '--as', 'holm', '--json'))
    const { code: exit, out } = await showing.ended(PATIENCE_MS)
    expect(exit).toBe(0)
    const shown = JSON.parse(out.trim().split('\n').at(-1)!)
    expect(typed).toMatchObject({ name: 'holm', known: 'paired', zone: await keyOf(home) })
    expect(shown).toMatchObject({ name: 'ada', known: 'paired', zone: await keyOf(ada) })
    expect(shown.check_words).toEqual(typed.check_words)
    expect(await home.must('contact', 'ls')).toContain('ada  paired  000G')
  })

  test('reaches who is away by their relay, which is told nothing but that', async () => {
    for (const text of ['one', canary]) {
      const { code, err } = await home.box('chat', 'ada', '--say', text)
      expect([code, err]).toEqual([0, expect.stringContaining('lies with a relay')])
    }
    const letters = filesIn(post.state)
    for (const agent of [hub, post]) {
      for (const content of filesIn(agent.state)) expect(content.includes(canary)).toBe(false)
      expect(`${agent.program.out}${agent.program.err}`).not.toContain(canary)
    }
    const writer = await keyOf(home)
    for (const content of letters) expect(content.includes(writer)).toBe(false)
    expect(`${post.program.out}${post.program.err}`).not.toContain(writer)
    await has(ada, 'holm', ['them: one', `them: ${canary}`])
    for (const { state } of [home, ada])
      for (const content of filesIn(state)) expect(content.includes(canary)).toBe(false)
  })

  test('goes straight where both are there, and on over the death of either', async () => {
    const before = ['them: one', `them: ${canary}`]
    const up = () => new Program(ada.command('up', '--port', '0'))
    let staying = up()
    await staying.until(/^up at /m)
    const typing = new Program(home.command('chat', 'ada', '--json'))
    typing.child.stdin!.write('two\n')
    await typing.until(/"text":"two"/)
    await has(ada, 'holm', [...before, 'them: two'])

    // Ada's `box up` dies with what it was about to take; another one goes on.
    typing.child.stdin!.write('three\n')
    staying.kill('SIGKILL')
    await staying.ended()
    typing.child.stdin!.write('four\n')
    await typing.until(/"text":"four"/)
    typing.kill('SIGKILL')
    await typing.ended()
    staying = up()
    await staying.until(/^up at /m)
    const { code } = await run(home.command('chat', 'ada', '--say', 'five'), { ms: PATIENCE_MS })
    expect(code).toBe(0)
    const all = [...before, 'them: two', 'them: three', 'them: four', 'them: five']
    await has(ada, 'holm', all)

    // What is said here goes by the peer of `box up`, and is shown by every chat that is open.
    const answering = new Program(home.command('chat', 'ada', '--listen', '--json'))
    await answering.until(/"text":"five"/)
    expect((await ada.box('chat', 'holm', '--say', 'six')).code).toBe(0)
    await answering.until(/"text":"six"/, PATIENCE_MS)
    answering.kill('SIGINT')
    await answering.ended(PATIENCE_MS)
    await has(home, 'ada', [...all.map(said => said.replace('them', 'me')), 'them: six'])
    staying.kill('SIGINT')
    expect((await staying.ended(PATIENCE_MS)).code).toBe(0)
  })

  test('goes on under a new key, of who is there and of who is away, and their relays follow', async () => {
    const { length } = await history(ada, 'holm')
    const before = await keyOf(home)
    // Ada is away: what is said of the key lies with her relay.
    const rotated = await home.box('rotate', 'ego', '--json')
    expect(rotated.code, rotated.err).toBe(0)
    expect(rotated.out).toContain('"contact":"ada","result":"left"')
    const now = await keyOf(home)
    expect(now).not.toBe(before)
    expect((await home.box('chat', 'ada', '--say', 'seven')).code).toBe(0)
    const listed = await ada.box('chat', 'holm', '--history')
    expect(listed.err).toContain('holm has a new key, signed by the one before')
    expect(listed.out).toContain(`-- holm has a new key (${now}), signed by the one before`)
    expect(await ada.must('contact', 'ls')).toContain(now)
    expect(await history(ada, 'holm')).toHaveLength(length + 2)

    // Ada's own, while both are there: her relay, a device of hers, takes it first.
    const staying = [home, ada].map(person => new Program(person.command('up', '--port', '0')))
    for (const one of staying) await one.until(/^up at /m)
    const told = await ada.box('rotate', 'ego')
    expect(told.out, told.err).toMatch(/^post {2}knows the new key\nholm {2}knows the new key\n/m)
    expect(told.code).toBe(0)
    expect((await home.box('chat', 'ada', '--say', 'eight')).code).toBe(0)
    expect((await ada.box('chat', 'holm', '--say', 'nine')).code).toBe(0)
    expect(await home.must('contact', 'ls')).toContain(await keyOf(ada))
    for (const one of staying) one.kill('SIGINT')
    for (const one of staying) expect((await one.ended(PATIENCE_MS)).code).toBe(0)
    // Away again: by the relay, under the keys of today.
    const left = await home.box('chat', 'ada', '--say', 'ten')
    expect([left.code, left.err]).toEqual([0, expect.stringContaining('lies with a relay')])
    const said = (await history(ada, 'holm')).map(text => text.replace(/^\w+: /, ''))
    expect(said.filter(text => ['seven', 'eight', 'nine', 'ten'].includes(text))).toEqual([
      ...['seven', 'eight', 'nine', 'ten'],
    ])
    for (const content of filesIn(post.state)) expect(content.includes(before)).toBe(false)
  })

  test('ends with the contact: nothing is said, and nothing is left', async () => {
    await ada.must('contact', 'rm', 'holm')
    expect((await home.box('chat', 'ada', '--say', 'still there?')).code).toBe(75)
    expect((await ada.box('chat', 'holm', '--history')).code).toBe(69)
  })
})
