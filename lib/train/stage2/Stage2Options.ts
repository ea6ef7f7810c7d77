import { OptionReader } from '../../corpus/synthetic/OptionReader.js'
import type { Refinement } from './refineMetric.js'

/** How a model learns from photos (docs/training.md). */
export interface Stage2Options {
  /** Parts that people are divided into, each left out once, to measure what was learned on strangers (5). */
  folds: number
  /** Rounds of fitting all photos and learning from the fits (1: more did not help). */
  rounds: number
  /** Standard deviation of a good landmark, mm on the face, while learning (2). */
  noise: number
  /** Rounds of expectation-maximisation after each fitting (9). */
  expectationRounds: number
  /** How many people the prior of the spread between people counts for (50). */
  betweenWeight: number
  /** How many photos the prior of the spread within a person counts for (30). */
  withinWeight: number
  /** Variance of one person's latents that is expected, in units of the population's (2). */
  withinVariance: number
  /**
   * What is refined in the end so that the directions of fitted latents tell people apart: a weight for each latent, the
   * whole metric, basis and mean face as well, or nothing ("weights").
   */
  refinement: Refinement | 'none'
  /** False alarms, of pairs of strangers, at which thresholds for comparing are set (0.01). */
  falseAcceptRate: number
}

/** What holds where nothing is said; chosen on people of the training set alone. */
export const STAGE2_DEFAULTS: Stage2Options = {
  folds: 5,
  rounds: 1,
  noise: 2,
  expectationRounds: 9,
  betweenWeight: 50,
  withinWeight: 30,
  withinVariance: 2,
  refinement: 'weights',
  falseAcceptRate: 0.01,
}

/**
 * Checks the options of stage 2.
 *
 * @throws SfmError INVALID_ARGUMENT naming the option.
 */
export function parseStage2Options(value: unknown): Stage2Options {
  const o = new OptionReader(value, 'stage2')
  const d = STAGE2_DEFAULTS
  const options: Stage2Options = {
    folds: o.integer('folds', d.folds, 2, 100),
    rounds: o.integer('rounds', d.rounds, 1, 20),
    noise: o.number('noise', d.noise, 0.01, 100),
    expectationRounds: o.integer('expectationRounds', d.expectationRounds, 1, 1000),
    betweenWeight: o.number('betweenWeight', d.betweenWeight, 1e-3),
    withinWeight: o.number('withinWeight', d.withinWeight, 1e-3),
    withinVariance: o.number('withinVariance', d.withinVariance, 1e-3, 1e3),
    refinement: o.choice('refinement', ['weights', 'metric', 'all', 'none'], d.refinement),
    falseAcceptRate: o.number('falseAcceptRate', d.falseAcceptRate, 1e-6, 0.5),
  }
  o.finish()
  return options
}
