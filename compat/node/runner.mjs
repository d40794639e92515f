// Runs the cases of must-pass, several at a time, each in a process of its own with a time limit.
//
// Usage: runner.mjs ADDR [CLIENT | CLIENT/CASE | CASE…]. QUICK=1 leaves out what must-pass marks
// slow. A case of a client's module that must-pass does not list, or the other way round, is a failure.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Case } from './harness.mjs'

const modules = { kafkajs: './kafkajs.mjs', '@platformatic/kafka': './platformatic.mjs' }
const sideBySide = 6 // most of a case is waiting
const limitMs = 60_000
const outputShown = 6000 // characters

const split = name => [name.slice(0, name.lastIndexOf('/')), name.slice(name.lastIndexOf('/') + 1)]

// {CLIENT/CASE: slow} of must-pass, in its order
function listed() {
  const cases = new Map()
  for (const line of readFileSync(new URL('must-pass', import.meta.url), 'utf8').split('\n')) {
    const [name, comment] = line.split('#').map(s => s.trim())
    if (name) cases.set(name, comment === 'slow')
  }
  return cases
}

async function defined() {
  const names = []
  for (const [client, module] of Object.entries(modules)) {
    for (const name of Object.keys((await import(module)).cases)) names.push(`${client}/${name}`)
  }
  return names
}

// The life of one case's process.
async function runCase(addr, fullName) {
  const [client, name] = split(fullName)
  const { cases } = await import(modules[client])
  const k = new Case(addr, fullName)
  try {
    await cases[name](k)
    await k.end()
    process.exit(0) // whatever the client has left running
  } catch (error) {
    console.error(error)
    process.exit(1)
  }
}

// {failed: why or null, seconds} of a case in a process
function spawned(addr, name) {
  const began = performance.now()
  return new Promise(resolve => {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), addr, '--in-process', name])
    let output = ''
    let late = false
    for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (output += data))
    const limit = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, limitMs)
    child.on('close', code => {
      clearTimeout(limit)
      const why = late ? `did not end in ${limitMs / 1000} s` : code === 0 ? null : `exit code ${code}`
      resolve({ failed: why && `${why}\n${output.slice(-outputShown)}`, seconds: (performance.now() - began) / 1000 })
    })
  })
}

async function main(addr, wanted) {
  const must = listed()
  const there = await defined()
  let passed = 0
  let failed = 0
  const report = (name, why) => {
    if (why) failed++
    else passed++
    console.log(why ? `FAIL ${name}: ${why}` : `PASS ${name}`)
  }

  for (const name of there) if (!must.has(name)) report(name, 'not listed in must-pass')
  for (const name of must.keys()) if (!there.includes(name)) report(name, 'listed in must-pass, and no such case')

  let chosen = [...must.keys()].filter(name => there.includes(name))
  if (wanted.length > 0) chosen = chosen.filter(name => wanted.some(w => [name, ...split(name)].includes(w)))
  else if (process.env.QUICK === '1') chosen = chosen.filter(name => !must.get(name))

  await Promise.all(
    Array.from({ length: sideBySide }, async () => {
      for (let name = chosen.shift(); name; name = chosen.shift()) {
        const { failed: why, seconds } = await spawned(addr, name)
        if (process.env.TIMES) console.log(`${seconds.toFixed(1).padStart(5)} s ${name}`)
        report(name, why)
      }
    }),
  )
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = passed > 0 && failed === 0 ? 0 : 1
}

const [addr, ...rest] = process.argv.slice(2)
if (!addr) {
  console.error('usage: runner.mjs ADDR [CLIENT | CLIENT/CASE | CASE…]')
  process.exitCode = 2
} else if (rest[0] === '--in-process') {
  await runCase(addr, rest[1])
} else {
  await main(addr, rest)
}
