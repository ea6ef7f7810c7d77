export { type ChartOptions, chart } from './chart.js'
export { category, oklch, sequential } from './colour.js'
export {
  cumulativeErrorFigure,
  type FigureOptions,
  type LatentFigureOptions,
  latentMapFigure,
  latentSphereFigure,
  modesFigure,
  rocFigure,
  similarityFigure,
} from './figures.js'
export { type HeatMapOptions, heatMap } from './heatMap.js'
export { type HistogramOptions, histogram } from './histogram.js'
export { type LinePoint, type LineSeries, lineChart } from './lineChart.js'
export type { Axis } from './scale.js'
export { type ScatterOptions, type ScatterPoint, scatterChart } from './scatterChart.js'
export { type SphereViewOptions, sphereView } from './sphereView.js'
