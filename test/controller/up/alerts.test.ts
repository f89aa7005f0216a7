/** Alerts through the API: which there are, and that somebody knows. */

import { afterEach, beforeEach, expect, test } from 'vitest'
import { ACKS_FILE } from '../../../controller/alerts/ack-book.ts'
import { House } from './house.ts'

let house: House
beforeEach(async () => {
  house = new House()
  await house.start()
})
afterEach(() => house.stop())

test('are listed, and taken note of for a time; what does not fire cannot be until it is over', async () => {
  const list = await house.ask('GET', '/v1/alerts')
  expect([list.statusCode, list.json()]).toEqual([200, { alerts: [], fault: null }])
  const device = (await house.ask('GET', '/v1/devices/kitchen')).json()
  expect(device).toMatchObject({ name: 'kitchen', alerts: [] })
  const path = '/v1/devices/kitchen/alerts/ack'
  const json = { 'content-type': 'application/json' }
  const none = await house.ask('POST', path, { rule: 'disk' }, json)
  expect([none.statusCode, none.json().error.code]).toEqual([404, 'ALERT_UNKNOWN'])
  const taken = await house.ask('POST', path, { rule: 'disk', for_s: 3_600 }, json)
  expect(taken.statusCode).toBe(200)
  expect(house.context.state.readText(ACKS_FILE)).toContain('"rule":"disk"')
  const wrong = await house.ask('POST', path, { rule: 'disk', for_s: -1 }, json)
  expect(wrong.statusCode).toBe(400)
})
