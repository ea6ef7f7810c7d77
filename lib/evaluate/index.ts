export { type Similarity, transformed } from '../alignment.js'
export { alignPoints } from './alignment.js'
export {
  Bootstrap,
  type BootstrapOptions,
  type Estimate,
  itemWeights,
  pairedDifference,
  percentileInterval,
  trialWeights,
} from './bootstrap.js'
export { isotonic, leastCost, likelihoodRatioCost, meanCost, trialCosts } from './calibration.js'
export { type Drift, drift, pearson, ranks, spearman } from './correlation.js'
export {
  checkReport,
  type EvaluationReport,
  REPORT_FORMAT,
  type ReportCheck,
  type ReportColumn,
  type ReportDifference,
  type ReportModel,
  type ReportPlot,
  type ReportRow,
  type ReportSection,
  type ReportValue,
  reportCheck,
  reportValue,
} from './EvaluationReport.js'
export { boxSize, eyeDistance } from './faceScale.js'
export { type KMeans, type KMeansOptions, kMeans } from './kMeans.js'
export { angularMap, type LatentMap, principalDirections, principalMap } from './latentMap.js'
export { pairAngles, pairCosines, pairDistances, type Spread, spread } from './pairDistances.js'
export { adjustedRandIndex, normalisedMutualInformation } from './partitions.js'
export { itemsOf, numberPeople, type People, type PersonLabel } from './people.js'
export {
  type Comparisons,
  type PhotoEvaluation,
  type PhotoFit,
  type PhotoProtocolOptions,
  photoProtocol,
  type ScoredVerification,
  type YawBin,
} from './photoProtocol.js'
export { RankedScores, type Runs } from './RankedScores.js'
export { renderMarkdown } from './renderMarkdown.js'
export {
  areaUnder,
  equalErrorRate,
  type RocCurve,
  rocCurve,
  sensitivity,
  thresholdAt,
  trueAcceptAt,
} from './roc.js'
export { type NearestPoint, SurfaceTree } from './SurfaceTree.js'
export {
  cumulativeErrors,
  type Reconstruction,
  type Scan,
  type ScanDistance,
  type ScanToMeshOptions,
  scanToMesh,
} from './scanDistance.js'
export {
  type Point,
  parseScanProtocol,
  SCAN_LANDMARKS,
  SCAN_PROTOCOL_FORMAT,
  type ScanEntry,
  type ScanProtocol,
} from './scanProtocol.js'
export { compactness, generalisation, rmsDistance, type Shape, specificity, vertexDistances } from './shapes.js'
export { silhouettes } from './silhouette.js'
export { mean, median, percentile, type Summary, summarise, variance } from './statistics.js'
export {
  allPairs,
  isSame,
  type Pairs,
  type SetTrialOptions,
  type SetTrials,
  scoreTrials,
  setTrials,
  type Trials,
} from './trials.js'
export { type BandPoint, type Verification, verify } from './verification.js'
export { VERIFICATION_COLUMNS, verificationDifferences, verificationValues } from './verificationColumns.js'
export { writeReport } from './writeReport.js'
