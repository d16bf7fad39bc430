/**
 * What is not as the catalogue says. `missing`: an archive is gone that nobody removed; `changed`: it is another one, or other keys open it;
 * `shard_missing`: one of its shards is gone, though the archive can still be had; `renamed`: it stands under another name than it was put under; `returned`: it is there though it was removed; `rolled_back`: records are gone
 * that were there; `gap`, `fork`, `forged`: the chain is not whole; `unreadable`: it cannot be told what an archive is; `unrecorded`: it is there and
 * the catalogue does not know it; `unknown_chain`: its writer is not known to this history.
 */
export type CatalogueFindingKind =
  | 'missing'
  | 'shard_missing'
  | 'changed'
  | 'renamed'
  | 'returned'
  | 'rolled_back'
  | 'gap'
  | 'fork'
  | 'forged'
  | 'unreadable'
  | 'unrecorded'
  | 'unknown_chain';

/** One thing that is not as the catalogue says. */
export interface CatalogueFinding {
  readonly storage: string;
  readonly kind: CatalogueFindingKind;
  /** Of an object: its name as it is, or as it should be. */
  readonly name?: string;
  readonly chain?: string;
  /** For people. */
  readonly message: string;
}

/** These may come of an old catalogue, a crash or another history; all others mean that somebody changed what is on the storage. */
const doubts: ReadonlySet<CatalogueFindingKind> = new Set(['unreadable', 'unrecorded', 'unknown_chain']);

/** Whether a finding means that somebody changed what is on the storage. */
export function isViolation({ kind }: Pick<CatalogueFinding, 'kind'>): boolean {
  return !doubts.has(kind);
}
