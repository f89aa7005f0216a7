/** How the executable holds a part of the program: what deploy/script.ts writes and deploy/start.ts runs. */

/** The part that starts. */
export const MAIN = 'box.js'

export interface Module {
  readonly exports: unknown
}

/** What the text of a part comes to when it is run. */
export type Part = (
  exports: unknown,
  require: (name: string) => unknown,
  module: Module,
  file: string,
  folder: string,
  bundleUrl: string,
) => void

/** The text of a part, around what CommonJS has in a file. */
export const partText = (code: string): string =>
  `(function(exports,require,module,__filename,__dirname,bundleUrl){${code}\n})`
