import { type ImageEvidence, PersonEstimate, packedProduct } from './PersonEstimate.js'

/** What one pass over the images gives for one of them. */
export interface ImageFit {
  /** Whether there is something to go by. */
  fitted: boolean
  /** The image's own objective at its best pose, expression and deviation for the person's w. */
  cost: number
  /** [D(D+1)/2] and [D] of the cost by w, to second order: without the prior of w. */
  information: Float64Array
  gradient: Float64Array
}

/** How the images are fitted for a given w; `linked`: whether w is the prior of their identities. */
export type FitImages = (pass: {
  w: Float64Array
  linked: boolean
  draft: boolean
  /** Whether the objective stays as it was: passes with and without cannot be compared. */
  settled: boolean
  costTolerance: number
}) => Promise<ImageFit[]>

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
  evidence: ImageEvidence[]
  /** 1 for images that have a part in w, 0 for others. */
  weights: Float64Array
  /** 0..1: how likely an image is of this person; 0 where nothing was fitted. */
  probabilities: Float64Array
  /** The joint objective where the images were fitted one by one and fused, and at the end. */
  cost: { initial: number; final: number }
  iterations: number
  converged: boolean
}

/** Passes on the way: each is one or two steps of every image. */
const DRAFT_TOLERANCE = 1e-3
/** Passes in which the objective is still being settled: images' weights, and what drives the size. At least ... */
const UNSETTLED = 2
/** At most; and the gain in log-likelihood from which on the end is near enough to settle it. */
const LAST_UNSETTLED = 6
const NEAR = 1
/** A gain in log-likelihood that is not worth another pass: a third of a standard deviation in one of all directions. */
const NEGLIGIBLE = 0.05
const SHORTEST_STEP = 1 / 16
/** Each weight depends on the others. */
const ROUNDS = 3
/** How likely an image is of somebody else, before any has been seen: as if 20 had been, one of them a stranger's. */
const STRANGERS = 0.05
/**
 * What the logarithm of a likelihood ratio is worth: of photos, whose landmarks are not quite as the model has it, a fifth
 * (docs/joint.md).
 */
const CAUTION = 0.2

/**
 * Finds the person whom all images show. Every image's own unknowns, its deviation from the person included, are at their
 * best for the current w (the objective is the profile of the joint one), so that a Gauss-Newton step on w is the joint
 * step with those eliminated: a sum of one [D,D] system for each image. Steps that do not lower the joint objective are
 * halved.
 */
export async function solveJoint(fitImages: FitImages, settings: JointSettings): Promise<JointSolution> {
  const { size, prior, costTolerance, maxIterations } = settings
  let w: Float64Array = new Float64Array(size)
  let images = await fitImages({ w, linked: false, draft: true, settled: false, costTolerance: DRAFT_TOLERANCE })
  let evidence = images.map((image) => evidenceAt(image, w))
  let { weights, probabilities } = membership(images, evidence, settings)
  let next = estimate(evidence, weights, settings).solve().mean()
  let initial = Number.POSITIVE_INFINITY
  let value = Number.POSITIVE_INFINITY
  let iterations = 0
  let stable = false
  let gain = Number.POSITIVE_INFINITY
  let near = false
  let settled = false
  let settledAt = Number.POSITIVE_INFINITY
  let converged = images.every(({ fitted }) => !fitted)
  while (!converged && iterations < maxIterations) {
    let trial = next
    let step = 1
    settled ||= iterations >= UNSETTLED && ((stable && near) || iterations >= LAST_UNSETTLED)
    let trialImages = await fitImages({ w: trial, linked: true, draft: true, settled, costTolerance: DRAFT_TOLERANCE })
    let trialValue = jointCost(trialImages, weights, trial, prior)
    iterations++
    if (settled) settledAt = Math.min(settledAt, iterations)
    while (step > SHORTEST_STEP && (lost(images, trialImages) || (iterations > settledAt && trialValue > value))) {
      step /= 2
      trial = w.map((from, i) => from + step * (next[i]! - from))
      trialImages = await fitImages({ w: trial, linked: true, draft: true, settled, costTolerance: DRAFT_TOLERANCE })
      trialValue = jointCost(trialImages, weights, trial, prior)
    }
    images = trialImages
    w = trial
    evidence = images.map((image) => evidenceAt(image, w))
    if (!settled) {
      const first = weights
      ;({ weights, probabilities } = membership(images, evidence, settings))
      stable = weights.every((weight, i) => weight === first[i])
    }
    value = jointCost(images, weights, w, prior)
    if (iterations === 1) initial = value
    next = estimate(evidence, weights, settings).solve().mean()
    const before = gain
    gain = promised(evidence, weights, w, next, prior)
    // Or it does not come nearer any more: the size may run away while what drives it is still changing.
    near = gain < NEAR || gain > 0.5 * before
    converged = (settled || (stable && iterations > 1)) && gain < Math.max(costTolerance * value, NEGLIGIBLE)
  }
  w = next
  images = await fitImages({ w, linked: true, draft: false, settled: true, costTolerance })
  evidence = images.map((image) => evidenceAt(image, w))
  const final = jointCost(images, weights, w, prior)
  return { w, images, evidence, weights, probabilities, cost: { initial, final }, iterations, converged }
}

