import { describe, expect, test } from 'vitest'
import { layOut, type MappedDevice, sentenceOf } from '../../../controller/web/map-layout.ts'

const device = (more: Partial<MappedDevice>): MappedDevice => ({
  ...{ name: 'kitchen', stale: false, peer: 'DEVICE', hubs: ['HUB1', 'HUB2'], path: [] },
  ...more,
})
const kitchen = device({ path: ['SELF', 'HUB1', 'DEVICE'] })

describe('the map of the mesh', () => {
  test('says in words how a device is reached', () => {
    expect(sentenceOf(kitchen)).toBe('through HUB1')
    expect(sentenceOf(device({ path: ['SELF', 'DEVICE'] }))).toBe('directly')
    expect(sentenceOf(device({ path: ['SELF', 'A', 'B', 'DEVICE'] }))).toBe('through A, then B')
    expect(sentenceOf(device({ stale: true }))).toBe('not now')
    expect(sentenceOf(device({}))).toBe('the way is not known yet')
  })

  test('has each peer once, and marks the way that is used', () => {
    const neighbours = [
      { peer: 'HUB1', address: '', is_up: true },
      { peer: 'HUB3', address: '', is_up: false },
    ]
    const { nodes, edges } = layOut({ self: 'SELF', neighbours, devices: [kitchen] })
    expect(nodes.map(({ label, kind }) => `${kind} ${label}`)).toEqual([
      ...['self this peer', 'hub HUB1', 'hub HUB2', 'here kitchen'],
    ])
    expect(edges.map(({ from, to, isUsed }) => [from.label, to.label, isUsed])).toEqual([
      ['this peer', 'HUB1', true],
      ['HUB1', 'kitchen', true],
      ['kitchen', 'HUB2', false],
    ])
  })

  test('holds everything within its size, however many there are', () => {
    const devices = Array.from({ length: 500 }, (_, i) => device({ name: `d${i}`, peer: `P${i}` }))
    const { width, height, nodes } = layOut({ self: 'SELF', neighbours: [], devices })
    expect(nodes).toHaveLength(503)
    for (const { x, y } of nodes) {
      expect(x).toBeLessThan(width)
      expect(y).toBeLessThan(height)
      expect(Math.min(x, y)).toBeGreaterThan(0)
    }
  })
})
