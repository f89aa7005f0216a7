/** Somebody with a `box up` and a browser that is logged in to its page. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Visitor, visitor } from './browser.ts'
import { Controller } from './fleet.ts'
import { Program } from './program.ts'

/** Nothing that is waited for takes so long on an idle machine; CI is not idle. */
export const PATIENCE_MS = 120_000

export class Person {
  readonly controller: Controller
  private readonly port: number
  private up!: Program
  visitor!: Visitor

  constructor(name: string, port: number) {
    this.controller = new Controller(name)
    this.port = port
  }

  get page() {
    return this.visitor.page
  }

  /** With an identity, a hub, and a browser. */
  async arrive(ego: string, hello: string): Promise<void> {
    await this.controller.must('init', '--ego', ego)
    await this.controller.must('hub', 'add', hello)
    await this.start()
    this.visitor = await visitor()
    this.page.setDefaultTimeout(PATIENCE_MS)
  }

  async start(): Promise<void> {
    this.up = new Program(this.controller.command('up', '--port', `${this.port}`, '--json'))
    await this.up.until(/"api":/, PATIENCE_MS)
  }

  async stop(): Promise<void> {
    this.up.kill('SIGTERM')
    await this.up.ended(PATIENCE_MS)
  }

  /** Logs in, and goes to this view. */
  async open(view: string): Promise<void> {
    const { url } = JSON.parse(await this.controller.must('dashboard', '--print', '--json'))
    await this.page.goto(url)
    await this.page.getByRole('heading', { name: 'Devices' }).waitFor()
    await this.page.goto(`http://127.0.0.1:${this.port}/#/${view}`)
  }

  /** Asks the local API. */
  async ask(method: string, path: string, body?: object): Promise<Response> {
    const token = readFileSync(join(this.controller.state, 'api-token'), 'utf8').trim()
    return await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
  }

  async say(text: string): Promise<void> {
    await this.page.getByRole('textbox', { name: /^Say something/ }).fill(text)
    await this.page.keyboard.press('Enter')
  }

  async sees(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).first().waitFor()
  }

  /** Lines of the talk. */
  async lines(): Promise<string[]> {
    return await this.page.getByRole('log').locator('.line').allTextContents()
  }

  /** Waits for a line that says this of one of us. */
  hears(wanted: RegExp) {
    return expect
      .poll(() => this.lines(), { timeout: PATIENCE_MS })
      .toContainEqual(expect.stringMatching(wanted))
  }
}
