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
}) => Promise<{ images: ImageFit[]; evidence: JointEvidence }>

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
  /** The joint objective where the images were fitted one by one and fused, and at the end. */
  cost: { initial: number; final: number }
  iterations: number
  converged: boolean
}

/** A gain in log-likelihood that is not worth another pass: a third of a standard deviation in one of all directions. */
const NEGLIGIBLE = 0.05
const SHORTEST_STEP = 1 / 16
/** Passes in which the objective is still being settled: at which scale the images are seen. */
const UNSETTLED = 1
/** Passes that make their normal matrices anew; those of later ones do so where the last step left more than this of the gain. */
const LINEARISED = 2
const SLOW = 0.3

/**
 * Finds the person whom all images show. Every image says what its own unknowns, its deviation from the person included,
 * make of a change of w once they have taken their own step, so that a Gauss-Newton step on w is the joint step with those
 * eliminated: a sum of one [D,D] system for each image. Steps that raise the joint objective are halved.
 */
export async function solveJoint(fitImages: FitImages, count: number, settings: JointSettings): Promise<JointSolution> {
  const { size, prior, costTolerance, maxIterations } = settings
  let w: Float64Array = new Float64Array(size)
  let { images, evidence } = await fitImages({
    w,
    members: new Float64Array(count).fill(1),
    settled: false,
    relinearise: true,
    last: false,
  })
  let { weights, probabilities } = membersOf(images, evidence, settings)
  let sum = evidence.sum(weights)
  let next = sum.solve().mean()
  let initial = Number.POSITIVE_INFINITY
  let value = Number.POSITIVE_INFINITY
  let gain = Number.POSITIVE_INFINITY
  let before = gain
  let iterations = 0
  let converged = images.every(({ fitted }) => !fitted)
  while (!converged && iterations < maxIterations) {
    const relinearise = iterations < LINEARISED || !(gain < SLOW * before)
    const pass = (at: Float64Array) =>
      fitImages({ w: at, members: weights, settled: iterations >= UNSETTLED, relinearise, last: false })
    let trial = next
    let step = 1
    let seen = await pass(trial)
    iterations++
    const raised = () => iterations > UNSETTLED && jointCost(seen.images, weights, trial, prior, 'cost') > value + gain
    while (step > SHORTEST_STEP && (lost(images, seen.images) || raised())) {
      step /= 2
      trial = w.map((from, i) => from + step * (next[i]! - from))
      seen = await pass(trial)
    }
    ;({ images, evidence } = seen)
    w = trial
    const first = weights
    ;({ weights, probabilities } = membersOf(images, evidence, settings))
    const stable = weights.every((weight, i) => weight === first[i])
    value = jointCost(images, weights, w, prior, 'here')
    if (iterations === 1) initial = value
    sum = evidence.sum(weights)
    next = sum.solve().mean()
    before = gain
    gain = promised(sum, w, next, prior)
    converged = stable && gain < Math.max(costTolerance * value, NEGLIGIBLE)
  }
  w = next
  ;({ images } = await fitImages({ w, members: weights, settled: true, relinearise: true, last: true }))
  const final = jointCost(images, weights, w, prior, 'cost')
  return { w, images, weights, probabilities, cost: { initial, final }, iterations, converged }
}

/** Whether an image that could be fitted no longer can: the person has become impossible. */
function lost(before: readonly ImageFit[], after: readonly ImageFit[]): boolean {
  return before.some(({ fitted }, i) => fitted && !after[i]!.fitted)
}

function membersOf(images: readonly ImageFit[], evidence: JointEvidence, settings: JointSettings): Membership {
  const fitted = images.map((image) => image.fitted)
  if (settings.outliers) return membership(fitted, evidence, settings)
  const weights = Float64Array.from(fitted, Number)
  return { weights, probabilities: weights.slice() }
}

function jointCost(
  images: readonly ImageFit[],
  weights: Float64Array,
  w: Float64Array,
  prior: number,
  by: 'cost' | 'here',
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
