import type { FastifyReply } from 'fastify'
import { describe, expect, test } from 'vitest'
import type { ShownAlert } from '../../../controller/alerts/shown-alert.ts'
import { FleetTexts } from '../../../controller/up/fleet-texts.ts'
import type { ShownDevice } from '../../../controller/up/fleet-watch.ts'

const kitchen: ShownDevice = {
  ...{ name: 'kitchen', zone: 'Z1', tags: ['lab'], paired_at: '', stale: false, age_ms: 0 },
  ...{ error: null, status: null, alerts: [] },
}

/** What is written, and how often. */
function begin(devices: ShownDevice[]) {
  let written = 0
  const reply = {
    compileSerializationSchema: () => (device: object) => {
      written += 1
      return JSON.stringify(device)
    },
  } as unknown as FastifyReply
  const texts = new FleetTexts({ devices: () => devices }).by(reply)
  return { texts, written: () => written }
}

describe('the text of a device', () => {
  test('is what its JSON would be, whatever it says about itself', () => {
    const odd = '","stale":true,"age_ms":7,"x":"'
    const failure = { code: 'PEER_TIMEOUT', message: odd } as const
    for (const device of [
      kitchen,
      { ...kitchen, stale: true, age_ms: 1_234 },
      { ...kitchen, stale: true, age_ms: null, error: failure },
      { ...kitchen, name: odd, tags: [odd], age_ms: null },
    ]) {
      const { texts } = begin([device])
      expect(texts.all()).toEqual([JSON.stringify(device)])
    }
  })

  test('is made once for each change; of one that is away only the age is new', () => {
    const devices = [kitchen, { ...kitchen, name: 'attic', zone: 'Z2', stale: true, age_ms: 5 }]
    const { texts, written } = begin(devices)
    texts.all()
    devices[1] = { ...devices[1]!, age_ms: 6 }
    expect(JSON.parse(texts.all()[1]!)).toEqual(devices[1])
    expect(written()).toBe(2)
    const alert: ShownAlert = {
      ...{ device: 'kitchen', rule: 'hot', value: '90', when: '' },
      ...{ origin: 'device', state: 'firing', since: '', until: null, acknowledged: false },
    }
    const changes: Partial<ShownDevice>[] = [
      { stale: true, age_ms: 0 },
      { tags: ['lab', 'attic'] },
      { name: 'cellar' },
      { error: { code: 'PEER_TIMEOUT', message: '' } },
      { alerts: [alert] },
      { alerts: [{ ...alert, value: '91' }] },
    ]
    for (const [i, change] of changes.entries()) {
      devices[0] = { ...devices[0]!, ...change }
      expect(texts.all()[0]).toBe(JSON.stringify(devices[0]))
      expect(written(), JSON.stringify(change)).toBe(3 + i)
    }
  })
})
