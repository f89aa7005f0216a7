import { chmodSync, existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Applier } from '../../../agent/apply/applier.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { World } from '../../sim/world.ts'
import { Place, push, type Wanted } from './place.ts'

let world: World
let place: Place
let applier: Applier

beforeEach(async () => {
  world = new World(1)
  place = new Place(world)
  place.put({ a: 'old a', 'sub/b': 'old b' })
  applier = place.applier()
  await applier.recover()
})
afterEach(() => {
  applier.close()
  expect(world.pending).toBe(0)
  place.clean()
})

/** As after the end of the process, however that came. */
async function restart(): Promise<void> {
  applier.close()
  applier = place.applier()
  await applier.recover()
}

async function confirmed(files: Record<string, Wanted>, more = {}): Promise<void> {
  const applied = await push(applier, place.release(files, more))
  if (applied.is !== 'awaiting') throw new Error(`not awaiting: ${JSON.stringify(applied)}`)
  applier.confirm(applied.id)
}

const closedWithin = async (ms: number) => {
  const deadline = Date.now() + ms
  while (applier.open && Date.now() < deadline) await new Promise(done => setTimeout(done, 5))
  expect(applier.open).toBeNull()
}

const NEW = {
  a: { text: 'new a', mode: 0o600 },
  'deep/er/c': { text: 'c' },
  'sub/b': { absent: true },
} as const

describe('a push', () => {
  test('changes everything at once, and stays when it is confirmed', async () => {
    const applied = await push(applier, place.release(NEW))
    expect(applied).toMatchObject({ is: 'awaiting', seconds: 90 })
    const changed = place.tree()
    expect(changed[place.path('a')]).toBe('600 new a')
    expect(changed[place.path('deep/er/c')]).toBe('644 c')
    expect(changed[place.path('sub/b')]).toBeUndefined()
    expect(applier.confirm(applier.open!.id)).toMatchObject({ is: 'confirmed', generation: 1 })
    await world.pass(200_000)
    expect(readFileSync(place.path('a'), 'utf8')).toBe('new a')
    expect(Object.keys(place.tree()).filter(path => path.includes('.box-'))).toEqual([])
    expect(applier.state.history()).toMatchObject({ last: { is: 'confirmed', generation: 1 } })
  })

  test('that nobody confirms is put back when its time is over, with what the undo commands do', async () => {
    const before = place.tree()
    const apply = [`cat ${place.path('a')} > ${place.top}/live`]
    await push(applier, place.release(NEW, { apply, undo: apply, confirmSeconds: 30 }))
    expect(readFileSync(`${place.top}/live`, 'utf8')).toBe('new a')
    await world.pass(29_999)
    expect(place.tree()).not.toEqual(before)
    await world.pass(2)
    await closedWithin(5_000)
    expect(place.tree()).toEqual(before)
    expect(readFileSync(`${place.top}/live`, 'utf8')).toBe('old a')
    expect(applier.state.history().last).toMatchObject({
      ...{ is: 'put back', generation: 0, reason: 'Nobody confirmed it within 30 s.' },
    })
  })

  test.for([
    ['apply', 'exit 3', '"exit 3" ended with 3.'],
    ['after', 'echo no route; false', '"echo no route; false" ended with 1: no route.'],
    ['apply', 'kill -9 $$', '"kill -9 $$" was ended by SIGKILL.'],
  ] as const)(
    'whose %s command fails is put back and says why: %s',
    async ([kind, line, reason]) => {
      const before = place.tree()
      const applied = await push(applier, place.release(NEW, { [kind]: [line] }))
      expect(applied).toMatchObject({ is: 'put back', outcome: { reason } })
      expect(place.tree()).toEqual(before)
    },
  )

  test('that changes nothing runs nothing, and needs no confirmation', async () => {
    await confirmed({ a: { text: 'x' } })
    const apply = [`touch ${place.top}/ran`]
    const applied = await push(applier, place.release({ a: { text: 'x' } }, { apply }))
    expect(applied).toEqual({ is: 'unchanged', generation: 1 })
    expect(existsSync(`${place.top}/ran`)).toBe(false)
  })

  test('keeps owner and mode of what it replaces in its way back, and bits it does not know of', async () => {
    chmodSync(place.path('a'), 0o4751)
    await push(applier, place.release(NEW, { after: ['false'] }))
    expect(statSync(place.path('a')).mode & 0o7777).toBe(0o4751)
  })

  test('lays out what is to come for its checks before', async () => {
    const before = [
      `test "$(cat $BOX_STAGE${place.path('a')})" = "new a" && test -f ${place.path('sub/b')}`,
    ]
    expect(await push(applier, place.release(NEW, { before }))).toMatchObject({ is: 'awaiting' })
    expect(existsSync(`${place.stateDirectory}/push/stage`)).toBe(false)
  })

  test('brings a secret in clear to its place and nowhere else', async () => {
    await confirmed({ key: { text: 'hunter22', secret: true, mode: 0o600 } })
    expect(place.tree()[place.path('key')]).toBe('600 hunter22')
    expect(Object.values(place.tree(place.stateDirectory)).join()).not.toContain('hunter22')
  })

  test('needs only the contents that are not there yet', async () => {
    await confirmed({ a: { text: 'x' }, c: { text: 'y' } })
    const { signed, contents } = place.release({ a: { text: 'x' }, c: { text: 'z' } })
    const { missing } = applier.offer(signed)
    expect(missing).toHaveLength(1)
    expect(contents).toHaveLength(2)
  })

  test('of a bundle that no longer has a file gives back what was there before the first', async () => {
    await confirmed({ a: { text: '1' }, c: { text: '1' } })
    await confirmed({ a: { text: '2' }, c: { text: '2' } })
    await confirmed({ d: { text: '3' } })
    const tree = place.tree()
    expect(tree[place.path('a')]).toBe('640 old a')
    expect(tree[place.path('c')]).toBeUndefined()
    expect(tree[place.path('d')]).toBe('644 3')
  })

  test('leaves the files of other bundles alone, and refuses to share one', async () => {
    await confirmed({ a: { text: 'one' } }, { name: 'one' })
    await confirmed({ c: { text: 'two' } }, { name: 'two' })
    expect(place.tree()[place.path('a')]).toBe('644 one')
    await refusal({ a: { text: 'two' } }, { name: 'two' }, 'is looked after by the bundle "one"')
  })
})

