/** The page of `box up` in Chromium, over a real agent through a hub: the files of a device, there and back, and as far as a grant goes. */

import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Dialog } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeBrowsers, dropFile, examine, type Visitor, visitor } from './browser.ts'
import { Controller } from './fleet.ts'
import { type Household, household } from './household.ts'
import { cleanUp, folder, missing, Program } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 21_000) + 60
const API = `http://127.0.0.1:${PORT + 1}`
const GUEST_API = `http://127.0.0.1:${PORT + 2}`
/** Nothing that is waited for takes so long on an idle machine; CI is not idle. */
const PATIENCE_MS = 60_000
const SIZE = 20_000_000
/** An account that this test makes, and takes away again. */
const USER = 'boxtestpage'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

const skipped = missing(['chromium', 'useradd', 'userdel'], { root: true }) !== null

describe.skipIf(skipped)('the page of box up', { timeout: 240_000 }, () => {
  let home: Household
  let owner: Visitor
  /** On the device, and here. */
  let there: string
  let here: string

  const visible = (text: string | RegExp, { page } = owner) =>
    page.getByText(text).first().waitFor({ timeout: PATIENCE_MS })
  const filesOf = (path: string, api = API, name = 'kitchen') =>
    `${api}/#/device/${name}/files/${encodeURIComponent(path)}`
  const enter = async (controller: Controller, port: number): Promise<Visitor> => {
    const up = new Program(controller.command('up', '--port', `${port}`, '--json'))
    await up.until(/"api":/)
    const one = await visitor()
    one.page.setDefaultTimeout(PATIENCE_MS)
    const { url } = JSON.parse(await controller.must('dashboard', '--print', '--json'))
    await one.page.goto(url)
    return one
  }

  beforeAll(async () => {
    spawnSync('useradd', ['-M', '-d', '/', '-s', '/bin/sh', '-U', USER])
    home = await household([`127.0.0.1:${PORT}`])
    there = folder('there')
    here = folder('here')
    owner = await enter(home.controller, PORT + 1)
    await owner.page.getByRole('row', { name: /kitchen.* reachable/ }).waitFor()
  })
  afterAll(async () => {
    await closeBrowsers()
    await cleanUp()
    spawnSync('userdel', [USER])
  })

  test('goes through the directories of a device, and says where there is nothing', async () => {
    mkdirSync(join(there, 'etc'))
    mkdirSync(join(there, 'empty'))
    writeFileSync(join(there, 'notes.txt'), 'hello')
    writeFileSync(join(there, 'a name that is rather long, as those of photographs are.jpeg'), '')
    symlinkSync('etc', join(there, 'config'))
    symlinkSync('nowhere', join(there, 'broken'))
    await owner.page.goto(`${API}/#/device/kitchen`)
    await owner.page.getByRole('link', { name: 'Files' }).click()
    await owner.page.getByRole('heading', { name: 'Files: kitchen' }).waitFor()
    await owner.page.getByRole('textbox', { name: 'Directory' }).fill(there)
    await owner.page.keyboard.press('Enter')
    await visible('6 entries')
    await visible(/^5 B · /)
    await visible(/link that leads nowhere/)
    await examine(owner, 'files')
    await owner.page.getByRole('link', { name: 'config/' }).click()
    await visible('There is nothing in this directory.')
    await examine(owner, 'files-empty')
    await owner.page
      .getByRole('navigation', { name: 'Directories above' })
      .getByRole('link')
      .nth(-2)
      .click()
    await visible('6 entries')
    await owner.page.goto(filesOf(join(there, 'missing')))
    await visible(/There is no such file\. .*missing/)
    await owner.page.getByRole('button', { name: 'Try again' }).waitFor()
    await examine(owner, 'files-missing')
  })

  test('brings a file to a device and takes it back, the same in every byte', async () => {
    const bytes = randomBytes(SIZE)
    writeFileSync(join(here, 'image.bin'), bytes)
    await owner.page.goto(filesOf(there))
    await visible('6 entries')
    const choosing = owner.page.waitForEvent('filechooser')
    await owner.page.getByRole('button', { name: 'Upload' }).click()
    await (await choosing).setFiles(join(here, 'image.bin'))
    await visible('image.bin is on kitchen')
    expect(sha256(readFileSync(join(there, 'image.bin')))).toBe(sha256(bytes))
    await visible(/^20\.0 MB · /)
    const saving = owner.page.waitForEvent('download')
    await owner.page.getByRole('button', { name: 'Download image.bin' }).click()
    const saved = await saving
    expect(saved.suggestedFilename()).toBe('image.bin')
    expect(sha256(readFileSync(await saved.path()))).toBe(sha256(bytes))
    await examine(owner, 'files-moved')
  })

  test('takes what is dropped on a directory, and asks as the user that was named', async () => {
    const { page } = owner
    const open = join(there, 'open')
    mkdirSync(open)
    chmodSync(there, 0o755)
    chmodSync(open, 0o777)
    writeFileSync(join(there, 'secret'), 'for root alone', { mode: 0o600 })
    await page.goto(filesOf(open))
    await visible('There is nothing in this directory.')
    const bytes = randomBytes(300_000)
    await dropFile(owner, '[aria-label="Directories above"]', 'dropped.bin', bytes)
    await visible('dropped.bin is on kitchen')
    expect(sha256(readFileSync(join(open, 'dropped.bin')))).toBe(sha256(bytes))
    expect(statSync(join(open, 'dropped.bin')).uid).toBe(0)
    await page.getByRole('textbox', { name: 'As the user' }).fill(USER)
    await page.getByRole('button', { name: 'Go' }).click()
    await page.waitForURL(url => url.hash.endsWith(`/${USER}`))
    await visible('1 entry')
    await dropFile(owner, '[aria-label="Directories above"]', 'hers.bin', bytes)
    await visible('hers.bin is on kitchen')
    const uid = Number(spawnSync('id', ['-u', USER], { encoding: 'utf8' }).stdout)
    expect(statSync(join(open, 'hers.bin')).uid).toBe(uid)
    await page.goto(`${filesOf(there)}/${USER}`)
    await page.getByRole('button', { name: 'Download secret' }).click()
    await visible(/^secret from kitchen: .*(denied|Permission)/i)
    await examine(owner, 'files-as-user')
    await page.goto(`${filesOf(there)}/nosuchuser`)
    await page.getByRole('button', { name: 'Try again' }).waitFor()
    await visible('The device has no such user.')
  })

  test('opens a terminal as the user that was named', async () => {
    const { page } = owner
    const screen = page.locator('.xterm-accessibility-tree')
    const shows = (wanted: RegExp) =>
      expect
        .poll(() => screen.textContent(), { timeout: 2 * PATIENCE_MS, interval: 100 })
        .toMatch(wanted)
    await page.goto(`${API}/#/device/kitchen/terminal`)
    await page.getByRole('textbox', { name: 'As the user' }).fill(USER)
    await page.getByRole('button', { name: 'Open' }).click()
    await page.getByRole('heading', { name: `Terminal: kitchen, as ${USER}` }).waitFor()
    await shows(/[#$]\s*$/)
    await page.locator('.xterm-helper-textarea').focus()
    await page.keyboard.type('echo "<$(id -un)>"')
    await page.keyboard.press('Enter')
    await shows(new RegExp(`<${USER}>`))
    await examine(owner, 'terminal-as-user')
    await page.getByRole('button', { name: 'End' }).click()
    await visible('The shell was ended.')
  })

  test('asks before it replaces, and before it deletes; makes and renames', async () => {
    const { page } = owner
    const path = join(there, 'notes.txt')
    writeFileSync(path, 'hello')
    writeFileSync(join(here, 'notes.txt'), 'newer')
    const asked: string[] = []
    let isYes = false
    const answer = (dialog: Dialog) => {
      asked.push(dialog.message())
      void (isYes ? dialog.accept(dialog.type() === 'prompt' ? 'diary.txt' : '') : dialog.dismiss())
    }
    page.on('dialog', answer)
    await page.goto(filesOf(there))
    const bring = async () => {
      const choosing = page.waitForEvent('filechooser')
      await page.getByRole('button', { name: 'Upload' }).click()
      await (await choosing).setFiles(join(here, 'notes.txt'))
    }
    await bring()
    await expect.poll(() => asked).toHaveLength(1)
    expect(asked[0]).toBe('notes.txt is there already, with 5 B. Replace it?')
    expect(readFileSync(path, 'utf8')).toBe('hello')
    isYes = true
    await bring()
    await visible('notes.txt is on kitchen')
    expect(readFileSync(path, 'utf8')).toBe('newer')
    await page.getByRole('textbox', { name: 'New directory' }).fill('photos')
    await page.getByRole('button', { name: 'Make' }).click()
    await page.getByRole('link', { name: 'photos/' }).waitFor()
    expect(statSync(join(there, 'photos')).isDirectory()).toBe(true)
    writeFileSync(join(there, 'photos', 'one.jpeg'), 'x')
    await page.getByRole('button', { name: 'Rename notes.txt' }).click()
    await visible('notes.txt is diary.txt now.')
    expect(readFileSync(join(there, 'diary.txt'), 'utf8')).toBe('newer')
    await page.getByRole('button', { name: 'Delete diary.txt' }).click()
    await visible('diary.txt is deleted.')
    expect(existsSync(join(there, 'diary.txt'))).toBe(false)
    await page.getByRole('button', { name: 'Delete photos' }).click()
    await visible('photos is deleted.')
    expect(existsSync(join(there, 'photos'))).toBe(false)
    expect(asked.slice(-2)).toEqual([
      'Delete photos on kitchen? It cannot be undone.',
      'photos is not empty. Delete it, and all that is in it?',
    ])
    page.off('dialog', answer)
  })

  test('shows somebody else only what their grant reaches, and says so of the rest', async () => {
    const ada = new Controller('ada')
    await ada.must('init', '--ego', 'ada')
    const { id } = JSON.parse(await ada.must('id', '--json')) as { id: string }
    const { hello } = await home.hubs[0]!.status()
    await ada.must('hub', 'add', hello)
    const { device_zone } = await home.device.status()
    await ada.must('add', device_zone, '--as', 'hut')
    await home.controller.must(
      ...['grant', 'kitchen', id, 'files,status', '--as', 'ada', '--path', there],
    )
    const guest = await enter(ada, PORT + 2)
    await guest.page.goto(filesOf(there, GUEST_API, 'hut'))
    await visible(/^20\.0 MB · /, guest)
    await guest.page.goto(filesOf('/etc', GUEST_API, 'hut'))
    await visible(/your grant does not reach \/etc/, guest)
    await examine(guest, 'files-refused')
    const token = readFileSync(join(ada.state, 'api-token'), 'utf8').trim()
    const headers = { authorization: `Bearer ${token}` }
    const files = `${GUEST_API}/v1/devices/hut/files`
    for (const path of ['/etc/passwd', join(there, '..', 'here', 'image.bin')]) {
      const answer = await fetch(`${files}/content?path=${encodeURIComponent(path)}`, { headers })
      expect([answer.status, await answer.text()]).toEqual([
        403,
        expect.stringContaining('your grant does not reach'),
      ])
    }
    expect(guest.complaints).toEqual([])
  })

  test('is gone through by keyboard alone: into a directory, and to what is done with a file', async () => {
    const { keyboard } = owner.page
    const focused =
      "(one => one.getAttribute('aria-label') ?? one.labels?.[0]?.textContent ?? one.textContent)(document.activeElement)"
    const tabTo = async (name: string) => {
      for (let i = 0; i < 80; i++) {
        if ((await owner.page.evaluate<string>(focused)).trim() === name) return
        await keyboard.press('Tab')
      }
      throw new Error(`nothing called ${name} is reached by Tab`)
    }
    await owner.page.goto(filesOf(there))
    await owner.page.reload()
    await visible('entries')
    for (const name of ['Directory', 'Upload', 'New directory', 'etc/', 'Delete image.bin'])
      await tabTo(name)
    await owner.page.goto(filesOf(there))
    await owner.page.reload()
    await visible('entries')
    await tabTo('etc/')
    await keyboard.press('Enter')
    await visible('There is nothing in this directory.')
    expect(owner.complaints).toEqual([])
  })
})
