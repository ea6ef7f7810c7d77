export { type Clustering, type ClusteringOptions, clusteringOf } from './clustering.js'
export {
  type DenseClustering,
  type DenseClusteringOptions,
  denseClustering,
  type ModelDenseClustering,
} from './denseClustering.js'
export { type EvaluatedModel, requireOneTopology } from './EvaluatedModel.js'
export { type Evaluation, type EvaluationData, type EvaluationOptions, evaluateModels } from './evaluateModels.js'
export {
  type Consistency,
  type LandmarkEvaluation,
  type LandmarkEvaluationOptions,
  landmarkEvaluation,
  type ModelLandmarks,
} from './landmarkEvaluation.js'
export { type Photo, parsePhoto } from './Photo.js'
export type { ProtocolOptions } from './ProtocolOptions.js'
export { type ModelPhotos, photoEvaluation } from './photoEvaluation.js'
export type { Reconstructions } from './reconstruction.js'
export {
  type ModelRepresentation,
  type Representation,
  type RepresentationOptions,
  representation,
  type SizedRepresentation,
} from './representation.js'
export {
  type ModelScans,
  type ScanEvaluation,
  type ScanEvaluationOptions,
  type ScanWithImages,
  scanEvaluation,
} from './scanEvaluation.js'
export {
  denseSection,
  type IllustratedSection,
  landmarkSections,
  photoSections,
  representationSection,
  scanSection,
} from './sections.js'
