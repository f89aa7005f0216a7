import { expect, test } from 'vitest'
import type { ServiceManager } from '../../agent/service-manager.ts'
import { openServiceManager } from '../../agent/service-manager.ts'
import { supervise } from '../../agent/supervise.ts'
import { silentLog } from '../../src/base/log.ts'
import { World } from '../sim/world.ts'

const WATCHDOG_MS = 90_000

function supervised(check: () => Promise<void>, watchdogMs: number | null = WATCHDOG_MS) {
  const world = new World(1)
  const told: string[] = []
  const say = async (text: string) => void told.push(text)
  const manager: ServiceManager = {
    watchdogMs,
    ready: status => say(`ready ${status}`),
    status: text => say(`status ${text}`),
    alive: () => say('alive'),
    stopping: () => say('stopping'),
  }
  const state = { status: 'hubs 0/1' }
  const supervision = supervise({
    ...{ manager, check, clock: world, log: silentLog },
    status: () => state.status,
  })
  return { world, told, state, supervision }
}

test('ready is said once, and alive three times in the time of the watchdog', async () => {
  const { world, told, supervision } = supervised(async () => {})
  await world.pass(WATCHDOG_MS)
  expect(told).toEqual(['ready hubs 0/1', 'alive', 'alive', 'alive'])
  await supervision.close({ ending: true })
  expect(told.at(-1)).toBe('stopping')
  expect(world.pending).toBe(0)
})

test('a changed status is told, an unchanged one is not', async () => {
  const { world, told, state, supervision } = supervised(async () => {}, null)
  await world.pass(60_000)
  state.status = 'hubs 1/1'
  await world.pass(90_000)
  expect(told).toEqual(['ready hubs 0/1', 'status hubs 1/1'])
  await supervision.close({ ending: false })
  expect(told).toHaveLength(2)
})

test.for([
  ['fails', () => Promise.reject(new Error('no'))],
  ['does not come back', () => new Promise<void>(() => {})],
] as const)('a health check that %s is no sign of life', async ([, check]) => {
  const { world, told, supervision } = supervised(check)
  await world.pass(3 * WATCHDOG_MS)
  expect(told).toEqual(['ready hubs 0/1'])
  await supervision.close({ ending: true })
  expect(world.pending).toBe(0)
})

test('a check that comes back late is no sign of life after the end', async () => {
  let back!: () => void
  const { world, told, supervision } = supervised(
    () =>
      new Promise(resolve => {
        back = resolve
      }),
  )
  await world.pass(WATCHDOG_MS / 3)
  await supervision.close({ ending: true })
  back()
  await world.pass(WATCHDOG_MS)
  expect(told).toEqual(['ready hubs 0/1', 'stopping'])
})

test('there is no service manager where none listens', () => {
  expect(openServiceManager({}, silentLog)).toBeNull()
})

test.for([
  [{ WATCHDOG_USEC: '90000000' }, 90_000],
  [{ WATCHDOG_USEC: '90000000', WATCHDOG_PID: String(process.pid) }, 90_000],
  [{ WATCHDOG_USEC: '90000000', WATCHDOG_PID: '1' }, null],
  [{ WATCHDOG_USEC: 'soon' }, null],
  [{}, null],
] as const)('the watchdog of %j is %s ms', ([env, ms]) => {
  const manager = openServiceManager({ NOTIFY_SOCKET: '/run/x', ...env }, silentLog)
  expect(manager?.watchdogMs).toBe(ms)
})

test('a machine without systemd-notify is told of once, and nothing fails', async () => {
  const warned: string[] = []
  const log = {
    note: (_level: string, _area: string, message: string) => void warned.push(message),
  }
  const path = process.env.PATH
  process.env.PATH = '/nowhere'
  try {
    const manager = openServiceManager({ NOTIFY_SOCKET: '/run/x' }, log)!
    await manager.ready('x')
    await manager.alive()
    await manager.stopping()
  } finally {
    process.env.PATH = path
  }
  expect(warned).toEqual(['systemd-notify does not work'])
})
