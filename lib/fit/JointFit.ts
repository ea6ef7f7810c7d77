import { type NativeFits, type NativeJoint, native } from '../native.js'
import type { FitResult } from './FitResult.js'
import { BatchedEvidence, EVIDENCE, type JointEvidence, pick } from './JointEvidence.js'
import { type JointFitResult, JointResult } from './JointFitResult.js'
import { addTimes, type ImageEvidence, PersonEstimate, packedProduct, squaredNorm } from './PersonEstimate.js'
import type { PersonLink } from './PersonLink.js'
import { type Posterior, triangle } from './Posterior.js'
import type { ResultSizes } from './Results.js'
import { type FitImages, guessPerson, type ImageFit, type JointSolution, solveJoint } from './solveJoint.js'

/** Observations that go through one native call, and what passes leave to each other. */
export interface JointBatch {
  /** Their places among all observations. */
  observations: readonly number[]
  /** And among those that are fitted together. */
  members: readonly number[]
  images: unknown
}

/** What a joint fit needs of its fitter. */
export interface JointContext {
  sizes: ResultSizes
  /** p, the weight of the identity's prior. */
  prior: number
  costTolerance: number
  maxIterations: number
  outliers: boolean
  posterior: boolean
  /** L [D,D] of v = L x, and the sphere's radius (0: flat). */
  identityPrior: { factor: Float64Array; radius: number }
  link: PersonLink
  /** What makes passes over observations of one scheme and kind. */
  prepare(observations: readonly number[]): (joint: NativeJoint, costTolerance: number) => Promise<NativeFits>
  resultOf(output: NativeFits, i: number, member: number): FitResult
  /** The face at whitened coordinates. */
  fromWhitened(x: Float64Array): { identity: Float32Array; embedding: Float32Array }
}

/** Places in a seed (native/core/FitSeed.h). */
const SEED = { drift: 17, latents: 18 } as const
/** Places in a record (native/core/FitRecord.h). */
const RECORD = { status: 0, initialCost: 4, finalCost: 5, size: 24 } as const
const FAILED = 2
/** For images that are fitted on the way by more than a step. */
const DRAFT_TOLERANCE = 1e-3
/** Of many images, that many are looked at first: where it is known roughly who it is, the others are less work. */
const FEW = 12
const MANY = 24

/** Fits all observations to one person. */
export async function fitJointly(batches: readonly JointBatch[], count: number, context: JointContext) {
  const { sizes, prior, link, costTolerance } = context
  const D = sizes.embeddingCount
  // One image is fitted as it is by itself.
  const sizeFree = count > 1
  const results = new Array<FitResult>(count)
  const latents = new Array<Float64Array>(count)
  const evidence = new Array<ImageEvidence>(count)
  const passesOver = (some: readonly JointBatch[]): FitImages => {
    const fits = some.map((batch) => context.prepare(batch.observations))
    return async ({ w, members, settled, relinearise, last }) => {
      const images = new Array<ImageFit>(members.length)
      const part = prior / Math.max(1, sumOf(members))
      const pass = { w, prior: part, holdsScale: settled, relinearise, last, evidence: last && context.posterior }
      const at = { ...link.at(w), linked: true, draft: !last, sizeFree, seeds: null }
      const calls = some.map(async (batch, b) => {
        // On the way all images are treated alike, or what is said of one would depend on what was thought of it.
        const own = {
          ...pass,
          members: last ? pick(members, batch.members) : new Float64Array(batch.members.length).fill(1),
        }
        const joint = { ...at, pass: own, images: batch.images }
        const output = await fits[b]!(joint, last ? costTolerance : DRAFT_TOLERANCE)
        batch.images = output.images
        for (const [i, member] of batch.members.entries()) {
          images[member] = imageFit(output, i)
          if (!last) continue
          if (context.posterior) evidence[member] = evidenceAt(imageEvidence(output, i, D), w)
          const seeds = output.seeds as Float64Array
          const seed = (i * seeds.length) / batch.members.length + SEED.latents
          latents[member] = seeds.slice(seed, seed + D)
          results[member] = context.resultOf(output, i, member)
        }
      })
      await Promise.all(calls)
      return { images, evidence: new BatchedEvidence(some, D, prior) }
    }
  }
  const settings = { ...context, size: D, deviates: sizes.personShare !== undefined }
  const few = count < MANY ? [] : someOf(batches, count, FEW)
  const start = few.length > 0 ? await using(few, () => guessPerson(passesOver(few), FEW, settings)) : undefined
  return using(batches, async () => {
    const solution = await solveJoint(passesOver(batches), count, settings, start)
    return jointResult(solution, batches, evidence, results, latents, context)
  })
}

/** Gives back what passes have left when `body` is done with it. */
async function using<T>(batches: readonly JointBatch[], body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } finally {
    for (const { images } of batches) if (images !== undefined) native().joint.release(images)
  }
}

/** `few` of `count` observations, evenly spread. */
function someOf(batches: readonly JointBatch[], count: number, few: number): JointBatch[] {
  const places = new Map(Array.from({ length: few }, (_, i) => [Math.floor((i * count) / few), i]))
  return batches
    .map(({ observations }) => observations.filter((observation) => places.has(observation)))
    .filter((observations) => observations.length > 0)
    .map((observations) => ({
      observations,
      members: observations.map((each) => places.get(each)!),
      images: undefined,
    }))
}

