// Builds the addon, up to date: npm run build:native, node-gyp and prebuildify come here. CMake options are taken from
// the environment (SFM_CUDA=OFF) or from the command line (-DSFM_CUDA=OFF); other arguments, such as node-gyp's, have
// no meaning here.
import { BuildError, buildNative } from './native.mjs'

const options = {}
for (const argument of process.argv.slice(2)) {
  const option = /^-D(\w+)=(.*)$/.exec(argument)
  if (option) options[option[1]] = option[2]
}

try {
  await buildNative({ options })
} catch (error) {
  if (!(error instanceof BuildError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
