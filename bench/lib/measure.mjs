/** Clocks, quantiles, and what the kernel says about a process. */

import { readFileSync } from 'node:fs'

/** Milliseconds from an arbitrary beginning. */
export const now = () => Number(process.hrtime.bigint()) / 1e6
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

export function quantile(values, q) {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
}
export const median = values => quantile(values, 0.5)
export const round = (value, digits = 1) =>
  value === null || value === undefined ? null : Number(value.toFixed(digits))

/** Resident memory in MiB, and the part of it that no file stands behind. */
export function memoryOf(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const mib = key => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024
  return { resident: mib('Rss'), anonymous: mib('Anonymous') }
}

/** Seconds of processor time a process has used. */
export function cpuOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Fails instead of waiting for ever. */
export function bounded(promise, ms, what) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
