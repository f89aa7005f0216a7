/** Who reaches whom through which hub: drawn, and as a table that says the same. */

import { ask } from './api.ts'
import { h, oncePerFrame, svg } from './dom.ts'
import {
  type Layout,
  layOut,
  type MeshMap,
  sentenceOf,
  shortOf,
  WIDTH_MAX,
  WIDTH_MIN,
} from './map-layout.ts'
import { deviceLink, heading, load, type Place, table } from './views.ts'

const EVERY_MS = 5_000
/** What stands around the picture. */
const PANEL = 40

export function mapView(place: Place): void {
  const { main, signal } = place
  const into = h('div')
  main.append(
    heading('Map'),
    h(
      'p',
      { class: 'quiet' },
      'How this peer reaches your devices now. Hubs relay what they cannot read.',
    ),
    into,
  )
  let before = ''
  let last: MeshMap | null = null
  const get = () => ask<MeshMap>('/v1/map', { signal })
  const show = (map: MeshMap) => {
    before = JSON.stringify(map)
    last = map
    const width = Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, into.clientWidth - PANEL))
    return [drawn(layOut(map, width)), tableOf(map)]
  }
  // A phone that is turned has another width.
  const again = oncePerFrame(() => last && !signal.aborted && into.replaceChildren(...show(last)))
  window.addEventListener('resize', again, { signal })
  load(into, place, { doing: 'Asking box up', get }, show)
  const timer = setInterval(async () => {
    // What is not reached now is shown as it was: the line above says so.
    const map = await get().catch(() => null)
    if (map && !signal.aborted && JSON.stringify(map) !== before) into.replaceChildren(...show(map))
  }, EVERY_MS)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

function drawn({ width, height, nodes, edges }: Layout): HTMLElement {
  const picture = svg(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': 'true', class: 'map' },
    ...edges.map(({ from, to, isUsed }) =>
      svg('line', { x1: from.x, y1: from.y, x2: to.x, y2: to.y, class: isUsed ? 'used' : 'known' }),
    ),
    ...nodes.map(({ x, y, kind, label }) =>
      svg(
        'g',
        { class: `node ${kind}`, transform: `translate(${x} ${y})` },
        kind === 'hub'
          ? svg('rect', { x: -9, y: -9, width: 18, height: 18, rx: 3 })
          : svg('circle', { r: 9 }),
        svg('text', { y: 28, 'text-anchor': 'middle' }, label),
      ),
    ),
  )
  return h(
    'div',
    { class: 'scroll panel', tabindex: 0, role: 'region', 'aria-label': 'Map' },
    picture,
  )
}

const tableOf = ({ devices, self }: MeshMap): HTMLElement =>
  h(
    'section',
    {},
    h('h2', {}, 'The same in words'),
    table(
      'Ways to devices',
      ['Device', 'Reached', 'Keeps links to'],
      devices.map(device => [
        deviceLink(device.name),
        sentenceOf(device),
        device.hubs
          .filter(hub => hub !== device.peer)
          .map(hub => (hub === self ? 'this peer' : shortOf(hub)))
          .join(', ') || '–',
      ]),
    ),
  )
