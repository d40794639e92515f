// What the cases of every client are written with.
//
// A client's module exports `cases`, functions by name. A case takes a Case: the broker's address
// and names that no other case uses, so that cases run side by side. It fails by throwing.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'

// The packages are installed outside the project.
export const load = createRequire(process.env.COMPAT_NODE_PACKAGES)

export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

// How long a case may wait for something to become true. Far more than it takes: it ends a vain wait.
const patienceMs = 25_000

export class Case {
  constructor(addr, name) {
    this.addr = addr
    this.topic = `${name.replace(/[^\w.]+/g, '-').replace(/^-/, '')}-${process.pid}-${Date.now().toString(36)}`
    this.group = `${this.topic}-group`
    this.atEnd = []
  }

  // later(f): f is called, and waited for, when the case has ended, the last one first
  later(f) {
    this.atEnd.push(f)
  }

  async end() {
    for (const f of this.atEnd.reverse()) await f()
  }
}

export const same = (want, got, what) => assert.deepEqual(got, want, what)

export function has(want, text) {
  assert.ok(text.includes(want), `${want} is not in ${text}`)
}

// Asks until the answer is true, and returns it.
export async function until(condition, what = String(condition)) {
  const deadline = Date.now() + patienceMs
  for (;;) {
    const answer = await condition()
    if (answer) return answer
    if (Date.now() > deadline) throw new Error(`after ${patienceMs / 1000} s still not: ${what}`)
    await sleep(20)
  }
}

// The promise, unless it takes longer than a case has patience.
export async function soon(promise, what = 'an answer') {
  const late = new AbortController()
  try {
    return await Promise.race([
      promise,
      sleep(patienceMs, null, { signal: late.signal }).then(() => {
        throw new Error(`after ${patienceMs / 1000} s still not: ${what}`)
      }),
    ])
  } finally {
    late.abort()
  }
}

// The error that f has to fail with; its text, and that of what caused it, says all the words.
export async function refused(f, ...words) {
  let error
  try {
    await f()
  } catch (e) {
    error = e
  }
  assert.ok(error, 'not refused')
  for (const word of words) has(word, said(error))
  return error
}

function said(error) {
  if (!error) return ''
  const parts = [...(error.partitions ?? []), ...(error.groups ?? [])].map(part => part.error)
  const inside = [error.cause, error.originalError, ...(error.errors ?? []), ...parts].filter(e => e && e !== error)
  return [error.name, error.type, error.code, error.apiId, error.message, error.serverErrorMessage, ...inside.map(said)].join(' ')
}

// n values that differ and that compress
export const payloads = n =>
  Array.from({ length: n }, (_, i) => JSON.stringify({ n: i, text: 'a value like the others '.repeat(4) }))
