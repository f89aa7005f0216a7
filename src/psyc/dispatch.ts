/**
 * Who handles a message: the handler of its method, then those of what the method inherits from, up to the
 * one of the empty name. The original calls all levels for each part; here the message is whole, and a
 * handler that returns 'stop' is the last one.
 */

import { lineage } from './keyword.ts'
import { isKeyword } from './packet.ts'

export type Handler<M> = (message: M, method: string) => 'stop' | 'go on'

export class Dispatcher<M> {
  private readonly handlers = new Map<string, Handler<M>>()

  /** Handles `method` and what inherits from it; '' handles everything. One handler a method. */
  on(method: string, handler: Handler<M>): void {
    this.handlers.set(method, handler)
  }

  /** Gives the message to its handlers, the most specific first; false where there was none. */
  dispatch(method: string, message: M): boolean {
    // Compact keywords parse, but nothing says what they mean.
    if (!isMethod(method)) return false
    let handled = false
    for (const name of [...lineage(method), '']) {
      const handler = this.handlers.get(name)
      if (!handler) continue
      handled = true
      if (handler(message, method) === 'stop') break
    }
    return handled
  }
}

/** Whether it is a method as they are written out: with an underscore in front. */
export const isMethod = (method: string): boolean =>
  method.length > 1 && method[0] === '_' && isKeyword(method)
