import type { Observation } from '../fit/Observation.js'
import type { ModelData } from '../model/ModelData.js'

/** The parts that people are divided into: to learn from, to choose settings by, to measure with at the end. */
export const SPLITS = ['train', 'validation', 'test'] as const

/** One of {@link SPLITS}. */
export type Split = (typeof SPLITS)[number]

/** The keys of the people of each part. */
export type SplitLists = Readonly<Record<Split, readonly string[]>>

/** Scans in correspondence: vertex v of every one is the same place of the face. Arrays are not to be written to. */
export interface ScanShard {
  /** [n,N,3] mm. */
  vertices: Float32Array
  /** [n] whose scan it is: the key of {@link subjectKey}. */
  subjects: string[]
  /** [n,E] coefficients of the template's expressions, where they are known to whoever learns from the scans. */
  expressions?: Float32Array
  /** [n,E] the coefficients that went into synthetic scans: to measure with, not to learn from. */
  trueExpressions?: Float32Array
}

/** What synthetic people look like at rest: to measure with, not to learn from. Arrays are not to be written to. */
export interface TruthShard {
  /** [s] keys of people, each once in a corpus. */
  subjects: string[]
  /** [s,N,3] mm, without expression, pose or noise. */
  neutrals: Float32Array
  /** [s,K] latents of the model that the people were drawn from. */
  identities: Float32Array
}

/** Landmarks of one face, and whose face it is. */
export interface LabelledObservation extends Observation {
  subject: string
  /** Where the picture is from: subjects of the same name in different collections are different people. */
  collection?: string
}

/** Landmark sets that are given at once, at most: a few MB. */
export const LANDMARK_SETS = 256

/** What a shard of scans has at most, in bytes, unless a single scan is larger. */
export const SHARD_BYTES = 64_000_000

/** What a corpus says about itself. */
export interface CorpusDescription {
  name: string
  license: string
  attribution: string
  /** How it was made: free text, often JSON. */
  provenance: string
}

/** Which part of the data to stream. */
export interface Selection {
  /** Everybody without it. */
  split?: Split
  signal?: AbortSignal
}

/**
 * Scans and landmark sets of labelled people, as training and evaluation read them: from disk ({@link Corpus}), from
 * memory ({@link MemoryCorpus}) or drawn from a model as they are asked for ({@link SyntheticCorpus}). The same data
 * comes in the same order from each of them, and cut into the same pieces on every pass; one class may cut it otherwise
 * than another.
 */
export interface TrainingData {
  readonly description: CorpusDescription
  /** N */
  readonly vertexCount: number
  /** Scans of all parts together. */
  readonly scanCount: number
  /** Landmark sets of all parts together. */
  readonly landmarkSetCount: number

  /** The model that carries what all scans share: triangles, expression basis, landmark schemes, regions. */
  template(): Promise<ModelData>

  /**
   * The keys of the people of a part, or of all; of those with scans or with landmark sets if asked for. Sorted by code
   * unit.
   */
  subjects(split?: Split, having?: 'scans' | 'landmarks'): string[]

  /**
   * Streams the scans, a shard at a time.
   *
   * @throws SfmError INVALID_INPUT for a part without people, and for files that are not as they should be; ABORTED.
   */
  scans(selection?: Selection): AsyncGenerator<ScanShard>

  /**
   * Streams the landmark sets, some hundred at a time: scheme after scheme, in the order that the schemes first came in.
   *
   * @throws SfmError as {@link scans} does.
   */
  landmarkSets(selection?: Selection & { scheme?: string }): AsyncGenerator<LabelledObservation[]>

  /**
   * Streams what synthetic people look like; nothing for real ones.
   *
   * @throws SfmError as {@link scans} does.
   */
  truth(selection?: Selection): AsyncGenerator<TruthShard>
}

/**
 * What a person is called in splits and shards: `collection/subject`, or the subject alone where there is no
 * collection. The same person may have scans under this name, too.
 *
 * @example
 * subjectKey({ collection: 'c0', subject: 'd000' })   // 'c0/d000'
 */
export function subjectKey({ subject, collection }: { subject: string; collection?: string }): string {
  return collection === undefined ? subject : `${collection}/${subject}`
}
