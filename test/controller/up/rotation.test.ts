import { afterAll, beforeAll, expect, test } from 'vitest'
import { zoneToText } from '../../../src/gns/name.ts'
import { House } from './house.ts'

const house = new House()

beforeAll(() => house.start())
afterAll(() => house.stop())

const rotate = (key: string, name = 'kitchen') =>
  house.ask('POST', `/v1/devices/${name}/rotate`, { key })
const known = async () => (await house.ask('GET', '/v1/devices/kitchen')).json()
const whoRuns = async () => {
  const exec = { selector: 'kitchen', command: 'echo on' }
  return (await house.ask('POST', '/v1/exec', exec)).payload
}

test('a device gets another zone key over the API, is followed by it, and answers', async () => {
  const was = zoneToText(house.home.agent.device.zone)
  const answer = await rotate('device')
  const zone = zoneToText(house.home.agent.device.zone)
  expect(zone).not.toBe(was)
  expect(answer.json()).toEqual({ key: 'device', name: 'kitchen', zone, was })
  expect(await known()).toMatchObject({ zone, tags: ['routers'] })
  await expect.poll(async () => (await known()).stale).toBe(false)
  expect(await whoRuns()).toContain('"exit_code":0')
})

test('a device gets another host key, and is logged in to after it', async () => {
  const before = (await known()).zone
  const answer = await rotate('host')
  expect(answer.json()).toEqual({ key: 'host', name: 'kitchen', zone: before, was: before })
  expect(await whoRuns()).toContain('"exit_code":0')
})

test('nothing else is rotated so, and nothing of a device that there is not', async () => {
  for (const key of ['ego', 'ssh', '']) expect((await rotate(key)).statusCode, key).toBe(400)
  expect((await rotate('device', 'attic')).statusCode).toBe(404)
})
