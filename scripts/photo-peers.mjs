// Installs the optional peers that photos need (docs/photos.md) into peers/, where the package looks for them in a
// checkout. The tests that need them skip without.
import { installOnDemand } from './install-on-demand.mjs'

if (!installOnDemand('peers', 'sharp')) {
  console.error('The peers could not be installed: photos cannot be read, and their tests are skipped.')
  process.exitCode = 1
}
