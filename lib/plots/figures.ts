/** The pictures of an evaluation: each measure in the form in which papers show it. */

import { angularMap, principalDirections, principalMap } from '../evaluate/latentMap.js'
import type { People } from '../evaluate/people.js'
import { trueAcceptAt } from '../evaluate/roc.js'
import { cumulativeErrors } from '../evaluate/scanDistance.js'
import type { Verification } from '../evaluate/verification.js'
import { histogram } from './histogram.js'
import { lineChart } from './lineChart.js'
import { scatterChart } from './scatterChart.js'
import { sphereView } from './sphereView.js'
import { decimal } from './svg.js'

/** What every figure has: its title and, for who cannot see it, what there is to see. */
export interface FigureOptions {
  title: string
  description?: string | undefined
}

/** ROC curves of some models on the same trials, false accepts on a logarithmic axis, with their intervals. */
export function rocFigure({
  models,
  ...figure
}: FigureOptions & {
  models: readonly { name: string; verification: Pick<Verification, 'curve' | 'band'> }[]
}): string {
  const different = Math.max(...models.map(({ verification }) => verification.curve.different))
  // Down to where ten false accepts are left, and no further than anyone looks.
  const from = 10 ** -Math.min(4, Math.max(1, Math.floor(Math.log10(different / 10))))
  const chance = Array.from({ length: 97 }, (_, i) => from ** (1 - i / 96))
  return lineChart({
    ...figure,
    description: figure.description ?? models.map(({ name }) => name).join(', '),
    x: { label: 'false accept rate', type: 'log', from, to: 1 },
    y: { label: 'true accept rate', from: 0, to: 1 },
    series: [
      ...models.map(({ name, verification: { curve, band } }) => ({
        name,
        // The curve enters the picture at its left edge.
        points: [
          { x: from, y: trueAcceptAt(curve, from) },
          ...Array.from(curve.falseAccept, (x, i) => ({ x, y: curve.trueAccept[i] as number })).filter(
            ({ x }) => x > from,
          ),
        ],
        band: band.filter(({ rate }) => rate >= from * 0.999).map(({ rate, low, high }) => ({ x: rate, low, high })),
      })),
      { name: 'chance', reference: true, points: chance.map((x) => ({ x, y: x })) },
    ],
  })
}

/** How similar photos of one person are, and those of two. */
export function similarityFigure({
  scores,
  same,
  label,
  thresholds = [],
  ...figure
}: FigureOptions & {
  /** [T] */
  scores: ArrayLike<number>
  /** [T] */
  same: ArrayLike<number | boolean>
  /** What the scores are, such as `cosine of the embeddings`. */
  label: string
  thresholds?: Verification['thresholds']
}): string {
  const all = Float64Array.from(scores)
  return histogram({
    ...figure,
    x: { label },
    series: [
      { name: 'same person', values: all.filter((_, i) => Boolean(same[i])) },
      { name: 'different people', values: all.filter((_, i) => !same[i]) },
    ],
    lines: thresholds
      .filter(({ threshold }) => Number.isFinite(threshold))
      .map(({ rate, threshold }) => ({ at: threshold, label: `FAR ${decimal(100 * rate, 3)}%` })),
  })
}

/** Errors over the number of modes. */
export function modesFigure({
  models,
  label,
  ...figure
}: FigureOptions & {
  /** What is measured, such as `RMS error of unseen faces (mm)`. */
  label: string
  models: readonly { name: string; points: readonly { modes: number; value: number; low?: number; high?: number }[] }[]
}): string {
  const modes = [...new Set(models.flatMap(({ points }) => points.map((point) => point.modes)))].sort((a, b) => a - b)
  const [least = 1, most = 1] = [modes[0], modes.at(-1)]
  return lineChart({
    ...figure,
    x: { label: 'modes K', type: 'log', ticks: modes, from: least / 1.15, to: most * 1.15 },
    y: { label, from: 0 },
    series: models.map(({ name, points }) => ({
      name,
      markers: true,
      points: points.map((point) => ({ x: point.modes, y: point.value, low: point.low, high: point.high })),
    })),
  })
}

/** The share of errors up to each size, for some models. */
export function cumulativeErrorFigure({
  models,
  label,
  upTo,
  ...figure
}: FigureOptions & {
  /** What is measured, such as `distance from the scan (mm)`. */
  label: string
  upTo: number
  models: readonly { name: string; errors: ArrayLike<number> }[]
}): string {
  return lineChart({
    ...figure,
    x: { label, from: 0, to: upTo },
    y: { label: 'share of the errors', percent: true, from: 0, to: 1 },
    series: models.map(({ name, errors }) => ({
      name,
      points: cumulativeErrors(errors, { upTo, steps: 240 }).map(({ error, share }) => ({ x: error, y: share })),
    })),
  })
}

/** What the figures of latents are given. */
export interface LatentFigureOptions extends FigureOptions {
  /** [n] */
  embeddings: ReadonlyArray<ArrayLike<number>>
  people: People
  /** The people with most photos are shown, up to this number; more cannot be told apart. Default 16. */
  most?: number
}

/**
 * Embeddings on a plane, tied to the middle of their person.
 *
 * @param options.method `angles` (default): classical scaling of the angles; `principal`: principal components.
 */
export function latentMapFigure({
  method = 'angles',
  ...options
}: LatentFigureOptions & { method?: 'angles' | 'principal' }): string {
  const { embeddings, groups } = someOf(options)
  const { coordinates, shares } = method === 'angles' ? angularMap(embeddings) : principalMap(embeddings)
  const share = (k: number) => `${decimal(100 * (shares[k] as number), 0)}%`
  return scatterChart({
    title: options.title,
    description: options.description,
    width: 480,
    height: 440,
    equal: true,
    spokes: true,
    x: { label: `first direction (${share(0)})` },
    y: { label: `second direction (${share(1)})` },
    points: coordinates.map(([x = 0, y = 0], i) => ({ x, y, group: groups[i] as number })),
  })
}

/** Embeddings on the sphere of their first three directions, the first of which looks at the reader. */
export function latentSphereFigure(options: LatentFigureOptions): string {
  const { embeddings, groups } = someOf(options)
  return sphereView({
    title: options.title,
    description: options.description,
    points: principalDirections(embeddings).map(([first, second, third], i) => ({
      direction: [second, third, first],
      group: groups[i] as number,
    })),
  })
}

/** The photos of the people who have most, numbered anew. */
function someOf({ embeddings, people, most = 16 }: LatentFigureOptions) {
  const counts = Array<number>(people.count).fill(0)
  for (const person of people.person) counts[person]!++
  const chosen = counts
    .map((count, person) => ({ count, person }))
    .sort((a, b) => b.count - a.count || a.person - b.person)
    .slice(0, most)
    .map(({ person }) => person)
    .sort((a, b) => a - b)
  const group = new Map(chosen.map((person, i) => [person, i]))
  const items = Array.from(people.person.keys()).filter((i) => group.has(people.person[i] as number))
  return {
    embeddings: items.map((i) => embeddings[i] as ArrayLike<number>),
    groups: items.map((i) => group.get(people.person[i] as number) as number),
  }
}
