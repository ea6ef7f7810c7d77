import { EVIDENCE, type JointEvidence } from './JointEvidence.js'
import { PersonEstimate } from './PersonEstimate.js'

/** Which images are of the person, as 0 or 1, and how likely. */
export interface Membership {
  weights: Float64Array
  probabilities: Float64Array
}

export interface MembershipSettings {
  /** D */
  size: number
  /** p, the weight of the prior of w. */
  prior: number
  /** Whether the model knows that images of one person differ. */
  deviates: boolean
}

/** Each weight depends on the others. */
const ROUNDS = 3
/** How likely an image is of somebody else, before any has been seen: as if 20 had been, one of them a stranger's. */
const STRANGERS = 0.05
/**
 * What the logarithm of a likelihood ratio is worth: of photos, whose landmarks are not quite as the model has it, a fifth
 * (docs/joint.md). That is held as if so many images had shown it.
 */
const CAUTION = 0.2
const EXPERIENCE = 40
/** How far the quartiles of a normal distribution are from each other, in standard deviations. */
const QUARTILES = 1.349

/**
 * How likely each image is of the person whom the others show: the likelihood ratio of one person against two, with the
 * odds of a stranger among them, which the images tell as well. Two images are not enough to tell which is the odd one.
 *
 * @param fitted Which images there is something to go by of.
 * @param before What was thought so far: whom the others show depends on it.
 */
export function membership(
  fitted: readonly boolean[],
  evidence: JointEvidence,
  { size, prior, deviates }: MembershipSettings,
  before?: Membership,
): Membership {
  const present = fitted.filter(Boolean).length
  const weights = Float64Array.from(fitted, (is, i) => (is ? (before?.weights[i] ?? 1) : 0))
  const probabilities = Float64Array.from(fitted, (is, i) => (is ? (before?.probabilities[i] ?? 1) : 0))
  if (present < 3) return { weights, probabilities }
  const scales = new Float64Array(fitted.length).fill(1)
  const apart = evidence.weigh(
    new PersonEstimate(size, prior),
    new Float64Array(fitted.length).fill(1),
    scales,
    deviates,
  )
  const alone = scales.map((_, i) => {
    const at = i * EVIDENCE.count
    // As a single photo's: an odd photo must not pass for an odd face (personPosterior.ts).
    const expected = Math.max(size / prior - apart[at + EVIDENCE.spread]!, 0)
    if (deviates && fitted[i]) scales[i] = Math.sqrt(expected / (apart[at + EVIDENCE.squaredMean]! || 1))
    return scales[i]! ** 2 * apart[at + EVIDENCE.likelihood]! + apart[at + EVIDENCE.normaliser]!
  })
  let strangers = STRANGERS
  for (let round = 0; round < ROUNDS; round++) {
    const person = evidence.sum(weights, scales)
    const everything = person.solve().logEvidence()
    const odds = Math.log((1 - strangers) / strangers)
    // With it where it is not among them, without it where it is.
    const changed = weights.map((weight) => (weight ? -1 : 1))
    const others = evidence.weigh(person, changed, scales, false)
    const ratios = weights.map((weight, i) => {
      const at = i * EVIDENCE.count
      const change = everything - others[at + EVIDENCE.likelihood]! - others[at + EVIDENCE.normaliser]!
      return (weight ? change : -change) - alone[i]!
    })
    const worth = worthOf(ratios.filter((_, i) => fitted[i]))
    for (const [i, ratio] of ratios.entries())
      if (fitted[i]) probabilities[i] = 1 / (1 + Math.exp(-worth * ratio - odds))
    const former = weights.slice()
    for (let i = 0; i < weights.length; i++) weights[i] = probabilities[i]! >= 0.5 ? 1 : 0
    strangers = (1 + present - sumOf(probabilities)) / (1 / STRANGERS + present)
    if (former.every((weight, i) => weight === weights[i])) break
  }
  return { weights, probabilities }
}

/**
 * What the logarithms of likelihood ratios are worth among these images, as their spread tells: those of one person's images
 * that know what they do not know are about normal, with twice their mean as variance; c times them has that with c = 2
 * mean / variance. By median and quartiles, so that a quarter of the images may be of others.
 */
function worthOf(ratios: Float64Array): number {
  const sorted = ratios.slice().sort()
  const quantile = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!
  const mean = quantile(0.5)
  if (!(mean > 0)) return CAUTION
  const seen = ((quantile(0.75) - quantile(0.25)) / QUARTILES) ** 2
  const expected = (2 * mean) / CAUTION
  const variance = (EXPERIENCE * expected + ratios.length * seen) / (EXPERIENCE + ratios.length)
  return Math.min(1, Math.max(CAUTION, (2 * mean) / variance))
}

const sumOf = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0)
