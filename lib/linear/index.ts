/**
 * Dense linear algebra in double precision for training, over native kernels (native/linear). Calls are synchronous and
 * share their work among the threads of `configureCpu`; results are the same to the bit for any number of threads, on
 * every machine.
 */
export { cholesky, logDeterminant, solveCholesky, solveLower, solveLowerTransposed } from './cholesky.js'
export { Matrix, type MatrixLike } from './Matrix.js'
export { type OrthonormalBasis, orthonormalise } from './orthonormalise.js'
export { gram, type MultiplyOptions, multiply } from './products.js'
export { type Eigen, symmetricEigen } from './symmetricEigen.js'
export { symmetrised } from './symmetrised.js'
