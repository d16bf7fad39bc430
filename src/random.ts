import { randomFillSync } from 'node:crypto';

/** Randomness, as a parameter. Only this file asks the system for it. */
export interface Random {
  /** `sizeBytes` fresh bytes; unpredictable in production. */
  bytes(sizeBytes: number): Uint8Array;
}

/** The randomness of this machine, fit for keys. */
export const systemRandom: Random = {
  bytes: (sizeBytes) => randomFillSync(new Uint8Array(sizeBytes)),
};