/** The seed of a single fit, moved to the identity v, with the person's part added to what drives the size. */
export function jointSeed(seed: Float64Array, v: Float64Array, drift: number): Float64Array {
  const moved = seed.slice()
  moved.set(v, SEED.latents)
  moved[SEED.drift]! += drift
  return moved
}

/** What became of the i-th image of a joint batch. */
function imageFit({ records }: NativeFits, i: number): ImageFit {
  return {
    fitted: isFitted(records, i),
    cost: records[i * RECORD.size + RECORD.finalCost] as number,
    here: records[i * RECORD.size + RECORD.initialCost] as number,
  }
}

/** Whether there was something to go by. */
export const isFitted = (records: Float64Array, i: number) => records[i * RECORD.size + RECORD.status] !== FAILED

/** What the i-th image of a joint batch says of the person, in views: [D(D+1)/2] information and [D] gradient of the cost by w. */
export function imageEvidence({ evidence }: NativeFits, i: number, D: number) {
  const size = triangle(D) + D
  const own = (evidence as Float64Array).subarray(i * size, (i + 1) * size)
  return { information: own.subarray(0, triangle(D)), gradient: own.subarray(triangle(D)) }
}

/** The shift that has the image's gradient at w: S w - g. */
export function evidenceAt(
  { information, gradient }: { information: Float64Array; gradient: Float64Array },
  w: Float64Array,
): ImageEvidence {
  return { information, shift: packedProduct(information, w).map((value, i) => value - gradient[i]!) }
}

function jointResult(
  solution: JointSolution,
  batches: readonly JointBatch[],
  said: readonly ImageEvidence[],
  images: FitResult[],
  latents: readonly Float64Array[],
  context: JointContext,
): JointFitResult {
  const { sizes, prior, link, identityPrior } = context
  const D = sizes.embeddingCount
  const { weights, probabilities, converged, iterations, cost } = solution
  // As a single photo's: an odd photo must not pass for an odd face (personPosterior.ts).
  const one = new Float64Array(images.length).fill(1)
  const scales = sizes.personShare ? expectedScales(new BatchedEvidence(batches, D, 1), D) : one
  const sum = new BatchedEvidence(batches, D, prior).sum(weights, scales)
  // The face in the images on average: that of the person, and what these photos have in common besides.
  const shown = new Float64Array(D)
  const total = sumOf(weights)
  for (const [i, weight] of weights.entries()) {
    if (weight === 0) continue
    addTimes(shown, latents[i]!, 1 / total)
    if (!context.posterior) continue
    const { information, shift } = said[i]!
    images[i]!.posterior = inSinglePrecision({ information, shift: shift.map((value) => value * scales[i]!) })
  }
  const fitted = solution.images.filter((image) => image.fitted).length
  const outliers = [...weights.keys()].filter((i) => weights[i] === 0)
  for (const i of outliers) if (images[i]!.status !== 'failed') images[i]!.message += '; likely of somebody else'
  const person = sum.solve()
  const mean = person.mean()
  const length = Math.sqrt(squaredNorm(mean))
  const spread = Math.sqrt(person.spread(link.transfer))
  return JointResult.of({
    ...(sizes.reference && { model: sizes.reference }),
    status: fitted === 0 ? 'failed' : converged ? 'converged' : 'max-iterations',
    usable: images.some(({ usable }, i) => usable && weights[i] === 1),
    message:
      fitted === 0
        ? 'no image could be fitted; each says why'
        : `${fitted} of ${images.length} images fitted in ${iterations} passes, ${outliers.length} left out`,
    iterations,
    cost: fitted === 0 ? null : cost,
    identity: context.fromWhitened(link.whitened(shown)).identity,
    embedding: Float32Array.from(mean, (value) => (length > 0 ? value / length : 0)),
    ...(fitted > 0 && { posterior: inSinglePrecision(sum) }),
    identity_uncertainty:
      fitted === 0 ? null : spread / (identityPrior.radius > 0 ? identityPrior.radius : Math.sqrt(D)),
    images,
    image_weights: Float32Array.from(probabilities),
    outlier_images: outliers,
  })
}

/** What to multiply shifts by, so that each image's estimate has the length that the prior expects of it. */
function expectedScales(evidence: JointEvidence, D: number): Float64Array {
  const one = new Float64Array(evidence.count).fill(1)
  const numbers = evidence.weigh(new PersonEstimate(D, 1), one, one, true)
  return one.map((_, i) => {
    const [spread, squared] = [EVIDENCE.spread, EVIDENCE.squaredMean].map((k) => numbers[i * EVIDENCE.count + k]!)
    return squared! > 0 ? Math.sqrt(Math.max(D - spread!, 0) / squared!) : 1
  })
}

const sumOf = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0)

const inSinglePrecision = ({ information, shift }: ImageEvidence): Posterior => ({
  information: Float32Array.from(information),
  shift: Float32Array.from(shift),
})
