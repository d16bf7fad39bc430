/** Identities of age with their recipients; made for these tests, they open nothing else. */
export const ageKeys = [
  {
    identity: 'AGE-SECRET-KEY-1V0UJG2Q5RDTUC6RK579TPRXCULQDC7898NLVTKSZQ9A0ASECDVHSZZ0TKT',
    recipient: 'age1zlkpwxgezcd65vucee62hymdud25wcy7vy70xgqhudze3s8wng0qclfksw',
  },
  {
    identity: 'AGE-SECRET-KEY-1VW8U36HKU4J8VR8NYUMH55YAFJLK4SQ502AZXFAGTV4FR3T0KQ4SUP2DLW',
    recipient: 'age1unvp6j6we06qmkrdc3w23cgqnrvxa9l8gk06v29phvsg3kksza6q64e2ek',
  },
] as const;
