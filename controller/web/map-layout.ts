/** Where the parts of the map stand: us on the left, hubs in the middle, devices on the right, each in a row of its own. */

export interface MeshMap {
  readonly self: string
  readonly neighbours: readonly {
    readonly peer: string
    readonly address: string
    readonly is_up: boolean
  }[]
  readonly devices: readonly MappedDevice[]
}

export interface MappedDevice {
  readonly name: string
  readonly stale: boolean
  readonly peer: string | null
  /** Peers it keeps links to; itself, where it can be dialled. */
  readonly hubs: readonly string[]
  /** The way that is used, both ends included; empty where there is none. */
  readonly path: readonly string[]
}

export interface Node {
  readonly x: number
  readonly y: number
  readonly kind: 'self' | 'hub' | 'here' | 'away'
  readonly label: string
}

export interface Edge {
  readonly from: Node
  readonly to: Node
  /** It carries what we say; otherwise it is only known of. */
  readonly isUsed: boolean
}

export interface Layout {
  readonly width: number
  readonly height: number
  readonly nodes: readonly Node[]
  readonly edges: readonly Edge[]
}

/** On a narrow page it is narrower, so that letters keep their size. */
export const WIDTH_MAX = 640
export const WIDTH_MIN = 300
const ROW = 56
const MARGIN = 40
const COLUMN_EDGE = 0.13
/** As logs write peers. */
const SHORT = 4

export const shortOf = (peer: string): string => peer.slice(0, SHORT)

/** How a device is reached, in words. */
export function sentenceOf({ path, stale }: MappedDevice): string {
  if (path.length === 0) return stale ? 'not now' : 'the way is not known yet'
  const between = path.slice(1, -1).map(shortOf)
  const way = between.length === 0 ? 'directly' : `through ${between.join(', then ')}`
  return stale ? `not now; last ${way}` : way
}

export function layOut({ self, neighbours, devices }: MeshMap, width = WIDTH_MAX): Layout {
  const edge = width * COLUMN_EDGE
  const columns = { self: edge, hub: width / 2, device: width - edge }
  const ends = new Set([self, ...devices.flatMap(({ peer }) => peer ?? [])])
  const hubs = [
    ...new Set([
      ...neighbours.filter(({ is_up }) => is_up).map(({ peer }) => peer),
      ...devices.flatMap(({ hubs, path }) => [...path.slice(1, -1), ...hubs]),
    ]),
  ].filter(peer => !ends.has(peer))
  const rows = Math.max(1, hubs.length, devices.length)
  const height = rows * ROW + MARGIN
  const at = (i: number, count: number) => ((i + 0.5) * rows * ROW) / count + MARGIN / 4
  const byPeer = new Map<string, Node>()
  const placed = (peer: string | null, node: Node) => {
    if (peer !== null) byPeer.set(peer, node)
    return node
  }
  const nodes = [
    placed(self, { x: columns.self, y: at(0, 1), kind: 'self', label: 'this peer' }),
    ...hubs.map((peer, i) =>
      placed(peer, { x: columns.hub, y: at(i, hubs.length), kind: 'hub', label: shortOf(peer) }),
    ),
    ...devices.map(({ peer, name, stale }, i) =>
      placed(peer, {
        ...{
          x: columns.device,
          y: at(i, devices.length),
          kind: stale ? 'away' : 'here',
          label: name,
        },
      }),
    ),
  ]
  return { width, height, nodes, edges: edgesOf({ self, neighbours, devices }, byPeer) }
}

function edgesOf(
  { self, neighbours, devices }: MeshMap,
  byPeer: ReadonlyMap<string, Node>,
): Edge[] {
  const edges = new Map<string, Edge>()
  const join = (a: string, b: string, isUsed: boolean) => {
    const [from, to] = [byPeer.get(a), byPeer.get(b)]
    const key = [a, b].sort().join()
    if (from && to && a !== b && !edges.get(key)?.isUsed) edges.set(key, { from, to, isUsed })
  }
  for (const { path, stale } of devices)
    if (!stale) path.slice(1).forEach((peer, i) => void join(path[i]!, peer, true))
  for (const { peer, is_up } of neighbours) if (is_up) join(self, peer, false)
  for (const { peer, hubs } of devices)
    for (const hub of hubs) if (peer !== null) join(peer, hub, false)
  return [...edges.values()]
}