/** Whether an image that could be fitted no longer can: the person has become impossible. */
function lost(before: readonly ImageFit[], after: readonly ImageFit[]): boolean {
  return before.some(({ fitted }, i) => fitted && !after[i]!.fitted)
}

/** The shift that has the image's gradient at w: S w - g. */
export function evidenceAt({ information, gradient }: ImageFit, w: Float64Array): ImageEvidence {
  return { information, shift: packedProduct(information, w).map((value, i) => value - gradient[i]!) }
}

function estimate(evidence: readonly ImageEvidence[], weights: Float64Array, { size, prior }: JointSettings) {
  const sum = new PersonEstimate(size, prior)
  for (const [i, each] of evidence.entries()) if (weights[i]! > 0) sum.add(each, weights[i]!)
  return sum
}

function jointCost(images: readonly ImageFit[], weights: Float64Array, w: Float64Array, prior: number): number {
  let cost = 0
  for (const value of w) cost += 0.5 * prior * value * value
  for (const [i, image] of images.entries()) if (weights[i]! > 0) cost += weights[i]! * image.cost
  return cost
}

/** The decrease of the joint objective that the quadratic model promises for the step from w to its minimum. */
function promised(
  evidence: readonly ImageEvidence[],
  weights: Float64Array,
  w: Float64Array,
  minimum: Float64Array,
  prior: number,
): number {
  const step = minimum.map((value, i) => value - w[i]!)
  let sum = 0
  for (const value of step) sum += prior * value * value
  for (const [i, { information }] of evidence.entries()) {
    if (weights[i] === 0) continue
    const product = packedProduct(information, step)
    for (let k = 0; k < step.length; k++) sum += weights[i]! * product[k]! * step[k]!
  }
  return 0.5 * sum
}

/** Which images are of the person, as 0 or 1, and how likely. */
interface Membership {
  weights: Float64Array
  probabilities: Float64Array
}

/**
 * How likely each image is of the person whom the others show: the likelihood ratio of one person against two, with the
 * odds of a stranger among them, which the images tell as well. Two images are not enough to tell which is the odd one.
 */
function membership(
  images: readonly ImageFit[],
  evidence: readonly ImageEvidence[],
  settings: JointSettings,
): Membership {
  const { size, prior, outliers, deviates } = settings
  const weights = Float64Array.from(images, ({ fitted }) => (fitted ? 1 : 0))
  const probabilities = weights.slice()
  const present = sumOf(weights)
  if (!outliers || present < 3) return { weights, probabilities }
  const alone: number[] = []
  const fair = evidence.map((each, i) => {
    const solution = new PersonEstimate(size, prior).add(each, weights[i]!).solve()
    const scale = deviates && weights[i] ? solution.expectedScale() : 1
    alone.push(solution.logEvidence(scale))
    return { information: each.information, shift: each.shift.map((value) => scale * value) }
  })
  let strangers = STRANGERS
  for (let round = 0; round < ROUNDS; round++) {
    const all = estimate(fair, weights, settings)
    const everything = all.solve().logEvidence()
    const odds = Math.log((1 - strangers) / strangers)
    for (const [i, each] of fair.entries()) {
      if (!images[i]!.fitted) continue
      // With it where it is not among them, without it where it is.
      const other = new PersonEstimate(size, prior).add(all, 1).add(each, weights[i] ? -1 : 1)
      const change = everything - other.solve().logEvidence()
      const ratio = (weights[i] ? change : -change) - alone[i]!
      probabilities[i] = 1 / (1 + Math.exp(-CAUTION * ratio - odds))
    }
    const before = weights.slice()
    for (let i = 0; i < weights.length; i++) weights[i] = probabilities[i]! >= 0.5 ? 1 : 0
    strangers = (1 + present - sumOf(probabilities)) / (1 / STRANGERS + present)
    if (before.every((weight, i) => weight === weights[i])) break
  }
  return { weights, probabilities }
}

const sumOf = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0)
