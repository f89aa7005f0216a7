import { describe, expect, test } from 'vitest'
import { equalBytes, keyOf } from '../../../src/base/bytes.ts'
import { DHT_OPTION, type DhtResult } from '../../../src/mesh/mesh.ts'
import { helloOf, Net, type Node, queryOf, randomNet, search, testBlock } from './net.ts'

const { everywhere, recordRoute, truncated } = DHT_OPTION
const SEEDS = [1, 2, 3, 4, 5]

const wayOf = (self: Node, { putPath, getPath }: DhtResult) => [
  self.pid,
  ...getPath.toReversed(),
  ...putPath.toReversed(),
]

const areLinked = (net: Net, way: readonly Uint8Array[]): boolean =>
  way.slice(1).every((pid, i) => {
    const from = net.nodes.find(node => equalBytes(node.pid, way[i]!))
    return from?.core.neighbours.has(keyOf(pid)) ?? false
  })

describe('a network of thirty peers', () => {
  test.for(SEEDS)('finds at one peer what another put (seed %i)', seed => {
    const net = randomNet(seed, 30)
    for (let i = 0; i < 10; i++) {
      const block = testBlock(net, `block ${i}`)
      net.world.random.pick(net.nodes).dht.put(block)
      net.run(1_000)
      const { found, close } = search(net.world.random.pick(net.nodes), queryOf(block))
      net.run(2_000)
      expect(found.map(({ data }) => data)).toEqual([block.data])
      close()
    }
  })

  test.for(SEEDS)('finds it although a fifth of all messages is lost (seed %i)', seed => {
    const net = randomNet(seed, 30)
    net.loss = 0.2
    const block = testBlock(net, 'block')
    net.nodes[0]!.dht.put(block)
    const { found } = search(net.nodes[29]!, queryOf(block))
    net.run(30_000)
    expect(found).toHaveLength(1)
  })

  test.for(SEEDS)('finds it after a third of the peers has left (seed %i)', seed => {
    const net = randomNet(seed, 30)
    const block = testBlock(net, 'block', everywhere)
    const [publisher] = net.nodes
    publisher!.dht.put(block)
    net.run(1_000)
    for (let i = 0; i < 10; i++) net.leave(net.nodes[(i * 7) % net.nodes.length]!)
    const stillThere = net.nodes.filter(({ core }) => core.neighbours.size > 0)
    const { found } = search(stillThere.at(-1)!, queryOf(block, everywhere))
    net.run(30_000)
    expect(found).toHaveLength(1)
  })

  test.for(SEEDS)('records ways whose every hop is a link and has signed (seed %i)', seed => {
    const net = randomNet(seed, 30)
    const [target] = net.nodes
    const hello = helloOf(net, target!)
    target!.dht.put(hello)
    net.run(1_000)
    for (const searcher of net.nodes.slice(20)) {
      const { found, close } = search(searcher, queryOf(hello, everywhere | recordRoute))
      net.run(2_000)
      expect(found.length).toBeGreaterThan(0)
      for (const result of found) {
        expect(result.options & truncated).toBe(0)
        const way = wayOf(searcher, result)
        expect(equalBytes(way.at(-1)!, target!.pid)).toBe(true)
        expect(areLinked(net, way)).toBe(true)
      }
      close()
    }
  })

  test('forgets a block when it expires', () => {
    const net = randomNet(1, 30)
    const block = testBlock(net, 'block', everywhere)
    net.nodes[0]!.dht.put(block)
    net.run(3_620_000)
    const { found } = search(net.nodes[29]!, queryOf(block, everywhere))
    net.run(10_000)
    expect(found).toEqual([])
    expect(net.nodes.map(({ counters }) => counters.read()['dht.stored_blocks'])).toEqual(
      net.nodes.map(() => 0),
    )
  })

  test('reports a block once, however often and on however many ways it comes', () => {
    const net = randomNet(1, 30)
    const block = testBlock(net, 'block', everywhere)
    const { found } = search(net.nodes[29]!, queryOf(block, everywhere))
    for (const publisher of net.nodes.slice(0, 5)) publisher.dht.put(block)
    net.run(120_000)
    expect(found).toHaveLength(1)
  })
})

