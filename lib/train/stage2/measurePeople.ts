import { compare, comparePrepared, prepare } from '../../compare.js'
import { type LabelledObservation, subjectKey } from '../../corpus/TrainingData.js'
import { boxSize } from '../../evaluate/faceScale.js'
import { numberPeople } from '../../evaluate/people.js'
import { RankedScores } from '../../evaluate/RankedScores.js'
import { areaUnder, equalErrorRate, rocCurve, thresholdAt, trueAcceptAt } from '../../evaluate/roc.js'
import { median } from '../../evaluate/statistics.js'
import { allPairs, isSame, setTrials } from '../../evaluate/trials.js'
import type { FitResult } from '../../fit/FitResult.js'
import type { ModelData } from '../../model/ModelData.js'
import { SphereFaceModel } from '../../model/SphereFaceModel.js'
import { Random } from '../../random.js'
import type { TrainingContext } from '../TrainingContext.js'

/** Scores of pairs of photos, or of sets of them, in one order. */
export interface Scores {
  cosine: number[]
  logLikelihoodRatio: number[]
  /** 1 for one person, 0 for two. */
  same: number[]
}

/** What people's photos were measured to be. */
export interface PeopleScores {
  /** One photo against one. */
  single: Scores
  /** Three against three others, posteriors fused. */
  sets: Scores
  /** Of each photo: RMSE of the landmarks over the size of their box. */
  errors: number[]
}

/** Photos on each side of the comparison of sets. */
const SET_SIZE = 3

/** Pairs of strangers that are compared, at most: a thousand of them decide a false accept rate of 1%. */
const MOST_STRANGERS = 100_000

/** Photos that are looked at, at most: pairs grow with their square. */
const MOST_PHOTOS = 2000

/**
 * Fits photos of people as users do, and compares all pairs of one person's, and pairs of strangers within collections. Of
 * more people, or more pairs, than rates can be told by, as many are taken at random: the time it takes is bounded.
 */
export async function measurePeople(
  data: ModelData,
  all: readonly LabelledObservation[],
  context: TrainingContext,
): Promise<PeopleScores> {
  const { signal, seed } = context
  const observations = photosOfSome(all, seed)
  await using model = SphereFaceModel.fromData(data)
  const fitter = await model.createFitter({ posterior: true })
  const results = await fitter.fit(observations, { ...(signal && { signal }) })
  const faces = results.map((result, i) => (result.usable ? prepare(result, `photos[${i}]`) : undefined))
  const people = numberPeople(observations)
  const scores: PeopleScores = { single: noScores(), sets: noScores(), errors: errorsOf(results, observations) }

  const pairs = allPairs(people)
  const same = isSame(pairs)
  for (const [n, i] of chosenTrials(same, seed).entries()) {
    if (n % 4096 === 0) await context.breathe()
    const [a, b] = [faces[pairs.first[i]!], faces[pairs.second[i]!]]
    if (!a || !b) continue
    const { cosine, logLikelihoodRatio } = comparePrepared(a, b)
    add(scores.single, cosine, logLikelihoodRatio ?? 0, same[i]!)
  }

  const trials = setTrials(people, { size: SET_SIZE, seed })
  const sameSets = isSame(trials)
  const fuse = (items: Int32Array) => model.fuse(Array.from(items, (i) => results[i]!))
  for (const [n, i] of chosenTrials(sameSets, seed).entries()) {
    if (n % 256 === 0) await context.breathe()
    const [first, second] = [trials.first[i]!, trials.second[i]!]
    if (![...first, ...second].every((item) => faces[item])) continue
    const { cosine, logLikelihoodRatio } = compare(fuse(first), fuse(second))
    add(scores.sets, cosine, logLikelihoodRatio ?? 0, sameSets[i]!)
  }
  return scores
}

