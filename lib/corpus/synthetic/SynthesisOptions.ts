import { invalidArgument, SfmError } from '../../errors.js'
import type { ModelData } from '../../model/ModelData.js'
import type { SplitFractions } from '../splitSubjects.js'
import { SPLITS } from '../TrainingData.js'
import { OptionReader } from './OptionReader.js'

/** How latents of identities are drawn: with mean 0 and variance 1 in each mode in any case. */
export type IdentityDistribution =
  /** As the model's prior has it. */
  | { type: 'gaussian' }
  /** Multivariate, with heavier tails the fewer degrees of freedom there are (above 2): some people are far out. */
  | { type: 'student-t'; dof: number }
  /** Around as many centres, all as likely, with this standard deviation (0 to 1) within each. */
  | { type: 'clustered'; clusters: number; spread: number }

/** Variation along a few directions, drawn once for the corpus. */
export interface DriftOptions {
  /** mm RMS over the vertices at one standard deviation of one factor. */
  amplitude: number
  /** Number of directions. */
  factors: number
}

/** What takes the pictures. */
export interface SyntheticCamera {
  type: 'perspective' | 'weak'
  /** Pixels, drawn evenly from lower to upper; `perspective` only (default 800 to 1600). */
  focal: readonly [number, number]
  /** Width and height of the picture in pixels (default 640 each). */
  image: number
  /** Height of the mean shape in the picture in pixels, drawn evenly from lower to upper (default 250 to 400). */
  faceSize: readonly [number, number]
  /** Whether landmark files say the focal length (default true). */
  known: boolean
}

/** How landmarks in pictures are made; lengths in mm are on the face. */
export interface SyntheticPhotos {
  /** Schemes of the source (default `ibug68`): every picture has landmarks of each. */
  schemes: readonly string[]
  /** mm RMS of the expressions, as for scans (default 1.8). */
  expression: number
  camera: SyntheticCamera
  /** Degrees, drawn evenly from minus to plus (default 45). */
  yaw: number
  /** Degrees, likewise (default 20). */
  pitch: number
  /** Degrees, likewise (default 10). */
  roll: number
  /** mm, standard deviation of a good landmark along each axis of the picture (default 1.2). */
  sigma: number
  /**
   * mm, of a bad one (default 3): the jaw of `ibug68` (points 0 to 16), and reliability 0 where the scheme has
   * reliabilities; in between, in proportion.
   */
  contourSigma: number
  /** Noise that all landmarks of a picture share: smooth displacements of the face (default none). */
  drift: DriftOptions
  /** Share of landmarks that are plainly wrong (default 0.02). */
  outliers: number
  /** mm, standard deviation of those (default 15). */
  outlierSigma: number
  /** Share of landmarks missing in a picture, next to one another, as behind a hand (default 0). */
  occlusion: number
}

/** A synthetic population, all values settled. */
export interface Synthesis {
  /** The same seed gives the same corpus, to the last bit (default 1). */
  seed: number
  /** What the corpus is called (default: after the source). */
  name: string
  /** People with scans (default 100). */
  identities: number
  /** Default Gaussian. */
  distribution: IdentityDistribution
  /** Identity modes in use, from the first (default: all of the source). */
  modes: number
  /** mm RMS of a smooth deformation of every person that the source's identity modes cannot show (default 0.6). */
  outsideIdentitySpace: number
  /** Default 12. */
  scansPerIdentity: number
  /** mm RMS over the vertices and the scans of what expressions move, a few blendshapes at a time (default 1.8). */
  expression: number
  /** Blendshapes of one expression, at most (default 6). */
  activeExpressions: number
  /** Whether scans come with their coefficients, as those of an actor who was told what to do (default false). */
  knownExpressions: boolean
  /** Of a scan, over the whole surface: habits of the registration (default 0.6 mm, 2 factors). */
  smoothDrift: DriftOptions
  /** Of a scan, within the identity space, where it looks like another person (default 0.56 mm, 2 factors). */
  identityDrift: DriftOptions
  /** Of a scan: degrees about, and mm along each axis, standard deviations (default 1 and 1). */
  jitter: { rotation: number; translation: number }
  /** mm, of a scan, of every coordinate by itself (default 0.3). */
  noise: number
  /**
   * People with pictures and no scans (default 0). Where there are none, those with scans have the pictures.
   */
  photoIdentities: number
  /** Default 0. */
  photosPerIdentity: number
  photos: SyntheticPhotos
  /** Default 0.8, 0.1, 0.1. */
  splits: SplitFractions
}

type PartialDeep<T> = T extends readonly unknown[] | string | number | boolean
  ? T
  : T extends { type: string }
    ? T | (Partial<T> & { type?: T['type'] })
    : { [K in keyof T]?: PartialDeep<T[K]> }

/** Options of {@link synthesise}: everything has a default, see {@link Synthesis}. */
export type SynthesisOptions = PartialDeep<Synthesis>

/** So many people and scans of one are more than any disk holds. */
const MOST = 10_000_000

/**
 * Checks options, which may come from a file, and fills in the defaults.
 *
 * @param source What the population is to be drawn from.
 * @throws SfmError INVALID_ARGUMENT naming the option by its path, such as `photos.camera.focal`; UNKNOWN_SCHEME.
 */