describe('in a line', () => {
  const line = (length: number, seed = 1) => {
    const net = new Net(seed)
    const nodes = Array.from({ length }, () => net.node())
    for (let i = 1; i < length; i++) net.link(nodes[i - 1]!, nodes[i]!)
    return { net, nodes }
  }

  test('the way leads from the searcher over the hub to the target, in this order', () => {
    const { net, nodes } = line(3)
    const [target, hub, searcher] = nodes as [Node, Node, Node]
    target.dht.put(helloOf(net, target))
    net.run(1_000)
    const { found } = search(searcher, queryOf(helloOf(net, target), everywhere | recordRoute))
    net.run(1_000)
    expect(found).toHaveLength(1)
    expect(found[0]!.putPath.length + found[0]!.getPath.length).toBe(2)
    expect(wayOf(searcher, found[0]!)).toEqual([searcher.pid, hub.pid, target.pid])
  })

  test('a way over eight hops is found', () => {
    const { net, nodes } = line(9)
    const target = nodes[8]!
    target.dht.put(helloOf(net, target))
    net.run(1_000)
    const { found } = search(nodes[0]!, queryOf(helloOf(net, target), everywhere | recordRoute))
    net.run(20_000)
    expect(found.map(result => wayOf(nodes[0]!, result))).toContainEqual(
      nodes.map(({ pid }) => pid),
    )
  })

  test('who asked before gets the block at once when it appears', () => {
    const { net, nodes } = line(3)
    const [publisher, , searcher] = nodes as [Node, Node, Node]
    const block = testBlock(net, 'block')
    const { found } = search(searcher, queryOf(block))
    net.run(100_000)
    publisher.dht.put(block)
    net.run(25)
    expect(found).toHaveLength(1)
  })

  test('a block that was put with nobody there is found after the link comes up', () => {
    const { net, nodes } = line(2)
    const device = net.node()
    const block = testBlock(net, 'block')
    device.dht.put(block)
    const { found } = search(nodes[0]!, queryOf(block))
    net.run(1_000)
    expect(found).toEqual([])
    net.link(device, nodes[1]!)
    net.run(100)
    expect(found).toHaveLength(1)
  })

  test('a hub that lost its store gets our blocks again', () => {
    const net = new Net(1)
    const device = net.node()
    const first = net.node()
    net.link(device, first)
    const block = testBlock(net, 'block')
    device.dht.put(block)
    net.run(1_000)
    net.leave(first)
    const second = net.node()
    net.link(device, second)
    net.run(100)
    const { found } = search(second, queryOf(block))
    net.run(0)
    expect(found).toHaveLength(1)
  })

  test('a question is asked at once of a neighbour that comes up', () => {
    const { net, nodes } = line(2)
    const block = testBlock(net, 'block')
    nodes[0]!.dht.put(block)
    const searcher = net.node()
    const { found } = search(searcher, queryOf(block))
    net.run(3_000_000)
    net.link(searcher, nodes[1]!)
    net.run(50)
    expect(found).toHaveLength(1)
  })

  test('a neighbour that does not speak DHT is left alone until it does', () => {
    const net = new Net(1)
    const [a, b] = [net.node(), net.node()]
    let speaks = false
    const block = testBlock(net, 'block')
    a.dht.put(block)
    net.link(a, b, { speaks: () => speaks })
    net.run(60_000)
    expect(net.messages).toBe(0)
    speaks = true
    net.run(11_000)
    const { found } = search(b, queryOf(block))
    net.run(0)
    expect(found).toHaveLength(1)
  })
})

