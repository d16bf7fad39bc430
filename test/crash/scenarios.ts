/** The commands that are crashed at every step. */
import { backup, key, prune, repair, replace, scrub, sync } from './archive-scenarios.ts';
import { overwrite, restoreNew, smallFiles, sqlite, sqliteLog, withIdentity } from './restore-scenarios.ts';
import type { Scenario } from './scenario.ts';
import { spread, spreadKey, spreadPrune, spreadScrub } from './spread-scenarios.ts';

/** By the name that `npm run crash -- --what` takes. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  backup,
  replace,
  prune,
  scrub,
  sync,
  repair,
  key,
  restore: withIdentity(restoreNew),
  'small-files': withIdentity(smallFiles),
  overwrite: withIdentity(overwrite),
  sqlite: withIdentity(sqlite),
  'sqlite-log': withIdentity(sqliteLog),
  spread,
  'spread-prune': spreadPrune,
  'spread-scrub': spreadScrub,
  'spread-key': spreadKey,
};
