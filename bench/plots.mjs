// A report as pictures: what decoding reaches over the batch, the latents and the threads, with the machine's limits
// drawn in.
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { lineChart } from '../dist/plots/index.js'

/**
 * Faces a second that fp32 arithmetic and plain stores allow whoever multiplies every column for every vertex, whichever is
 * less: the basis is read once for many.
 */
const roofline = ({ gflops, storeGBps }, numbers, columns) =>
  Math.min((gflops * 1e9) / (2 * numbers * columns), (storeGBps * 1e9) / (4 * numbers))

const thousands = (facesPerSecond) => facesPerSecond / 1000
const spread = (batch, { median, min, max }) => ({
  x: batch,
  y: thousands((1e3 * batch) / median),
  low: thousands((1e3 * batch) / max),
  high: thousands((1e3 * batch) / min),
})

function overBatch({ decode, kernels, numbers }) {
  const names = [
    ['sync', 'this package'],
    ['onnxruntime', 'onnxruntime'],
    ['numpy', 'numpy + BLAS'],
    ['torch', 'PyTorch'],
  ]
  const series = names
    .map(([key, name]) => ({
      name,
      markers: true,
      points: decode.rows.filter(({ times }) => times[key]).map(({ batch, times }) => spread(batch, times[key])),
    }))
    .filter(({ points }) => points.length > 0)
  const [first, last] = [decode.rows[0].batch, decode.rows.at(-1).batch]
  const roof = kernels && {
    name: 'limit of a full product',
    reference: true,
    points: [first, last].map((x) => ({ x, y: thousands(roofline(kernels.limits, numbers, decode.columns)) })),
  }
  return lineChart({
    title: 'Decoding on one thread, by batch',
    description: `Thousands of faces a second of ${numbers / 3} vertices, medians and the whole spread of runs.`,
    x: { label: 'faces in a batch', type: 'log', ticks: decode.rows.map(({ batch }) => batch) },
    y: { label: 'thousand faces a second', from: 0 },
    series: roof ? [...series, roof] : series,
  })
}

function overLatents({ decode, kernels, numbers }) {
  const rows = decode.byLatents
  const limits = kernels?.limits
  const points = rows.map(({ columns, batch, time }) => ({ ...spread(batch, time), x: columns }))
  const roof = limits && {
    name: 'limit of a full product',
    reference: true,
    points: rows.map(({ columns }) => ({ x: columns, y: thousands(roofline(limits, numbers, columns)) })),
  }
  return lineChart({
    title: 'Decoding on one thread, by the number of latents',
    description: 'Thousands of faces a second in batches of 64 for models of fewer identities.',
    x: { label: 'latents: identities and expressions' },
    y: { label: 'thousand faces a second', from: 0 },
    series: [{ name: 'this package, batches of 64', markers: true, points }, ...(roof ? [roof] : [])],
  })
}

function overThreads({ decode, fit }) {
  const rows = decode.byThreads
  const one = rows[0].facesPerSecond
  const fits = fit.filter(({ scheme, focal }) => scheme === 'ibug68' && focal === 'known')
  return lineChart({
    title: 'Speed by threads',
    description: 'How many times faster than one thread.',
    x: { label: 'threads', ticks: rows.map(({ threads }) => threads) },
    y: { label: 'times one thread', from: 0 },
    series: [
      {
        name: `decoding ${rows[0].batch} faces`,
        markers: true,
        points: rows.map((row) => ({ x: row.threads, y: row.facesPerSecond / one })),
      },
      {
        name: 'fitting 68 landmarks',
        markers: true,
        points: fits.map((row) => ({ x: row.threads, y: fits[0].millisecondsAFace / row.millisecondsAFace })),
      },
      { name: 'as many times', reference: true, points: rows.map(({ threads }) => ({ x: threads, y: threads })) },
    ],
  })
}

/** Writes the pictures of a report beside it, and returns their names. */
export function writePlots(report, name) {
  const folder = fileURLToPath(new URL('results/', import.meta.url))
  mkdirSync(folder, { recursive: true })
  const numbers = 3 * report.model.vertexCount
  const pictures = { batch: overBatch, latents: overLatents, threads: overThreads }
  return Object.entries(pictures).map(([kind, draw]) => {
    const file = `${name}-${kind}.svg`
    writeFileSync(`${folder}${file}`, `${draw({ ...report, numbers })}\n`)
    return file
  })
}
