import { describe, expect, test } from 'vitest'
import { FleetNews } from '../../../controller/up/fleet-news.ts'
import type { ShownDevice } from '../../../controller/up/fleet-watch.ts'
import { World } from '../../sim/world.ts'

const device = (name: string, age_ms = 0): ShownDevice => ({
  ...{
    name,
    zone: '',
    tags: [],
    paired_at: '',
    stale: false,
    age_ms,
    error: null,
    status: null,
    alerts: [],
  },
})

function begin(takes: () => boolean = () => true) {
  const world = new World(5)
  const written: string[] = []
  const news = new FleetNews(world, text => {
    written.push(text)
    return takes()
  })
  return { world, written, news }
}

/** What was told in one piece: names, and those with an age. */
const toldIn = (text: string) =>
  text
    .split('\n\n')
    .filter(Boolean)
    .map(event => {
      const { name, age_ms } = JSON.parse(event.slice(event.indexOf('data: ') + 6))
      return event.startsWith('event: removed') ? `-${name}` : age_ms ? `${name}:${age_ms}` : name
    })

describe('news of the fleet', () => {
  test('begin with all devices in one piece', () => {
    const { world, written, news } = begin()
    news.begin([device('a'), device('b')], [])
    expect(written).toHaveLength(1)
    expect(written[0]).toMatch(/^event: device\n[\s\S]*event: complete\ndata: \{\}\n\n$/)
    news.close()
    expect(world.pending).toBe(0)
  })

  test('are told at once, and what follows within a moment together, as it is by then', () => {
    const { world, written, news } = begin()
    news.changed(device('a', 1))
    expect(written.map(toldIn)).toEqual([['a:1']])
    for (let age = 2; age < 50; age++) news.changed(device('a', age))
    news.changed(device('b'))
    news.changed(device('c'))
    news.removed('c')
    expect(written).toHaveLength(1)
    world.run(100)
    expect(written.map(toldIn)).toEqual([['a:1'], ['a:49', 'b', '-c']])
    world.run(10_000)
    expect(written).toHaveLength(2)
    news.changed(device('a', 1))
    expect(written).toHaveLength(3)
    news.close()
    expect(world.pending).toBe(0)
  })

  test('wait for a listener that does not keep up, and are never more than the fleet', () => {
    let isTaken = false
    const { world, written, news } = begin(() => isTaken)
    news.begin([], [])
    for (let i = 0; i < 1_000; i++) {
      news.changed(device(`d${i % 7}`, i + 1))
      world.run(50)
    }
    expect(written).toHaveLength(1)
    isTaken = true
    news.drained()
    expect(written).toHaveLength(2)
    expect(toldIn(written[1]!).sort()).toEqual(
      [0, 1, 2, 3, 4, 5, 6].map(i => `d${i}:${994 + ((i + 1) % 7)}`).sort(),
    )
    news.close()
    expect(world.pending).toBe(0)
  })
})
