// From the embedded file to a model that can decode and fit: read, checked, packed.
import { SphereFaceModel } from '../dist/index.js'
import { race } from './measure.mjs'

export async function benchLoad() {
  return race({ load: async () => (await SphereFaceModel.load()).dispose() }, { seconds: 1, leastRuns: 11 })
}
