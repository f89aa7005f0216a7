/** Making elements: a name, what it has, what is in it. Texts are texts; nothing is ever read as HTML. */

type Child = Node | string | number | null | undefined | false
export type Children = readonly (Child | readonly Child[])[]

interface Has {
  readonly class?: string
  readonly on?: Readonly<Record<string, (event: Event) => void>>
  readonly [attribute: string]: unknown
}

/** An element. Attributes that are false, null or undefined are left out; `true` is an empty one. */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  has: Has = {},
  ...children: Children
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name)
  furnish(element, has)
  fill(element, children)
  return element
}

/** The same of SVG. */
export function svg<K extends keyof SVGElementTagNameMap>(
  name: K,
  has: Has = {},
  ...children: Children
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  furnish(element, has)
  fill(element, children)
  return element
}

function furnish(element: Element, { on = {}, ...attributes }: Has): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue
    element.setAttribute(name, value === true ? '' : `${value}`)
  }
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener)
}

function fill(element: Element, children: Children): void {
  for (const child of children.flat() as Child[])
    if (child !== null && child !== undefined && child !== false)
      element.append(child instanceof Node ? child : `${child}`)
}

/** Puts these in the place of all that is there. */
export function replace(element: Element, ...children: Children): void {
  element.replaceChildren()
  fill(element, children)
}

/** Sets a text where it is another one: what is as it was is not drawn again. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

export function setClass(element: Element, name: string): void {
  if (element.className !== name) element.className = name
}

/** Collects calls of one frame: however much changes, it is drawn once. */
export function oncePerFrame(draw: () => void): () => void {
  let isDue = false
  return () => {
    if (isDue) return
    isDue = true
    requestAnimationFrame(() => {
      isDue = false
      draw()
    })
  }
}

/** Collects calls until nothing else is to be done, or has been for a moment: Safari does not say when. */
export function onceAtLeisure(work: () => void): () => void {
  let isDue = false
  const run = () => {
    isDue = false
    work()
  }
  return () => {
    if (isDue) return
    isDue = true
    if ('requestIdleCallback' in window) requestIdleCallback(run, { timeout: LEISURE_MS })
    else setTimeout(run, LEISURE_MS / 4)
  }
}

/** What is not in sight may wait so long, also where there is always something else to do. */
const LEISURE_MS = 200
