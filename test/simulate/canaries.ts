/** Secrets of a simulated world: they are looked for in all that it says and writes. */
import { ageKeys } from '../end-to-end/age-keys.ts';

export const passphraseCanary = 'canary-passphrase-77ab';
/** Stands in each entry: in an encrypted archive nobody may find it. */
export const contentCanary = 'canary-content-5d1c';
/** What is told to nobody. */
export const canaries: readonly string[] = [
  passphraseCanary,
  contentCanary,
  ...ageKeys.map(({ identity }) => identity),
];
