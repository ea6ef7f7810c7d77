/** How identities are learned from scans; docs/training.md says what each is for. */
export interface Stage1Options {
  /** K: latents of the model, one more than its degrees of freedom (default 64). */
  identityCount: number
  /** Columns of `within_identity_basis` (default 60). */
  withinFactors: number
  /**
   * 0 to 1, how much of the variation within people fits are told of (default 0.7): 1 favours telling people apart, 0.5
   * the likeness of the single face. `auto` chooses by the validation people.
   */
  alpha: number | 'auto'
  /**
   * Whether every scan's mirror image is learned from as well (default `auto`: where the template has a `mirror` map and
   * is symmetric).
   */
  symmetrise: boolean | 'auto'
  /** Directions in which scans are looked at, besides those of the expressions (default 320). */
  spanRank: number
  /** `closed-form` (default), or `angular-margin`, which refines the closed form. */
  objective: 'closed-form' | 'angular-margin'
  angularMargin: AngularMarginOptions
}

/** Weights of the angular-margin objective and how it is minimised. */
export interface AngularMarginOptions {
  /** Rounds of latents, class weights and basis at most (default 20). */
  rounds: number
  /** Of the CosFace term (default 1). */
  identityWeight: number
  /** gamma of the CosFace term (default 10). */
  scale: number
  /** m of the CosFace term (default 0.1). */
  margin: number
  /** Of the term that draws a person's latents together (default 1). */
  centreWeight: number
  /** Of the term that spreads the people's mean directions over the sphere (default 0). */
  uniformityWeight: number
  /** Rounds without progress on the validation people after which it ends (default 3). */
  patience: number
}

/** The defaults. */
export const STAGE1_DEFAULTS: Stage1Options = {
  identityCount: 64,
  withinFactors: 60,
  alpha: 0.7,
  symmetrise: 'auto',
  spanRank: 320,
  objective: 'closed-form',
  angularMargin: {
    rounds: 20,
    identityWeight: 1,
    scale: 10,
    margin: 0.1,
    centreWeight: 1,
    uniformityWeight: 0,
    patience: 3,
  },
}
