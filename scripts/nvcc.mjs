// Where the CUDA compiler is, as cmake/Cuda.cmake looks for it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The path of nvcc, or undefined where there is none. */
export function findNvcc() {
  const { PATH = '', CUDA_PATH, CUDA_HOME } = process.env
  const name = process.platform === 'win32' ? 'nvcc.exe' : 'nvcc'
  const roots = [CUDA_PATH, CUDA_HOME, '/usr/local/cuda'].filter(Boolean).map((root) => join(root, 'bin'))
  const folders = [...PATH.split(process.platform === 'win32' ? ';' : ':'), ...roots]
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

/** Such as `13.0`. */
export function nvccVersion(nvcc) {
  return /release (\d+\.\d+)/.exec(spawnSync(nvcc, ['--version'], { encoding: 'utf8' }).stdout)?.[1]
}