/** The photos of as many people, drawn at random, as have no more than that together; of two at least. */
export function photosOfSome(
  observations: readonly LabelledObservation[],
  seed: number,
  most = MOST_PHOTOS,
): readonly LabelledObservation[] {
  if (observations.length <= most) return observations
  const counts = new Map<string, number>()
  for (const photo of observations) counts.set(subjectKey(photo), (counts.get(subjectKey(photo)) ?? 0) + 1)
  const chosen = new Set<string>()
  let total = 0
  for (const key of new Random(seed).shuffle([...counts.keys()])) {
    total += counts.get(key)!
    if (total > most && chosen.size >= 2) break
    chosen.add(key)
  }
  return observations.filter((photo) => chosen.has(subjectKey(photo)))
}

/** Numbers of the trials of one person, and of about as many of strangers as are wanted. */
export function chosenTrials(same: Uint8Array, seed: number, mostStrangers = MOST_STRANGERS): number[] {
  const all = [...same.keys()]
  const strangers = all.length - same.reduce((sum, one) => sum + one, 0)
  if (strangers <= mostStrangers) return all
  const random = new Random(seed)
  return all.filter((i) => same[i] || random.uniform() < mostStrangers / strangers)
}

/** The measures of scores, pooled over folds. */
export interface ScoreMeasures {
  auc: number
  equalErrorRate: number
  tarAt1e2: number
}

/** What {@link measuresOf} makes of the scores of all folds. */
export interface PeopleMeasures {
  cosine: ScoreMeasures
  logLikelihoodRatio: ScoreMeasures
  cosineOfSets?: ScoreMeasures
  logLikelihoodRatioOfSets?: ScoreMeasures
  /** Median of the photos' errors. */
  error: number
}

/** Sums scores up. */
export function measuresOf({ single, sets, errors }: PeopleScores): PeopleMeasures {
  const comparable = sets.same.includes(1) && sets.same.includes(0)
  return {
    cosine: measure(single.cosine, single.same),
    logLikelihoodRatio: measure(single.logLikelihoodRatio, single.same),
    ...(comparable && {
      cosineOfSets: measure(sets.cosine, sets.same),
      logLikelihoodRatioOfSets: measure(sets.logLikelihoodRatio, sets.same),
    }),
    error: median(errors),
  }
}

/** The threshold of a score at a false accept rate, as the model file has it. */
export function thresholdOf(scores: readonly number[], same: readonly number[], falseAcceptRate: number) {
  const threshold = thresholdAt(scores, same, falseAcceptRate)
  if (!Number.isFinite(threshold)) return undefined
  const curve = rocCurve(new RankedScores(scores, same).runs())
  return { threshold, falseAcceptRate, trueAcceptRate: trueAcceptAt(curve, falseAcceptRate) }
}

/** The scores of one fold after those of others. */
export function pooled(all: readonly PeopleScores[]): PeopleScores {
  const join = (pick: (scores: PeopleScores) => Scores): Scores => ({
    cosine: all.flatMap((each) => pick(each).cosine),
    logLikelihoodRatio: all.flatMap((each) => pick(each).logLikelihoodRatio),
    same: all.flatMap((each) => pick(each).same),
  })
  return {
    single: join(({ single }) => single),
    sets: join(({ sets }) => sets),
    errors: all.flatMap(({ errors }) => errors),
  }
}

function measure(scores: readonly number[], same: readonly number[]): ScoreMeasures {
  const curve = rocCurve(new RankedScores(scores, same).runs())
  return { auc: areaUnder(curve), equalErrorRate: equalErrorRate(curve), tarAt1e2: trueAcceptAt(curve, 0.01) }
}

function noScores(): Scores {
  return { cosine: [], logLikelihoodRatio: [], same: [] }
}

function add(to: Scores, cosine: number, logLikelihoodRatio: number, same: number): void {
  to.cosine.push(cosine)
  to.logLikelihoodRatio.push(logLikelihoodRatio)
  to.same.push(same)
}

/** RMSE over the square root of the area of the landmarks' box. */
function errorsOf(results: readonly FitResult[], observations: readonly LabelledObservation[]): number[] {
  return results.flatMap(({ usable, rmse }, i) => (usable ? [rmse! / boxSize(observations[i]!)] : []))
}
