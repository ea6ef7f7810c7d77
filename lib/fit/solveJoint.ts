import type { JointEvidence } from './JointEvidence.js'
import { type Membership, membership } from './membership.js'
import { type PersonEstimate, packedProduct, squaredNorm } from './PersonEstimate.js'

/** What one pass over the images gives for one of them. */
export interface ImageFit {
  /** Whether there is something to go by. */
  fitted: boolean
  /** The least value that the image's own objective promises for the person's w. */
  cost: number
  /** The same by the scale at which the image is seen now, which the next pass measures from. */
  here: number
}

/** How the images are seen from a given w: each takes one step, the last time all that lead to its optimum. */
export type FitImages = (pass: {
  w: Float64Array
  /** 1 for images that are of the person, 0 for others. */
  members: Float64Array
  /** Whether the objective stays what it was: what is an image's own is measured by the image's scale (docs/joint.md). */
  settled: boolean
  /** Whether normal matrices are made anew, or serve once more. */
  relinearise: boolean
  last: boolean
}) => Promise<SeenImages>

/** What a pass gives. */
export interface SeenImages {
  images: ImageFit[]
  evidence: JointEvidence
}

export interface JointSettings {
  /** D */
  size: number
  /** p, the weight of the identity's prior. */
  prior: number
  costTolerance: number
  maxIterations: number
  /** Whether images that are of somebody else are to be found. */
  outliers: boolean
  /** Whether the model knows that images of one person differ. */
  deviates: boolean
}

export interface JointSolution {
  w: Float64Array
  images: ImageFit[]
  /** 1 for images that have a part in w, 0 for others. */
  weights: Float64Array
  /** 0..1: how likely an image is of this person; 0 where nothing was fitted. */
  probabilities: Float64Array
  /** The joint objective after the first step of w, and at the end. */
  cost: { initial: number; final: number }
  iterations: number
  converged: boolean
}

/** A gain in log-likelihood that is not worth another pass: a standard deviation in one of all directions. */
const NEGLIGIBLE = 0.5
/** What an image may still have to gain before a pass that is likely to be the last, and where its normal matrix was made. */
const NEAR = 0.1
const SHORTEST_STEP = 1 / 16
/** Passes in which the objective is still being settled: at which scale the images are seen. */
const UNSETTLED = 2
/** Passes that make their normal matrices anew: without knowing who it is, and with an idea. */
const LINEARISED = { blind: 3, informed: 2 }
/** Passes after which the members stay who they are: two sets of them might take turns. */
const ASKED = 10
/** Later ones do so where the last step left more than this of the gain. */
const SLOW = 0.3

/**
 * Finds the person whom all images show. Every image says what its own unknowns, its deviation from the person included,
 * make of a change of w once they have taken their own step, so that a Gauss-Newton step on w is the joint step with those
 * eliminated: a sum of one [D,D] system for each image. Steps that raise the joint objective are halved.
 *
 * @param start Who it is, roughly. Without it every image begins by itself.
 */
export async function solveJoint(
  fitImages: FitImages,
  count: number,
  settings: JointSettings,
  start?: Float64Array,
): Promise<JointSolution> {
  const { size, prior, costTolerance, maxIterations } = settings
  const linearisations = start ? LINEARISED.informed : LINEARISED.blind
  const first = start ?? new Float64Array(size)
  const members = new Float64Array(count).fill(1)
  const seen = await fitImages({ w: first, members, settled: false, relinearise: true, last: false })
  let at = assess(seen, first, membersOf(seen, settings), settings)
  let before = Number.POSITIVE_INFINITY
  let linearised = at.gain
  let initial = Number.POSITIVE_INFINITY
  // Whether the members are who they were a pass before.
  let stable = false
  for (let iterations = 1; ; iterations++) {
    const { w, weights, next, gain, value } = at
    const enough = Math.max(costTolerance * value, NEGLIGIBLE)
    const near = Math.max(enough, NEAR * count)
    const last = (gain < near && stable) || iterations > maxIterations
    const settled = iterations >= UNSETTLED
    const relinearise = iterations < linearisations || !(gain < SLOW * before) || (last && !(linearised < near))
    const pass = (w: Float64Array) => fitImages({ w, members: weights, settled, relinearise, last })
    const most = settled ? value + gain : Number.POSITIVE_INFINITY
    let trial = next
    let seen = await pass(trial)
    for (let step = 0.5; step >= SHORTEST_STEP; step /= 2) {
      if (!lost(at.images, seen.images) && jointCost(seen.images, weights, trial, prior) <= most) break
      trial = w.map((from, i) => from + step * (next[i]! - from))
      seen = await pass(trial)
    }
    // Whose the images are is asked where they have something new to say, and until there is nothing new.
    const ask = iterations <= ASKED && (relinearise || !stable)
    at = assess(seen, trial, ask ? membersOf(seen, settings, at) : at, settings)
    stable = at.weights.every((weight, i) => weight === weights[i])
    before = gain
    if (relinearise) linearised = at.gain
    if (iterations === 1) initial = at.value
    const converged = at.gain < enough && stable
    if (!last || !(converged || iterations > maxIterations)) continue
    const final = jointCost(seen.images, at.weights, trial, prior)
    return { ...at, cost: { initial, final }, iterations, converged }
  }
}

/** Who it seems to be by a first look at the images. */
export async function guessPerson(fitImages: FitImages, count: number, settings: JointSettings): Promise<Float64Array> {
  const w = new Float64Array(settings.size)
  const members = new Float64Array(count).fill(1)
  const seen = await fitImages({ w, members, settled: false, relinearise: true, last: false })
  return assess(seen, w, membersOf(seen, settings), settings).next
}

/** Where passes have led. */
interface Standing extends Membership {
  w: Float64Array
  images: ImageFit[]
  /** The joint objective. */
  value: number
  /** Where its quadratic model has its minimum, and by how much that is lower. */
  next: Float64Array
  gain: number
}

function assess(
  { images, evidence }: SeenImages,
  w: Float64Array,
  { weights, probabilities }: Membership,
  { prior }: JointSettings,
): Standing {
  const sum = evidence.sum(weights)
  const next = sum.solve().mean()
  const value = jointCost(images, weights, w, prior, 'here')
  return { w, images, weights, probabilities, value, next, gain: promised(sum, w, next, prior) }
}

/** Whether an image that could be fitted no longer can: the person has become impossible. */
function lost(before: readonly ImageFit[], after: readonly ImageFit[]): boolean {
  return before.some(({ fitted }, i) => fitted && !after[i]!.fitted)
}

function membersOf({ images, evidence }: SeenImages, settings: JointSettings, before?: Membership): Membership {
  const fitted = images.map((image) => image.fitted)
  if (settings.outliers) return membership(fitted, evidence, settings, before)
  const weights = Float64Array.from(fitted, Number)
  return { weights, probabilities: weights.slice() }
}

function jointCost(
  images: readonly ImageFit[],
  weights: Float64Array,
  w: Float64Array,
  prior: number,
  by: 'cost' | 'here' = 'cost',
): number {
  let cost = 0.5 * prior * squaredNorm(w)
  for (const [i, image] of images.entries()) if (weights[i]! > 0) cost += weights[i]! * image[by]
  return cost
}

/** The decrease of the joint objective that the quadratic model promises for the step from w to its minimum. */
function promised({ information }: PersonEstimate, w: Float64Array, minimum: Float64Array, prior: number): number {
  const step = minimum.map((value, i) => value - w[i]!)
  const product = packedProduct(information, step)
  return 0.5 * step.reduce((sum, value, i) => sum + value * (prior * value + product[i]!), 0)
}
