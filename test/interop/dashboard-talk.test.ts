/** Private talk on the pages of two people, each with a `box up`, through a hub: they meet, talk, and one is away for a while. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeBrowsers, examine } from './browser.ts'
import { Agent } from './fleet.ts'
import { Person } from './page-person.ts'
import { cleanUp, missing } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 21_000) + 35
describe.skipIf(missing(['chromium']))('private talk on the page', { timeout: 400_000 }, () => {
  const home = new Person('home', PORT + 1)
  const ada = new Person('ada', PORT + 2)

  beforeAll(async () => {
    const hub = new Agent('hub', ['--hub', '--listen', `127.0.0.1:${PORT}`])
    const { hello } = await hub.status(status => status.hello.includes('tcp'))
    await home.arrive('home', hello)
    await ada.arrive('ada', hello)
  }, 120_000)
  afterAll(async () => {
    await closeBrowsers()
    await cleanUp()
  })

  test('begins where there is nobody, with a code that one shows and the other types', async () => {
    await home.open('talk')
    await home.sees('You talk to nobody yet')
    await examine(home.visitor, 'talk-nobody')
    await home.page.getByRole('link', { name: 'Add somebody' }).first().click()
    await home.page.getByRole('button', { name: 'Show a code' }).click()
    const code = await home.page.locator('.code').textContent()
    await examine(home.visitor, 'talk-code')
    await ada.open('meet')
    await ada.page.getByRole('textbox', { name: 'Code or key' }).fill(code!)
    await ada.page.getByRole('textbox', { name: 'What to call them' }).fill('holm')
    await ada.page.getByRole('button', { name: 'Take in' }).click()
    await ada.sees(/^holm is your contact\. Both of you see the same words: /)
    await home.sees(/^ada is your contact\. Both of you see the same words: /)
    const words = (one: Person) => one.page.locator('.note strong').textContent()
    expect(await words(home)).toBe(await words(ada))
    await examine(ada.visitor, 'talk-met')
  })

  test('comes live in both directions, with whether it was received', async () => {
    await home.page.getByRole('link', { name: 'Talk to ada' }).click()
    await ada.page.getByRole('link', { name: 'Talk to holm' }).click()
    await home.say('the oven is fixed')
    await home.hears(/^You .* received.*the oven is fixed$/)
    await ada.hears(/^holm .*the oven is fixed$/)
    await ada.say('good, thank you')
    await ada.hears(/^You .* received.*good, thank you$/)
    await home.hears(/^ada .*good, thank you$/)
    await home.sees('What you say goes straight to ada.')
    await examine(home.visitor, 'talk')
    // As the commands have it: it is one and the same history.
    expect(await home.controller.must('chat', 'ada', '--history')).toMatch(/ada: good, thank you$/m)
  })

  test('says what is new while one looks elsewhere, and no more when it was read', async () => {
    await home.page.goto(`http://127.0.0.1:${PORT + 1}/#/`)
    await ada.say('one more thing')
    await home.page.getByRole('link', { name: 'Talk 1 new' }).click()
    await home.page.getByText('1 new').last().waitFor()
    await examine(home.visitor, 'talk-list')
    await home.page.getByRole('link', { name: 'ada', exact: true }).click()
    await home.hears(/one more thing$/)
    await home.page.getByRole('link', { name: 'Talk', exact: true }).waitFor()
  })

  test('waits for who is away, says so, and is received when they are back', async () => {
    await ada.stop()
    await home.sees(/What you say lies with a relay/)
    await home.say('are you there?')
    await home.hears(/^You .* waits here.*are you there\?$/)
    await examine(home.visitor, 'talk-waits')
    await ada.page.getByText(/box up is out of reach/).waitFor()
    await ada.start()
    // Whoever looks at the talk is in touch.
    await ada.open('talk')
    await ada.page.getByRole('link', { name: 'holm', exact: true }).click()
    await ada.hears(/^holm .*are you there\?$/)
    await home.hears(/^You .* received.*are you there\?$/)
    // Each once, though it was offered again.
    expect(await ada.lines()).toHaveLength(4)
  })

  test('ends with the contact, and says so', async () => {
    await ada.page.getByText('About holm').click()
    await examine(ada.visitor, 'talk-about')
    ada.page.once('dialog', dialog => dialog.accept())
    await ada.page.getByRole('button', { name: 'Forget' }).click()
    await ada.sees('You talk to nobody yet')
    expect((await ada.controller.box('chat', 'holm', '--history')).code).toBe(69)
    for (const { visitor: one } of [home, ada]) expect(one.complaints).toEqual([])
  })
})
