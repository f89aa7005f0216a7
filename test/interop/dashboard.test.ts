/** The page of `box up` in Chromium, over a real agent through a hub: what a person sees, types and is refused. */

import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeBrowsers, examine, type Visitor, visitor } from './browser.ts'
import { type Household, household } from './household.ts'
import { cleanUp, missing, Program } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 46_000) + 30
const API = `http://127.0.0.1:${PORT + 1}`
/** Nothing that is waited for takes so long on an idle machine; CI is not idle. */
const PATIENCE_MS = 30_000

describe.skipIf(missing(['chromium']))('the page of box up', { timeout: 120_000 }, () => {
  let home: Household
  let up: Program
  let owner: Visitor

  const link = async () => {
    const said = await home.controller.must('dashboard', '--print', '--json')
    return (JSON.parse(said) as { url: string }).url
  }
  const visible = (text: string | RegExp) =>
    owner.page.getByText(text).first().waitFor({ timeout: PATIENCE_MS })

  beforeAll(async () => {
    home = await household([`127.0.0.1:${PORT}`])
    const none = await home.controller.box('dashboard')
    expect([none.code, none.err]).toEqual([69, expect.stringContaining('box up --install')])
    up = new Program(home.controller.command('up', '--port', `${PORT + 1}`, '--json'))
    await up.until(/"api":/)
    owner = await visitor()
    owner.page.setDefaultTimeout(PATIENCE_MS)
  })
  afterAll(async () => {
    await closeBrowsers()
    await cleanUp()
  })

  test('lets nobody in without a link, nor twice with the same', async () => {
    const url = await link()
    const stranger = await visitor()
    await stranger.page.goto(API)
    await stranger.page.getByRole('heading', { name: 'You are not logged in' }).waitFor()
    await examine(stranger, 'login')
    await owner.page.goto(url)
    await owner.page.getByRole('heading', { name: 'Devices' }).waitFor()
    expect(owner.page.url()).toBe(`${API}/#/`)
    await stranger.page.goto(url)
    await stranger.page.getByText('This link was used').waitFor()
    expect(stranger.page.url()).not.toContain('login')
    expect(stranger.complaints).toEqual([])
  })

  test('shows each device, and what changes on it, at once', async () => {
    await owner.page.getByRole('row', { name: /kitchen.* reachable/ }).waitFor()
    await home.controller.must('tag', 'kitchen', '+lab')
    await owner.page.getByRole('button', { name: '@lab' }).waitFor()
    await home.controller.must('tag', 'kitchen', '+routers')
    await owner.page.getByRole('searchbox', { name: 'Search' }).fill('@none')
    await visible('No device fits this search.')
    await owner.page.getByRole('searchbox', { name: 'Search' }).fill('kit @rout')
    await owner.page.getByRole('row', { name: /kitchen/ }).waitFor()
    await owner.page.getByRole('searchbox', { name: 'Search' }).fill('')
    await examine(owner, 'devices')
  })

  test('is left as it was found: nothing was refused by its own rules', () => {
    expect(owner.complaints).toEqual([])
    expect(existsSync(home.files)).toBe(true)
  })
})
