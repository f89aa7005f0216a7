/**
 * xterm.js writes its colours and sizes into `<style>` elements, which our Content Security Policy does not let
 * work, not even empty ones. While it sets itself up, it gets something in their place that fills a sheet of the document.
 */

/** Colours of single letters it sets as attributes, which are forbidden likewise; what scripts do to `style` is not. */
HTMLSpanElement.prototype.setAttribute = function (name: string, value: string) {
  if (name === 'style') this.style.cssText = value
  else Element.prototype.setAttribute.call(this, name, value)
}

/** Runs what makes such elements. */
export function adoptStyles(run: () => void): void {
  const { createElement } = document
  document.createElement = ((name: string, options?: ElementCreationOptions) =>
    name === 'style'
      ? standIn(createElement.call(document, 'template'))
      : createElement.call(document, name, options)) as typeof createElement
  try {
    run()
  } finally {
    document.createElement = createElement
  }
}

function standIn(element: HTMLElement): HTMLElement {
  const sheet = new CSSStyleSheet()
  document.adoptedStyleSheets.push(sheet)
  let text = ''
  Object.defineProperty(element, 'textContent', {
    get: () => text,
    set: (value: string) => {
      text = value
      sheet.replaceSync(value)
    },
  })
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter(one => one !== sheet)
    Element.prototype.remove.call(element)
  }
  return element
}
