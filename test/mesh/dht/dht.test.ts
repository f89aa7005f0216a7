import { describe, expect, test } from 'vitest'
import { BLOCK } from '../../../src/mesh/dht/blocks.ts'
import { DHT_OPTION, type DhtBlock } from '../../../src/mesh/mesh.ts'
import { hex } from '../../vectors.ts'
import { helloOf, Net, queryOf, search, testBlock } from './net.ts'

const { recordRoute } = DHT_OPTION

describe('a search', () => {
  test('is answered from our own store first, after the call has returned', () => {
    const net = new Net(1)
    const node = net.node()
    const block = testBlock(net, 'block')
    node.dht.put(block)
    const { found } = search(node, queryOf(block))
    expect(found).toEqual([])
    net.run(0)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({ type: 8, key: block.key, putPath: [], getPath: [] })
    expect(found[0]!.expiresAt).toBe(block.expiresAt)
  })

  test('may be ended by the one who is told', () => {
    const net = new Net(1)
    const node = net.node()
    const [one, two] = [testBlock(net, 'block'), { ...testBlock(net, 'block'), data: hex('02') }]
    node.dht.put(one)
    node.dht.put(two)
    let count = 0
    const listening = node.dht.get(queryOf(one), () => {
      count++
      listening.close()
    })
    net.run(60_000)
    expect(count).toBe(1)
  })

  test('asks with growing pauses, and stops when it is closed', () => {
    const net = new Net(1)
    const [a, b] = [net.node(), net.node()]
    net.link(a, b)
    const { close } = search(a, queryOf(testBlock(net, 'nowhere')))
    net.run(10_000)
    const early = net.messages
    net.run(600_000)
    expect(early).toBeGreaterThanOrEqual(4)
    expect(net.messages - early).toBeLessThan(16)
    expect(net.messages - early).toBeGreaterThan(7)
    close()
    const late = net.messages
    net.run(600_000)
    expect(net.messages).toBe(late)
  })
})

test('nothing is left of a table that was closed', () => {
  const net = new Net(1)
  const nodes = [net.node({ hello: { uris: () => ['a://b'], found: () => {} } }), net.node()]
  net.link(nodes[0]!, nodes[1]!)
  const block = testBlock(net, 'block')
  search(nodes[0]!, queryOf(block))
  search(nodes[1]!, queryOf(block))
  net.run(5_000)
  for (const { dht } of nodes) dht.close()
  net.run(1_000)
  expect(net.world.pending).toBe(0)
  expect(() => nodes[0]!.dht.put(block)).toThrow('closed')
  expect(() => nodes[0]!.dht.get(queryOf(block), () => {})).toThrow('closed')
})

test('a block that others would refuse is not put', () => {
  const net = new Net(1)
  const node = net.node()
  const block = testBlock(net, 'block')
  const put = (changes: Partial<DhtBlock>) => () => node.dht.put({ ...block, ...changes })
  expect(put({ type: BLOCK.any })).toThrow('type')
  expect(put({ type: BLOCK.gns })).toThrow('does not fit')
  expect(put({ data: new Uint8Array(64_200) })).toThrow('too large')
  const hello = helloOf(net, node)
  expect(put({ ...hello, key: block.key })).toThrow('under this key')
  expect(put({ data: new Uint8Array(62_000), options: recordRoute })).not.toThrow()
})
