/** Debian's Chromium on the page of `box up`: what people see and type, what axe finds, pictures for people to look at. */

import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { folder } from './program.ts'

const CHROMIUM = '/usr/bin/chromium'
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
/** Nothing of it asks anybody but the page. */
const ARGUMENTS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
]
/** Where pictures go; none are made where it is not set. */
const PICTURES = process.env.SCREENSHOTS
const SIZES = {
  desktop: { width: 1_280, height: 800 },
  phone: { width: 360, height: 780 },
} as const

export interface Visitor {
  readonly page: Page
  /** What the console said that is wrong. */
  readonly complaints: readonly string[]
}

const open = new Set<BrowserContext>()

/** A browser of its own, with nothing in it. */
export async function visitor(): Promise<Visitor> {
  const context = await chromium.launchPersistentContext(folder('chromium'), {
    executablePath: CHROMIUM,
    headless: true,
    args: ARGUMENTS,
    viewport: SIZES.desktop,
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  open.add(context)
  const [page = await context.newPage()] = context.pages()
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(`${error.stack}`))
  page.on('console', message => {
    if (/Content Security Policy|Trusted ?Type/i.test(message.text()))
      complaints.push(message.text())
  })
  return { page, complaints }
}

export async function closeBrowsers(): Promise<void> {
  for (const context of open) await context.close()
  open.clear()
}

/** axe finds nothing serious, in either colours; and a picture of each size and colour, where they are wanted. */
export async function examine({ page }: Visitor, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    for (const [size, viewport] of Object.entries(SIZES)) {
      if (!PICTURES && size === 'phone' && colorScheme === 'dark') continue
      await page.setViewportSize(viewport)
      expect(await seriousIn(page), `${name}, ${colorScheme}, ${size}`).toEqual([])
      const isWide = await page.evaluate('document.documentElement.scrollWidth > innerWidth')
      expect(isWide, `${name} is wider than a ${size}`).toBe(false)
      if (!PICTURES) continue
      mkdirSync(PICTURES, { recursive: true })
      await page.screenshot({ path: join(PICTURES, `${name}-${size}-${colorScheme}.png`) })
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(SIZES.desktop)
}

/** Each serious issue, and where. axe is run beside the page, which lets no other script in. */
async function seriousIn(page: Page): Promise<string[]> {
  await page.evaluate(readFileSync(AXE, 'utf8'))
  const run = `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ target, any }) => id + ': ' + target + ' ' + (any[0]?.message ?? ''))))`
  return await page.evaluate(run)
}

/** Drops a file of this name and content where that is, as a hand with a mouse does. */
export async function dropFile(
  { page }: Visitor,
  selector: string,
  name: string,
  content: Uint8Array,
): Promise<void> {
  const base64 = Buffer.from(content).toString('base64')
  await page.evaluate(`(() => {
    const bytes = Uint8Array.from(atob(${JSON.stringify(base64)}), one => one.charCodeAt(0))
    const dataTransfer = new DataTransfer()
    dataTransfer.items.add(new File([bytes], ${JSON.stringify(name)}))
    const into = document.querySelector(${JSON.stringify(selector)})
    for (const type of ['dragenter', 'dragover', 'drop'])
      into.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }))
  })()`)
}