export function settle(options: unknown, source: ModelData): Synthesis {
  const o = new OptionReader(options)
  const latents = source.metadata.latent === 'sphere' ? source.identityCount - 1 : source.identityCount
  const synthesis: Synthesis = {
    seed: o.integer('seed', 1),
    name: o.string('name', `synthetic people of ${source.metadata.name}`),
    identities: o.integer('identities', 100, 0, MOST),
    distribution: distribution(o.group('distribution')),
    modes: o.integer('modes', latents, 1, latents),
    outsideIdentitySpace: o.number('outsideIdentitySpace', 0.6),
    scansPerIdentity: o.integer('scansPerIdentity', 12, 0, MOST),
    expression: o.number('expression', 1.8),
    activeExpressions: o.integer('activeExpressions', 6, 1),
    knownExpressions: o.boolean('knownExpressions', false),
    smoothDrift: drift(o.group('smoothDrift'), 0.6, 2),
    identityDrift: drift(o.group('identityDrift'), 0.56, 2),
    jitter: jitter(o.group('jitter')),
    noise: o.number('noise', 0.3),
    photoIdentities: o.integer('photoIdentities', 0, 0, MOST),
    photosPerIdentity: o.integer('photosPerIdentity', 0, 0, MOST),
    photos: photos(o.group('photos')),
    splits: splits(o),
  }
  o.finish()
  requireData(synthesis)
  if (synthesis.photosPerIdentity > 0) requireSchemes(synthesis.photos.schemes, source)
  return synthesis
}

function distribution(o: OptionReader): IdentityDistribution {
  const type = o.choice('type', ['gaussian', 'student-t', 'clustered'], 'gaussian')
  const settled: IdentityDistribution =
    type === 'gaussian'
      ? { type }
      : type === 'student-t'
        ? { type, dof: o.number('dof', 5, 2.1) }
        : { type, clusters: o.integer('clusters', 4, 1, MOST), spread: o.number('spread', 0.6, 0, 1) }
  o.finish()
  return settled
}

function drift(o: OptionReader, amplitude: number, factors: number): DriftOptions {
  const settled = { amplitude: o.number('amplitude', amplitude), factors: o.integer('factors', factors, 0, 1000) }
  o.finish()
  return settled
}

function jitter(o: OptionReader): Synthesis['jitter'] {
  const settled = { rotation: o.number('rotation', 1, 0, 180), translation: o.number('translation', 1) }
  o.finish()
  return settled
}

function photos(o: OptionReader): SyntheticPhotos {
  const settled: SyntheticPhotos = {
    schemes: o.strings('schemes', ['ibug68']),
    expression: o.number('expression', 1.8),
    camera: camera(o.group('camera')),
    yaw: o.number('yaw', 45, 0, 90),
    pitch: o.number('pitch', 20, 0, 90),
    roll: o.number('roll', 10, 0, 180),
    sigma: o.number('sigma', 1.2),
    contourSigma: o.number('contourSigma', 3),
    drift: drift(o.group('drift'), 0, 0),
    outliers: o.number('outliers', 0.02, 0, 1),
    outlierSigma: o.number('outlierSigma', 15),
    occlusion: o.number('occlusion', 0, 0, 1),
  }
  o.finish()
  return settled
}

function camera(o: OptionReader): SyntheticCamera {
  const settled: SyntheticCamera = {
    type: o.choice('type', ['perspective', 'weak'], 'perspective'),
    focal: o.range('focal', [800, 1600]),
    image: o.integer('image', 640, 1, 100_000),
    faceSize: o.range('faceSize', [250, 400]),
    known: o.boolean('known', true),
  }
  o.finish()
  // Closer than its own size the camera would be within the head.
  if (settled.type === 'perspective' && settled.focal[0] < settled.faceSize[1])
    throw invalidArgument(o.name('focal'), `at least the upper faceSize, ${settled.faceSize[1]}`, settled.focal[0])
  return settled
}

/** Given at all, they are given whole: nobody means a tenth by leaving one out. */
function splits(o: OptionReader): SplitFractions {
  if (o.value('splits') === undefined) return { train: 0.8, validation: 0.1, test: 0.1 }
  const group = o.group('splits')
  const settled = Object.fromEntries(SPLITS.map((split) => [split, group.number(split, 0, 0, 1)]))
  group.finish()
  return settled
}

function requireData({ identities, scansPerIdentity, photoIdentities, photosPerIdentity }: Synthesis): void {
  if (identities + photoIdentities === 0) throw invalidArgument('identities', 'people with scans or with photos', 0)
  if (photoIdentities > 0 && photosPerIdentity === 0)
    throw invalidArgument('photosPerIdentity', '1 or more, as there are photoIdentities', 0)
  if (identities > 0 && scansPerIdentity === 0 && (photosPerIdentity === 0 || photoIdentities > 0))
    throw invalidArgument('scansPerIdentity', '1 or more, as there are identities without photos', 0)
}

function requireSchemes(names: readonly string[], { schemes }: ModelData): void {
  const unknown = names.find((name) => !schemes.has(name))
  if (unknown === undefined) return
  const known = [...schemes.keys()].join(', ')
  throw new SfmError(
    'UNKNOWN_SCHEME',
    `photos.schemes: the source has no scheme ${JSON.stringify(unknown)}; it has ${known}`,
  )
}
