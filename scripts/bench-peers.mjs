// Installs what the benchmarks compare with: onnxruntime-node is a hundred megabytes that nothing else here needs, and
// its install scripts would download CUDA libraries that the comparison does not use.
import { installOnDemand } from './install-on-demand.mjs'

if (!installOnDemand('bench', 'onnxruntime-node'))
  console.error('The peers could not be installed: the benchmarks will run without them.')