describe('hubs with many devices', () => {
  test.for(SEEDS)('find what a device of the other hub put (seed %i)', seed => {
    const net = new Net(seed)
    const hubs = [net.node(), net.node()] as const
    const devices = hubs.map(hub =>
      Array.from({ length: 60 }, () => {
        const device = net.node()
        net.link(device, hub)
        return device
      }),
    )
    net.link(...hubs)
    const puts = devices[0]!.map((device, i) => {
      const block = testBlock(net, `block ${i}`, everywhere)
      device.dht.put(block)
      return block
    })
    net.run(1_000)
    const searches = puts.map((block, i) => search(devices[1]![i]!, queryOf(block, everywhere)))
    net.run(20_000)
    expect(searches.filter(({ found }) => found.length === 1)).toHaveLength(60)
  })

  test('tell no way over a device that has gone', () => {
    const net = new Net(1)
    const [hub, device, searcher] = [net.node(), net.node(), net.node()]
    net.link(hub, device)
    device.dht.put(helloOf(net, device))
    net.run(1_000)
    net.unlink(hub, device)
    net.link(hub, searcher)
    const { found } = search(searcher, queryOf(helloOf(net, device), everywhere | recordRoute))
    const here = search(hub, queryOf(helloOf(net, device), everywhere | recordRoute))
    net.run(10_000)
    expect([...found, ...here.found]).toEqual([])
    net.link(hub, device)
    net.run(1_000)
    expect(found.map(result => wayOf(searcher, result))).toEqual([
      [searcher.pid, hub.pid, device.pid],
    ])
  })
})

describe('where routes must not be recorded', () => {
  test('no route leaves, neither of our own blocks nor of others', () => {
    const net = new Net(1)
    const [target, searcher] = [net.node(), net.node()]
    const hub = net.node({ routes: false })
    net.link(target, hub)
    net.link(hub, searcher)
    target.dht.put(helloOf(net, target))
    hub.dht.put(helloOf(net, hub))
    net.run(1_000)
    for (const node of [target, hub]) {
      const { found, close } = search(
        searcher,
        queryOf(helloOf(net, node), everywhere | recordRoute),
      )
      net.run(1_000)
      expect(found).toHaveLength(1)
      expect(found[0]).toMatchObject({ putPath: [], getPath: [], options: everywhere })
      close()
    }
  })
})

test('peers learn of each other, and where they can be dialled', () => {
  const net = new Net(1)
  const heard: string[][] = [[], [], []]
  const nodes = heard.map((list, i) =>
    net.node({
      hello: {
        uris: () => [`gnunet://hello/node${i}`],
        found: (_peer, uris) => list.push(...uris),
      },
    }),
  )
  net.link(nodes[0]!, nodes[1]!)
  net.link(nodes[1]!, nodes[2]!)
  net.run(600_000)
  expect(heard[0]).toContain('gnunet://hello/node2')
  expect(heard[2]).toContain('gnunet://hello/node0')
  expect(heard.flat()).not.toContain(undefined)
})

test('nothing grows in a day of neighbours that come and go, of puts and of searches', () => {
  const net = randomNet(1, 10)
  const [a, b] = [net.nodes[3]!, net.node()]
  for (let hour = 0; hour < 24; hour++) {
    for (let i = 0; i < 10; i++) {
      net.link(a, b)
      const block = { ...testBlock(net, `${hour} ${i}`, everywhere) }
      b.dht.put({ ...block, expiresAt: net.world.now() + 1_800_000 })
      const { found, close } = search(net.nodes[i]!, queryOf(block, everywhere))
      net.run(60_000)
      expect(found).toHaveLength(1)
      close()
      net.unlink(a, b)
    }
    net.run(3_000_000)
    for (const { counters } of net.nodes) {
      const {
        'dht.stored_blocks': blocks,
        'dht.pending': pending,
        'dht.searches': searches,
      } = counters.read()
      expect([blocks, pending, searches]).toEqual([0, 0, 0])
    }
    // A timer of the housekeeping each.
    expect(net.world.pending).toBe(net.nodes.length)
  }
})
