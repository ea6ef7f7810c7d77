export { type Comparable, type CompareOptions, type Comparison, compare } from './compare.js'
export { Corpus } from './corpus/Corpus.js'
export { CorpusWriter, type CorpusWriterOptions } from './corpus/CorpusWriter.js'
export { type CreateCorpusOptions, createCorpus, type ImportReport } from './corpus/importing/createCorpus.js'
export { MemoryCorpus, type MemoryCorpusContent } from './corpus/MemoryCorpus.js'
export { type SplitFractions, splitSubjects } from './corpus/splitSubjects.js'
export type { SynthesisOptions } from './corpus/synthetic/SynthesisOptions.js'
export { SyntheticCorpus, synthesise } from './corpus/synthetic/SyntheticCorpus.js'
export type {
  CorpusDescription,
  LabelledObservation,
  ScanShard,
  Selection,
  Split,
  SplitLists,
  TrainingData,
  TruthShard,
} from './corpus/TrainingData.js'
export { type WriteCorpusOptions, writeCorpus } from './corpus/writeCorpus.js'
export type { Latents } from './decode/Latents.js'
export { configureCpu, type Device, type DeviceName, devices } from './devices.js'
export { ERROR_CODES, type ErrorCode, SfmError } from './errors.js'
export type { Camera, FitResult, FitStatus, Pose } from './fit/FitResult.js'
export { Fitter, type FitterOptions } from './fit/Fitter.js'
export type { CameraInput, Observation } from './fit/Observation.js'
export { fusePosteriors, type Posterior } from './fit/Posterior.js'
export { parseObservation } from './inputs/parseObservation.js'
export { parsePts } from './inputs/parsePts.js'
export { type ObservationItem, readObservations } from './inputs/readObservations.js'
export type { ComparisonThreshold, ComparisonThresholds } from './model/comparison.js'
export type { SampleOptions } from './model/drawLatents.js'
export { type LiftOptions, lift } from './model/lift.js'
export type { BasisArray, LandmarkScheme, ModelData, ModelMetadata } from './model/ModelData.js'
export type { ModelReference } from './model/ModelReference.js'
export type { MeshPoint, SchemeDefinition } from './model/makeScheme.js'
export { type DecodeOptions, type FusedFace, SphereFaceModel } from './model/SphereFaceModel.js'
export { faceMesh } from './outputs/faceMesh.js'
export type { Mesh, Morph } from './outputs/Mesh.js'
export { encodeMesh, type MeshFormat, writeMesh } from './outputs/writeMesh.js'
export { parseTrainingConfig, type TrainingConfig } from './train/TrainingConfig.js'
export { type TrainingReport, type TrainOptions, train } from './train/train.js'
