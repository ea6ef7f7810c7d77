/**
 * Seeded random numbers, the same on every machine: PCG-XSH-RR 32 (O'Neill 2014) for bits, Box and Muller (1958) for
 * normal variates.
 */
export class Random {
  private state: bigint
  private spare: number | undefined

  constructor(seed: number) {
    this.state = 0n
    this.bits()
    this.state = (this.state + BigInt(seed)) & MASK
    this.bits()
  }

  /** 32 random bits. */
  bits(): number {
    const old = this.state
    this.state = (old * 6364136223846793005n + INCREMENT) & MASK
    const shifted = Number((((old >> 18n) ^ old) >> 27n) & 0xffffffffn)
    const turn = Number(old >> 59n)
    return ((shifted >>> turn) | (shifted << (-turn & 31))) >>> 0
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.bits() / 2 ** 32
  }

  /** Standard normal. */
  normal(): number {
    if (this.spare !== undefined) {
      const value = this.spare
      this.spare = undefined
      return value
    }
    // 1 - u is never 0.
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
}

const MASK = (1n << 64n) - 1n
const INCREMENT = 1442695040888963407n