/** Pushing this is refused with this sentence, and nothing is changed. */
async function refusal(
  files: Record<string, Wanted>,
  more: object,
  sentence: string,
  signer = place.owner,
): Promise<void> {
  const before = place.tree()
  await expect(push(applier, place.release(files, more, signer))).rejects.toMatchObject({
    code: 'PUSH_REFUSED',
    message: expect.stringContaining(sentence),
  })
  expect(place.tree()).toEqual(before)
}

describe('refused with a clear sentence, and nothing changed, is', () => {
  test('an older version, replayed', async () => {
    const first = place.release({ a: { text: '1' } })
    const applied = await push(applier, first)
    if (applied.is !== 'awaiting') throw new Error()
    applier.confirm(applied.id)
    await confirmed({ a: { text: '2' } })
    await expect(push(applier, first)).rejects.toThrow(
      'The bundle has number 1, and this device has seen 2 already.',
    )
    expect(readFileSync(place.path('a'), 'utf8')).toBe('2')
  })

  test('one that failed, replayed', async () => {
    const failing = place.release({ a: { text: '1' } }, { after: ['false'] })
    await push(applier, failing)
    await expect(push(applier, failing)).rejects.toThrow('has seen 1 already')
  })

  test('a wrong signature, and none', async () => {
    const { signed } = place.release(NEW)
    const wrong = 'not signed by the key that it names'
    const before = place.tree()
    await expect(applier.apply(signed.with(3, signed[3]! ^ 1), () => {})).rejects.toThrow(wrong)
    await expect(applier.apply(signed.fill(0, 0, 64), () => {})).rejects.toThrow(wrong)
    expect(place.tree()).toEqual(before)
  })

  test('a signer who may not push', async () => {
    const stranger = ZoneSecret.generate('EDKEY', place.random)
    await refusal(NEW, {}, 'signed it, who may not push here', stranger)
  })

  test('a bundle for another device', async () => {
    await refusal(NEW, { device: place.owner.zone }, 'made out to another device')
  })

  test.for([
    ['/usr/bin/x', 'lies outside of what this device allows'],
    ['/etc/passwd', 'lies outside of what this device allows'],
  ])('the path %s', async ([path, sentence]) => {
    await refusal({ [path!]: { text: 'x' } }, {}, sentence!)
  })

  test('a path that leads out of the roots by ".."', async () => {
    await refusal({ [`${place.root}/../x`]: { text: 'x' } }, {}, 'has ".." in it')
  })

  test('a path that a symbolic link leads out of the roots, or is one', async () => {
    symlinkSync('/etc', place.path('way'))
    symlinkSync('a', place.path('link'))
    await refusal({ 'way/x': { text: 'x' } }, {}, 'way is a symbolic link')
    await refusal({ link: { text: 'x' } }, {}, 'link is a symbolic link')
  })

  test('a path below a file, and one that is a directory', async () => {
    await refusal({ 'a/x': { text: 'x' } }, {}, 'is no directory')
    await refusal({ sub: { text: 'x' } }, {}, 'is there and is no file')
  })

  test('the state of the agent itself', async () => {
    applier.close()
    applier = place.applier({ roots: [place.top] })
    await refusal({ [`${place.stateDirectory}/grants`]: { text: 'x' } }, {}, 'belongs to the agent')
  })

  test('a file too large', async () => {
    const text = 'x'.repeat(4 * 1_024 * 1_024 + 1)
    await refusal({ a: { text } }, {}, 'has 4194305 bytes, more than 4194304')
  })

  test('a file whose content is not what was said, or did not come', async () => {
    const { signed } = place.release(NEW)
    await expect(applier.apply(signed, () => {})).rejects.toThrow('did not come along')
  })

  test('an owner that the device does not know', async () => {
    await refusal({ a: { text: 'x', owner: 'nobody-of-us' } }, {}, 'no user "nobody-of-us"')
  })

  test('a check before that fails', async () => {
    await refusal(NEW, { before: ['echo bad syntax; exit 2'] }, 'ended with 2: bad syntax.')
  })

  test('a package that is not installed', async () => {
    await refusal(NEW, { packages: ['no-such-package-of-ours'] }, 'A check failed')
  })

  test('a second push while one is unconfirmed', async () => {
    await push(applier, place.release({ a: { text: 'first' } }))
    await refusal({ a: { text: 'second' } }, {}, '"test" was pushed and is not confirmed yet')
    applier.confirm(applier.open!.id)
    expect(readFileSync(place.path('a'), 'utf8')).toBe('first')
  })

  test('a confirmation of something else, or of nothing', async () => {
    expect(() => applier.confirm('00')).toThrow('no change of this name')
    await push(applier, place.release(NEW))
    expect(() => applier.confirm('00')).toThrow('no change of this name')
    await applier.refuse('The owner said so.')
    expect(place.tree()[place.path('a')]).toBe('640 old a')
  })
})

