import type { NativeFits, NativeJoint } from '../native.js'
import type { FitResult } from './FitResult.js'
import { type JointFitResult, JointResult } from './JointFitResult.js'
import { type ImageEvidence, PersonEstimate, squaredNorm } from './PersonEstimate.js'
import { PersonLink } from './PersonLink.js'
import { type Posterior, triangle } from './Posterior.js'
import { toExpectedLength } from './personPosterior.js'
import type { ResultSizes } from './Results.js'
import { type ImageFit, type JointSolution, solveJoint } from './solveJoint.js'

/** Observations that go through one native call, and where its fits ended. */
export interface JointBatch {
  /** Their places among all observations. */
  members: readonly number[]
  seeds: Float64Array | null
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
  fit(batch: JointBatch, joint: NativeJoint, costTolerance: number): Promise<NativeFits>
  resultOf(output: NativeFits, i: number, member: number): FitResult
  /** The face at whitened coordinates. */
  fromWhitened(x: Float64Array): { identity: Float32Array; embedding: Float32Array }
}

/** Places in a seed (native/core/FitSeed.h). */
const SEED = { drift: 17, latents: 18 } as const
/** Places in a record (native/core/FitRecord.h). */
const RECORD = { status: 0, finalCost: 5, size: 24 } as const
const FAILED = 2
/** Fits all observations to one person. */
export async function fitJointly(batches: readonly JointBatch[], count: number, context: JointContext) {
  const { sizes, prior, identityPrior } = context
  const D = sizes.embeddingCount
  const link = new PersonLink(identityPrior.factor, sizes.personShare, prior)
  // One image is fitted as it is by itself.
  const sizeFree = count > 1
  const results = new Array<FitResult>(count)
  const latents = new Array<Float64Array>(count)
  const solution = await solveJoint(
    async ({ w, linked, draft, settled, costTolerance }) => {
      const images = new Array<ImageFit>(count)
      const at = link.at(w)
      const calls = batches.map(async (batch) => {
        const { seeds } = batch
        const output = await context.fit(batch, { ...at, linked, draft, seeds, sizeFree }, costTolerance)
        batch.seeds = output.seeds as Float64Array
        settleDrift(batch, settled ? seeds : null, (prior * squaredNorm(w)) / count)
        for (const [i, member] of batch.members.entries()) {
          images[member] = imageFit(output, i, D)
          const seed = (i * batch.seeds.length) / batch.members.length + SEED.latents
          latents[member] = batch.seeds.slice(seed, seed + D)
          if (!draft) results[member] = context.resultOf(output, i, member)
        }
      })
      await Promise.all(calls)
      return images
    },
    { ...context, size: D, deviates: sizes.personShare !== undefined },
  )
  return jointResult(solution, results, latents, link, context)
}

/**
 * How far priors drive the size (native/cpu/FitSolver.h): an image's own come from the fit, to which the person's part is
 * added, shared among the images; or all stays as it was `before`, and with it the objective.
 */
function settleDrift({ seeds, members }: JointBatch, before: Float64Array | null, person: number): void {
  const all = seeds as Float64Array
  const size = all.length / members.length
  for (let at: number = SEED.drift; at < all.length; at += size) all[at] = before ? before[at]! : all[at]! + person
}

/** The seed of a single fit, moved to the identity v, with the person's part added to what drives the size. */
export function jointSeed(seed: Float64Array, v: Float64Array, drift: number): Float64Array {
  const moved = seed.slice()
  moved.set(v, SEED.latents)
  moved[SEED.drift]! += drift
  return moved
}

/** What the i-th fit of a joint batch gives. */
export function imageFit({ records, evidence }: NativeFits, i: number, D: number): ImageFit {
  const size = triangle(D) + D
  const own = (evidence as Float64Array).subarray(i * size, (i + 1) * size)
  return {
    fitted: records[i * RECORD.size + RECORD.status] !== FAILED,
    cost: records[i * RECORD.size + RECORD.finalCost] as number,
    information: own.subarray(0, triangle(D)),
    gradient: own.subarray(triangle(D)),
  }
}

function jointResult(
  solution: JointSolution,
  images: FitResult[],
  latents: readonly Float64Array[],
  link: PersonLink,
  context: JointContext,
): JointFitResult {
  const { sizes, prior, identityPrior } = context
  const D = sizes.embeddingCount
  const { weights, probabilities, converged, iterations, cost } = solution
  // As a single photo's: an odd photo must not pass for an odd face (personPosterior.ts).
  const evidence = solution.evidence.map((each) => (sizes.personShare ? toExpectedLength(each) : each))
  const sum = new PersonEstimate(D, prior)
  // The face in the images on average: that of the person, and what these photos have in common besides.
  const shown = new Float64Array(D)
  const total = weights.reduce((all, weight) => all + weight, 0)
  for (const [i, weight] of weights.entries()) {
    if (weight === 0) continue
    sum.add(evidence[i]!, weight)
    const x = link.whitened(latents[i]!)
    for (let k = 0; k < D; k++) shown[k]! += x[k]! / total
    if (context.posterior) images[i]!.posterior = inSinglePrecision(evidence[i]!)
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
    identity: context.fromWhitened(shown).identity,
    embedding: Float32Array.from(mean, (value) => (length > 0 ? value / length : 0)),
    ...(fitted > 0 && { posterior: inSinglePrecision(sum) }),
    identity_uncertainty:
      fitted === 0 ? null : spread / (identityPrior.radius > 0 ? identityPrior.radius : Math.sqrt(D)),
    images,
    image_weights: Float32Array.from(probabilities),
    outlier_images: outliers,
  })
}

const inSinglePrecision = ({ information, shift }: ImageEvidence): Posterior => ({
  information: Float32Array.from(information),
  shift: Float32Array.from(shift),
})
