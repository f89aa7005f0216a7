/**
 * The page of `box up` with many devices, in Debian's Chromium (playwright-core), while much changes:
 *
 *     node dashboard.mjs [--rounds 3] [--devices 500] [--changes 100] [--seconds 20] [desktop phone empty]
 *
 * The service, its API and the page are what people run; only what devices say about themselves is made up. The
 * page is interactive when all devices are there and a frame has been drawn since. Frames are counted by
 * requestAnimationFrame over all those seconds, while in the second half somebody scrolls. Without a graphics card
 * Chromium draws by the processor, on the cores on which the service runs as well.
 */

import { readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { folder, startScript } from './lib/children.mjs'
import { bounded, cpuOf, memoryOf, quantile, sleep } from './lib/measure.mjs'
import { option, printTable, runRounds } from './lib/table.mjs'

const CHROMIUM = '/usr/bin/chromium'
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking']
const SIZES = { desktop: { width: 1_280, height: 800 }, phone: { width: 390, height: 844 } }
const STEP_MS = 240_000
const SCROLL_EVERY_MS = 100
const SCROLL_BY = 400
const BARS = { firstMs: '< 1000', againMs: '< 1000', frame95: '< 33' }

/** Runs in the page from its beginning: when all devices were there, each frame, each long task. */
function watchFrom(devices) {
  const seen = { readyMs: null, frames: [], tasks: [] }
  window.bench = seen
  new PerformanceObserver(list => {
    for (const { startTime, duration } of list.getEntries()) seen.tasks.push([startTime, duration])
  }).observe({ type: 'longtask', buffered: true })
  let before = 0
  const frame = at => {
    if (before > 0) seen.frames.push([at, at - before])
    before = at
    const isThere = document.querySelector('main p[role=status]')?.textContent.startsWith(`${devices} devices`)
    const rows = document.querySelectorAll('.fleet tbody tr').length
    // One frame later: what was made has been drawn.
    if (isThere && rows > 0 && seen.readyMs === null) requestAnimationFrame(() => (seen.readyMs ??= performance.now()))
    requestAnimationFrame(frame)
  }
  requestAnimationFrame(frame)
}

/** Its policy lets nothing wait in the page but what is there already. */
async function ready(page) {
  for (;; await sleep(50)) {
    const at = await page.evaluate('window.bench?.readyMs ?? null').catch(() => null)
    if (at !== null) return at
  }
}

/** How long what is typed takes until it is seen. */
const search = page =>
  page.evaluate(async () => {
    const input = document.querySelector('input[type=search]')
    const begun = performance.now()
    input.value = 'd01'
    input.dispatchEvent(new Event('input'))
    while (!/^10 of /.test(document.querySelector('main p[role=status]').textContent))
      await new Promise(requestAnimationFrame)
    await new Promise(requestAnimationFrame)
    const ms = performance.now() - begun
    input.value = ''
    input.dispatchEvent(new Event('input'))
    return ms
  })

/** Processor time of the main thread of the page, whatever else the machine does. */
async function clockOf(page) {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    return 1_000 * metrics.find(({ name }) => name === 'TaskDuration').value
  }
}

/** The same browser on the same machine with a page on which nothing is. */
async function measureEmpty(seconds) {
  const { page, close } = await browser('desktop')
  await page.addInitScript(watchFrom, 0)
  await page.goto('about:blank')
  const frames = await framesOver(page, seconds, process.pid)
  await close()
  return { ...frames, cpu: null }
}

async function browser(size) {
  const context = await chromium.launchPersistentContext(folder('chromium'), {
    ...{ executablePath: CHROMIUM, headless: true, args: ARGUMENTS, viewport: SIZES[size] },
  })
  const [page = await context.newPage()] = context.pages()
  return { page, close: () => context.close() }
}

async function measure(size, { devices, changes, seconds }) {
  if (size === 'empty') return await measureEmpty(seconds)
  const up = await startScript('targets/up.mjs', [folder('up'), String(devices), String(changes)])
  const { api, token } = up.info
  const headers = { authorization: `Bearer ${readFileSync(token, 'utf8').trim()}` }
  const { url } = await (await fetch(`${api}/v1/login-links`, { method: 'POST', headers })).json()
  const { page, close } = await browser(size)
  await page.addInitScript(watchFrom, devices)
  await page.goto(url)
  const firstMs = await ready(page)
  await sleep(1_000)
  const spent = await clockOf(page)
  const before = await spent()
  await page.reload()
  const againMs = await ready(page)
  const againCpu = (await spent()) - before
  await sleep(2_000)
  const searchMs = await search(page)
  await sleep(1_000)
  const frames = await framesOver(page, seconds, up.pid)
  const { resident } = memoryOf(up.pid)
  await close()
  up.kill('SIGTERM')
  await up.exited
  return { firstMs, againMs, againCpu, searchMs, ...frames, resident }
}

async function framesOver(page, seconds, pid) {
  const spent = await clockOf(page)
  const [begun, before] = [await page.evaluate('performance.now()'), await spent()]
  const cpu = cpuOf(pid)
  await sleep(seconds * 500)
  await page.mouse.move(200, 400)
  for (const end = Date.now() + seconds * 500; Date.now() < end; await sleep(SCROLL_EVERY_MS))
    await page.mouse.wheel(0, Math.sin(Date.now() / 1_500) > 0 ? SCROLL_BY : -SCROLL_BY)
  const used = cpuOf(pid) - cpu
  const busy = (await spent()) - before
  const { frames, tasks } = await page.evaluate('window.bench')
  const since = values => values.filter(([at]) => at >= begun).map(([, ms]) => ms)
  const [times, long] = [since(frames), since(tasks)]
  return {
    ...{ frame50: quantile(times, 0.5), frame95: quantile(times, 0.95), frame99: quantile(times, 0.99) },
    ...{ frameMax: Math.max(...times), framesSeen: times.length, longTasks: long.length },
    ...{ longestTask: Math.max(0, ...long), cpu: (100 * used) / seconds, busy: busy / (10 * seconds) },
  }
}

const words = process.argv.slice(2)
const rounds = option(words, 'rounds', 3)
const amounts = {
  devices: option(words, 'devices', 500),
  changes: option(words, 'changes', 100),
  seconds: option(words, 'seconds', 20),
}
if (words[0] === '--one') {
  console.log(JSON.stringify(await bounded(measure(words[1], amounts), STEP_MS, words[1])))
  process.exit(0)
}
const passedOn = Object.entries(amounts).flatMap(([name, value]) => [`--${name}`, String(value)])
const subjects = words.length > 0 ? words : [...Object.keys(SIZES), 'empty']
const column = (key, title, digits) => [key, title, digits, { desktop: BARS[key], phone: BARS[key] }]
printTable(
  `page, ${amounts.devices} devices, ${amounts.changes} changes a second`,
  runRounds(import.meta.filename, subjects, rounds, () => passedOn),
  [
    column('firstMs', 'first time, to interactive ms', 0),
    column('againMs', 'again ms', 0),
    column('againCpu', 'of it processor time of the page ms', 0),
    column('searchMs', 'search shown ms', 0),
    column('frame50', 'frame p50 ms', 1),
    column('frame95', 'p95', 1),
    column('frame99', 'p99', 1),
    column('frameMax', 'longest', 0),
    column('longTasks', 'tasks over 50 ms', 0),
    column('longestTask', 'longest task ms', 0),
    column('busy', 'CPU of the page %', 0),
    column('cpu', 'CPU of the service %', 0),
    column('resident', 'its memory MiB', 0),
  ],
  { desktop: ['empty'], phone: ['empty'] },
)
