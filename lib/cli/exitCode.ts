/** How `sfm` ends, for scripts to act on (docs/cli.md). */
export const EXIT = {
  /** All was done, every input was usable. */
  success: 0,
  /** An input was not usable, or something failed on the way; the rest was done. */
  failure: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** Ctrl-C: 128 and the signal's number, as shells have it. */
  interrupted: 130,
} as const
