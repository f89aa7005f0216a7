/**
 * Files that people hand out, on the pages of two of them, each with a `box up`, through a hub: in a talk and in a room,
 * attached, dropped, fetched, ended and taken back. And what was said in a room before that which is shown.
 */

import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeBrowsers, dropFile, examine } from './browser.ts'
import { Agent } from './fleet.ts'
import { PATIENCE_MS, Person } from './page-person.ts'
import { cleanUp, folder, missing } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 21_000) + 65
const SIZE = 12_000_000
/** So much that it can be ended in the middle. */
const LARGE = 768 * 1_048_576
/** More than what is shown at once in a room. */
const LINES = 210
const AT_ONCE = 6

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

describe.skipIf(missing(['chromium']))('files on the page', { timeout: 400_000 }, () => {
  const home = new Person('home', PORT + 1)
  const ada = new Person('ada', PORT + 2)
  let here: string

  const keyOf = async ({ controller }: Person) =>
    (JSON.parse(await controller.must('id', '--json')) as { id: string }).id
  const goTo = (one: Person, port: number, view: string) =>
    one.page.goto(`http://127.0.0.1:${port}/#/${view}`)
  const button = ({ page }: Person, name: string | RegExp) =>
    page.getByRole('button', { name, exact: typeof name === 'string' })
  const attach = async (one: Person, path: string) => {
    const choosing = one.page.waitForEvent('filechooser')
    await button(one, 'Attach files').click()
    await (await choosing).setFiles(path)
  }
  /** What the browser has saved. */
  const fetched = async (one: Person, name: string, press: () => Promise<void>) => {
    const saving = one.page.waitForEvent('download', { timeout: PATIENCE_MS })
    await press()
    const saved = await saving
    expect(saved.suggestedFilename()).toBe(name)
    return readFileSync(await saved.path())
  }
  const copies = ({ controller }: Person) => {
    const path = join(controller.state, '.copies')
    return existsSync(path) ? readdirSync(path) : []
  }

  beforeAll(async () => {
    const hub = new Agent('hub', ['--hub', '--listen', `127.0.0.1:${PORT}`])
    const { hello } = await hub.status(status => status.hello.includes('tcp'))
    const device = new Agent('device', ['--hub-url', hello])
    await device.linked()
    await home.arrive('home', hello)
    await ada.arrive('ada', hello)
    here = folder('here')
    await home.controller.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
    await home.controller.must('contact', 'add', await keyOf(ada), '--as', 'ada')
    await ada.controller.must('contact', 'add', await keyOf(home), '--as', 'holm')
    await home.open('talk/ada')
    await ada.open('talk/holm')
  }, 200_000)
  afterAll(async () => {
    await closeBrowsers()
    await cleanUp()
  })

  test('go from one page to the other, the same in every byte', async () => {
    const bytes = randomBytes(SIZE)
    writeFileSync(join(here, 'plan of the house.pdf'), bytes)
    await attach(home, join(here, 'plan of the house.pdf'))
    await home.sees(/^plan of the house\.pdf is offered to ada, /)
    await home.hears(/^You .*plan of the house\.pdf12\.0 MB · handed out from hereTake back$/)
    await ada.hears(/^holm .*plan of the house\.pdf12\.0 MBFetch$/)
    await examine(ada.visitor, 'offer')
    const got = await fetched(ada, 'plan of the house.pdf', () =>
      button(ada, 'Fetch plan of the house.pdf').click(),
    )
    expect(sha256(got)).toBe(sha256(bytes))
    await ada.sees('plan of the house.pdf is with your browser, which saves it.')
    await home.hears(/fetched by 1/)
    await examine(home.visitor, 'offer-fetched')
    await expect.poll(() => copies(ada)).toEqual([])
    expect(copies(home)).toHaveLength(1)
  })

  test('are offered where they are dropped, and fetched by keyboard alone', async () => {
    const bytes = randomBytes(200_000)
    await dropFile(ada.visitor, '[role=log]', 'photo.jpeg', bytes)
    await ada.sees(/^photo\.jpeg is offered to holm, /)
    await home.hears(/^ada .*photo\.jpeg200 kBFetch$/)
    const { keyboard } = home.page
    await home.page.getByRole('textbox', { name: /^Say something/ }).focus()
    const focused = "document.activeElement.getAttribute('aria-label')"
    const got = await fetched(home, 'photo.jpeg', async () => {
      for (let i = 0; (await home.page.evaluate(focused)) !== 'Fetch photo.jpeg'; i++) {
        if (i > 40) throw new Error('it is not reached by Tab')
        await keyboard.press('Shift+Tab')
      }
      await keyboard.press('Enter')
    })
    expect(sha256(got)).toBe(sha256(bytes))
  })

  test('are ended in the middle, gone on with or discarded', async () => {
    const path = join(here, 'image.bin')
    writeFileSync(path, '')
    truncateSync(path, LARGE)
    await home.controller.boxWithin(PATIENCE_MS, 'send', path, '--to', 'ada')
    await button(ada, 'Fetch image.bin').click()
    await ada.page.getByText(/MB of 805 MB$/).waitFor()
    await examine(ada.visitor, 'offer-fetching')
    await button(ada, 'End: image.bin from holm').click()
    await ada.hears(/image\.bin805 MB · .* of it is hereFetchDiscard$/)
    // To end it is no failure.
    expect(await ada.page.locator('.note.bad').allTextContents()).toEqual([])
    // One is what she has offered herself.
    expect(copies(ada)).toHaveLength(2)
    await button(ada, 'Discard image.bin').click()
    await ada.sees('What has come of image.bin is gone.')
    expect(copies(ada)).toHaveLength(1)
  })

  test('are taken back; whoever asks then is told that nobody has it', async () => {
    await button(home, 'Take back plan of the house.pdf').click()
    await home.sees('plan of the house.pdf is handed out no longer.')
    await home.hears(/plan of the house\.pdf12\.0 MB · taken back$/)
    expect(copies(home)).toEqual([])
    await button(ada, 'Fetch plan of the house.pdf').click()
    await ada.sees(/^plan of the house\.pdf from holm: .*Nobody who has the file is there/)
    await examine(ada.visitor, 'offer-taken-back')
  })

  test('are handed out in a room, by who fetched them as well; and what was said before is shown when asked for', async () => {
    await home.controller.must('room', 'create', 'ops', '--on', 'kitchen')
    const adaKey = await keyOf(ada)
    const invited = await home.controller.must('room', 'invite', 'ops', adaKey, '--as', 'ada')
    await ada.controller.must('room', 'say', /(ops@\S+)/.exec(invited)![1]!, 'the first line')
    // People may say so much at once, and owners more: each name is a line.
    const named = async (i: number) => {
      const body = { person: adaKey, as: `ada${i}` }
      const answer = await home.ask('POST', '/v1/rooms/ops/invite', body)
      expect(answer.status, await answer.text()).toBe(200)
    }
    for (let i = 0; i < LINES; i += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, (_, j) => named(i + j)))
    await goTo(home, PORT + 1, 'rooms/ops')
    await goTo(ada, PORT + 2, 'rooms/ops')
    // Until then what is dropped lands in the talk that was shown before.
    await home.page.getByRole('heading', { name: 'ops' }).waitFor()
    const bytes = randomBytes(100_000)
    await dropFile(home.visitor, '[role=log]', 'notes.txt', bytes)
    await home.sees(/^notes\.txt is offered to ops, /)
    await ada.hears(/^home.*notes\.txt100 kBFetch$/)
    const press = () => button(ada, 'Fetch notes.txt').click()
    expect(sha256(await fetched(ada, 'notes.txt', press))).toBe(sha256(bytes))
    await ada.hears(/notes\.txt100 kB · fetched, and handed out from hereFetchStop handing out$/)
    await examine(ada.visitor, 'offer-room')
    const before = await ada.lines()
    expect(before.join('\n')).not.toContain('the first line')
    await button(ada, 'Earlier').click()
    await ada.sees(/^\d+ lines from before\.$/)
    const after = await ada.lines()
    expect(after.slice(-before.length)).toEqual(before)
    expect(after.slice(0, -before.length).join('\n')).toContain('the first line')
    await button(ada, 'Earlier').click()
    await ada.sees('There is nothing from before.')
    // What was drawn before still works.
    await button(ada, 'Stop handing out notes.txt').click()
    await ada.hears(/notes\.txt100 kBFetch$/)
    expect(copies(ada)).toHaveLength(1)
  })

  test('leave the page as it was found: nothing was refused by its own rules', () => {
    for (const { visitor: one } of [home, ada]) expect(one.complaints).toEqual([])
  })
})
