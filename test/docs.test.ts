/** The generated pages say what the code says; `npm run docs` runs this with WRITE_DOCS to rewrite them. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { errorsPage, wirePage } from '../scripts/docs.ts'
import { agentPage, boxPage } from '../scripts/manual.ts'

const DOCS = join(import.meta.dirname, '..', 'docs')

test.for([
  ['wire.md', wirePage],
  ['errors.md', errorsPage],
  ['man/box.1', boxPage],
  ['man/box-agent.1', agentPage],
] as const)('docs/%s is current', { timeout: 120_000 }, async ([name, page]) => {
  const path = join(DOCS, name)
  const wanted = await page()
  if (process.env.WRITE_DOCS) writeFileSync(path, wanted)
  expect(readFileSync(path, 'utf8') === wanted, 'run `npm run docs`').toBe(true)
})
