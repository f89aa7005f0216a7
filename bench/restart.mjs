/**
 * A peer restarts: how long until a CADET channel between the same two peers stands again, through a hub.
 *
 *     node restart.mjs [--rounds 5]
 *
 * Counted from the signal to the first byte over a new channel, the start of the process and its engine included.
 * Which of two peers has the larger key decides who begins exchanges and whose link survives: both orders.
 */

import { SigningKey } from '../dist/src/crypto/signing.js'
import { fileStore } from '../dist/src/sys/file-store.js'
import { folder, startScript } from './lib/children.mjs'
import { bounded, now, sleep } from './lib/measure.mjs'
import { firstByte } from './lib/service.mjs'
import { option, printTable, runRounds } from './lib/table.mjs'
import { engine, openTo } from './targets/box.mjs'

const CASES = ['device', 'controller'].flatMap(who =>
  ['larger', 'smaller'].flatMap(key => ['SIGTERM', 'SIGKILL'].map(signal => `${who}, ${key} key, ${signal}`)),
)
const STEP_MS = 120_000
/** A session has stood for a moment before something happens to it. */
const SETTLE_MS = 500
const RETRY_MS = 50

/** Two state directories, the first with the larger peer key. */
function twoStates() {
  const seeds = [0, 1].map(() => crypto.getRandomValues(new Uint8Array(32)))
  const keyOf = seed => SigningKey.fromSeed(seed).publicKey
  seeds.sort((a, b) => Buffer.compare(keyOf(b), keyOf(a)))
  return seeds.map(seed => {
    const state = folder('restart')
    fileStore(state).set('peer-seed', seed)
    return state
  })
}

async function measure(name) {
  const [who, key, signal] = name.split(', ')
  const [larger, smaller] = twoStates()
  const [own, other] = key.startsWith('larger') ? [larger, smaller] : [smaller, larger]
  const [deviceState, controllerState] = who === 'device' ? [own, other] : [other, own]
  const hub = await startScript('targets/box.mjs', ['hub'])
  const startDevice = () => startScript('targets/box.mjs', ['serve', hub.info.hello, deviceState])
  const device = await startDevice()
  const peers = [device.info.peer, hub.info.peer]
  if (who === 'controller') {
    const call = () => startScript('targets/box.mjs', ['call', hub.info.hello, controllerState, ...peers])
    const caller = await call()
    await sleep(SETTLE_MS)
    const begin = now()
    caller.kill(signal)
    await caller.exited
    await call()
    return { ms: now() - begin }
  }
  const mesh = await engine({ store: fileStore(controllerState), hubs: [hub.info.hello] })
  const [target, relay] = peers.map(text => new Uint8Array(Buffer.from(text, 'hex')))
  await firstByte(await openTo(mesh, target, relay))
  await sleep(SETTLE_MS)
  const begin = now()
  device.kill(signal)
  await device.exited
  void startDevice()
  for (;;)
    try {
      await firstByte(await openTo(mesh, target, relay))
      return { ms: now() - begin }
    } catch {
      await sleep(RETRY_MS)
    }
}

const words = process.argv.slice(2)
const rounds = option(words, 'rounds', 5)
if (words[0] === '--one') {
  console.log(JSON.stringify(await bounded(measure(words[1]), STEP_MS, words[1])))
  process.exit(0)
}
printTable('who restarts', runRounds(import.meta.filename, words.length > 0 ? words : CASES, rounds), [
  ['ms', 'channel again after ms (bar <= 5000)', 0],
])
