/** The command line itself is wrong: `sfm` says so and ends with status 2, before it has done anything. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