describe('after a restart', () => {
  test('of the agent alone, a change still waits for what is left of its time', async () => {
    const before = place.tree()
    await push(applier, place.release(NEW))
    await world.pass(60_000)
    await restart()
    expect(place.tree()).not.toEqual(before)
    await world.pass(29_000)
    expect(applier.open).not.toBeNull()
    await world.pass(1_001)
    await closedWithin(5_000)
    expect(place.tree()).toEqual(before)
  })

  test('of the agent alone, it can still be confirmed', async () => {
    await push(applier, place.release(NEW))
    const { id } = applier.open!
    await restart()
    expect(applier.confirm(id)).toMatchObject({ is: 'confirmed' })
  })

  test('of the machine, it is put back at once', async () => {
    const before = place.tree()
    await push(applier, place.release(NEW))
    const journal = `${place.stateDirectory}/push/journal`
    const text = readFileSync(journal, 'utf8')
    writeFileSync(journal, text.replace(/"boot":"[^"]*"/, '"boot":"yesterday"'))
    await restart()
    expect(applier.open).toBeNull()
    expect(place.tree()).toEqual(before)
    expect(applier.state.history().last).toMatchObject({
      ...{ is: 'put back', reason: 'The device, or its agent, was stopped in between.' },
    })
  })

  test('in the middle of a command, that command is ended and all is put back', async () => {
    const before = place.tree()
    const apply = [`echo $$ > ${place.top}/pid; sleep 60`]
    const pushing = push(applier, place.release(NEW, { apply })).catch(error => error)
    while (!existsSync(`${place.top}/pid`)) await new Promise(done => setTimeout(done, 5))
    await restart()
    await pushing
    expect(place.tree()).toEqual(before)
    const pid = Number(readFileSync(`${place.top}/pid`, 'utf8'))
    expect(() => process.kill(pid, 0)).toThrow()
  })

  test('undo commands that end the agent each time are given up', async () => {
    const before = place.tree()
    await push(applier, place.release(NEW, { undo: ['true'] }))
    const journal = `${place.stateDirectory}/push/journal`
    const text = readFileSync(journal, 'utf8')
    writeFileSync(journal, text.replace('"tries":0', '"tries":2').replace('awaiting', 'undoing'))
    await restart()
    expect(place.tree()).toEqual(before)
    expect(applier.state.history().last!.complaints).toHaveLength(1)
  })
})

describe('drift', () => {
  test('is put right where the bundle says so, with its commands, and needs no confirmation', async () => {
    const apply = [`cp ${place.path('a')} ${place.top}/live`]
    await confirmed({ a: { text: 'x' } }, { drift: 'repair', apply })
    await confirmed({ c: { text: 'y' } }, { name: 'other' })
    writeFileSync(place.path('a'), 'by hand')
    writeFileSync(place.path('c'), 'by hand')
    writeFileSync(`${place.top}/live`, 'stale')
    expect(await applier.repair()).toMatchObject({ is: 'awaiting' })
    expect(applier.open).toBeNull()
    expect(place.tree()[place.path('a')]).toBe('644 x')
    expect(place.tree()[place.path('c')]).toBe('644 by hand')
    expect(readFileSync(`${place.top}/live`, 'utf8')).toBe('x')
    expect(applier.state.history().generations).toHaveLength(3)
    expect(await applier.repair()).toBeNull()
  })

  test('is left alone where it leads to something that fails its checks', async () => {
    const after = [`test ! -e ${place.top}/broken`]
    await confirmed({ a: { text: 'x' } }, { drift: 'repair', after })
    writeFileSync(place.path('a'), 'by hand')
    writeFileSync(`${place.top}/broken`, '')
    expect(await applier.repair()).toMatchObject({ is: 'put back' })
    expect(readFileSync(place.path('a'), 'utf8')).toBe('by hand')
  })
})

describe('the way back', () => {
  test('leads to the generation before, and to what was there before the first push', async () => {
    const before = place.tree()
    await confirmed({ a: { text: '1' }, c: { text: '1' } })
    const first = place.tree()
    await confirmed({ a: { text: '2' }, 'sub/b': { text: '2' } })
    await applier.goBack(null, () => {})
    applier.confirm(applier.open!.id)
    expect(place.tree()).toEqual(first)
    await applier.goBack(0, () => {})
    applier.confirm(applier.open!.id)
    expect(place.tree()).toEqual(before)
    expect(applier.state.history().generations.map(({ number }) => number)).toEqual([0, 1, 2, 3, 4])
  })

  test('is itself put back unless confirmed', async () => {
    await confirmed({ a: { text: '1' } })
    const first = place.tree()
    await applier.goBack(0, () => {})
    expect(place.tree()).not.toEqual(first)
    await world.pass(90_001)
    await closedWithin(5_000)
    expect(place.tree()).toEqual(first)
  })

  test('to where nobody was is refused', async () => {
    await expect(applier.goBack(7, () => {})).rejects.toThrow('no way back to generation 7')
    await expect(applier.goBack(null, () => {})).rejects.toThrow('no way back to generation 0')
  })
})
