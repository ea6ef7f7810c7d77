import { invalidArgument } from '../errors.js'

/** ARKit's 52 blendshapes, in the order of its documentation: eyes, jaw and mouth, brows, cheeks, nose, tongue. */
export const ARKIT_BLENDSHAPES = [
  'eyeBlinkLeft',
  'eyeLookDownLeft',
  'eyeLookInLeft',
  'eyeLookOutLeft',
  'eyeLookUpLeft',
  'eyeSquintLeft',
  'eyeWideLeft',
  'eyeBlinkRight',
  'eyeLookDownRight',
  'eyeLookInRight',
  'eyeLookOutRight',
  'eyeLookUpRight',
  'eyeSquintRight',
  'eyeWideRight',
  'jawForward',
  'jawLeft',
  'jawRight',
  'jawOpen',
  'mouthClose',
  'mouthFunnel',
  'mouthPucker',
  'mouthLeft',
  'mouthRight',
  'mouthSmileLeft',
  'mouthSmileRight',
  'mouthFrownLeft',
  'mouthFrownRight',
  'mouthDimpleLeft',
  'mouthDimpleRight',
  'mouthStretchLeft',
  'mouthStretchRight',
  'mouthRollLower',
  'mouthRollUpper',
  'mouthShrugLower',
  'mouthShrugUpper',
  'mouthPressLeft',
  'mouthPressRight',
  'mouthLowerDownLeft',
  'mouthLowerDownRight',
  'mouthUpperUpLeft',
  'mouthUpperUpRight',
  'browDownLeft',
  'browDownRight',
  'browInnerUp',
  'browOuterUpLeft',
  'browOuterUpRight',
  'cheekPuff',
  'cheekSquintLeft',
  'cheekSquintRight',
  'noseSneerLeft',
  'noseSneerRight',
  'tongueOut',
] as const

/** One of {@link ARKIT_BLENDSHAPES}. */
export type ArkitBlendshape = (typeof ARKIT_BLENDSHAPES)[number]

/**
 * The expressions of a model that make up a blendshape of ARKit: the one of the same name, with `_L` and `_R` for `Left`
 * and `Right`; of a model that has both halves of what is one in ARKit (`browInnerUp`, `cheekPuff`), the two.
 *
 * @param names The model's expressions.
 * @returns Empty where the model has none.
 * @example
 * arkitSources('browInnerUp', model.expressionNames) // ['browInnerUp_L', 'browInnerUp_R']
 */
export function arkitSources(blendshape: ArkitBlendshape, names: readonly string[]): string[] {
  // jawLeft and mouthRight are directions, not sides: they keep their names.
  const candidates = [
    [blendshape],
    [blendshape.replace(/Left$/, '_L').replace(/Right$/, '_R')],
    [`${blendshape}_L`, `${blendshape}_R`],
  ]
  return candidates.find((sources) => sources.some((name) => names.includes(name))) ?? []
}

/**
 * A face's expression as weights of ARKit's blendshapes, for avatars and rigs made for it.
 *
 * Left and right are the face's own, in ARKit as in the model. What is one blendshape in ARKit and two of the model is
 * the mean of the two. Weights are limited to ARKit's 0..1: a fit may go a little below rest.
 *
 * @param face A fit result, a sample's latents with names, or anything with an `expression` by name.
 * @returns All 52; 0 for those that the expression does not have (`tongueOut`, with the embedded model).
 * @throws SfmError INVALID_ARGUMENT for what is no expression by name.
 * @example
 * const { jawOpen, mouthSmileLeft } = arkitWeights(result)
 */
export function arkitWeights(face: { expression: Readonly<Record<string, number>> }): Record<ArkitBlendshape, number> {
  const expression = face?.expression
  if (
    typeof expression !== 'object' ||
    expression === null ||
    Array.isArray(expression) ||
    ArrayBuffer.isView(expression)
  )
    throw invalidArgument('expression', 'coefficients by name', expression)
  const names = Object.keys(expression)
  for (const name of names)
    if (!Number.isFinite(expression[name]))
      throw invalidArgument(`expression.${name}`, 'a finite number', expression[name])
  const weights = ARKIT_BLENDSHAPES.map((blendshape) => {
    const sources = arkitSources(blendshape, names)
    const sum = sources.reduce((total, name) => total + (expression[name] ?? 0), 0)
    return [blendshape, Math.min(1, Math.max(0, sum / (sources.length || 1)))]
  })
  return Object.fromEntries(weights)
}
