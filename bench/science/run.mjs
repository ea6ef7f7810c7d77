// node bench/science/run.mjs [--seeds 1,2,3] [--source MODEL] [--small] [--json]
// Trains on synthetic people and holds the figures against their bars, for every seed. Exit status 1 if one fails.

import { parseArgs } from 'node:util'
import { barsOf, passes } from './bars.mjs'
import { measure } from './measure.mjs'
import { loadSource, photoPopulation, population, SIZES } from './population.mjs'
import { measureStage2 } from './stage2.mjs'

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1,2,3' },
    source: { type: 'string' },
    small: { type: 'boolean' },
    json: { type: 'boolean' },
  },
})
const seeds = options.seeds.split(',').map(Number)
const size = options.small ? SIZES.small : SIZES.full

const start = performance.now()
const log = (text) => console.error(`${((performance.now() - start) / 1000).toFixed(0).padStart(5)} s  ${text}`)

const { source, name } = await loadSource(options.source)
log(`people drawn from ${name}`)
const all = []
for (const seed of seeds) {
  const say = (what) => log(`seed ${seed}: ${what}`)
  const figures = await figuresOf(seed, say)
  if (size.stage2) {
    const people = await photoPopulation(source, seed, size.stage2)
    figures.stage2 = await measureStage2(people, seed, size.stage2, say)
  }
  all.push({ seed, figures, bars: barsOf(figures, options.small) })
}
const failed = all.flatMap(({ bars }) => bars.filter((bar) => !passes(bar))).length
if (options.json) console.log(JSON.stringify({ source: name, size, runs: all, failed }))
else print(all)
log(failed === 0 ? 'all bars are met' : `${failed} bars are not met`)
process.exitCode = failed === 0 ? 0 : 1

/** In a function of its own, so that the scans are let go before others are drawn. */
async function figuresOf(seed, say) {
  const data = await population(source, seed, size)
  say(`${data.scanCount} scans`)
  return measure(data, seed, size, say)
}

function print(runs) {
  const number = (value) => (Math.abs(value) < 1e-3 && value !== 0 ? value.toExponential(1) : value.toFixed(4))
  const names = runs[0].bars.map(({ name: bar }) => bar)
  const width = Math.max(...names.map(({ length }) => length))
  console.log(
    `${'bar'.padEnd(width)}  ${'bound'.padStart(9)}  ${runs.map(({ seed }) => `seed ${seed}`.padStart(11)).join('')}`,
  )
  for (const [i, bar] of names.entries()) {
    const { least, most } = runs[0].bars[i]
    const bound = least === undefined ? `<= ${most}` : `>= ${least}`
    const cells = runs.map(({ bars }) => `${number(bars[i].value)} ${passes(bars[i]) ? '  ' : ' X'}`.padStart(11))
    console.log(`${bar.padEnd(width)}  ${bound.padStart(9)}  ${cells.join('')}`)
  }
  console.log('\nFigures behind them: model, principal components, the model without the sphere')
  for (const { seed, figures } of runs)
    for (const kind of ['dense', 'photos', 'stage2'])
      for (const [model, values] of Object.entries(figures[kind] ?? {}))
        console.log(seed, kind, model, JSON.stringify(values))
}
