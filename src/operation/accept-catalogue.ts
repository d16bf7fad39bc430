import type { CatalogueWriter } from '../catalogue/catalogue-writer.ts';
import { throwIfAborted } from '../errors.ts';
import type { CatalogueState } from '../history/catalogue-state.ts';
import type { CatalogueFinding } from './catalogue-finding.ts';
import type { NamedStorage } from './scrub.ts';
import { readCatalogue, type VerifyCatalogueOptions, verifyCatalogue } from './verify-catalogue.ts';

/** What {@link acceptCatalogue} takes. */
export interface AcceptCatalogueOptions extends Omit<VerifyCatalogueOptions, 'level' | 'expectedHeads' | 'state'> {
  readonly state: CatalogueState;
  readonly writer: CatalogueWriter;
  /** Asked with what would be taken as right; `false` leaves all as it is. True unless set. */
  readonly confirm?: (findings: readonly CatalogueFinding[]) => Promise<boolean>;
}

const ofObjects: ReadonlySet<string> = new Set(['changed', 'shard_missing', 'renamed', 'returned', 'unrecorded']);
const ofChains: ReadonlySet<string> = new Set(['gap', 'fork', 'forged', 'rolled_back']);

/**
 * Takes what is on the storages as right from now on: what is missing counts as removed, what is there as put there, and a chain of this machine
 * that is not whole begins anew with all that is there. What is wrong in the chain of another machine stays: it is for that machine to
 * accept. Nothing else is changed on the storages. Gives what was found, and accepted where it can be.
 */
export async function acceptCatalogue(options: AcceptCatalogueOptions): Promise<readonly CatalogueFinding[]> {
  const { storages, writer, state, signal, confirm = async () => true } = options;
  for (const named of storages) await writer.settle(named);
  const { findings } = await verifyCatalogue(options);
  if (findings.length === 0 || !(await confirm(findings))) return findings;
  for (const named of storages) {
    throwIfAborted(signal);
    const some = findings.filter(({ storage }) => storage === named.name);
    if (some.length > 0) await acceptOne(named, some, { writer, state, signal });
  }
  return findings;
}

async function acceptOne(
  named: NamedStorage,
  findings: readonly CatalogueFinding[],
  { writer, state, signal }: { writer: CatalogueWriter; state: CatalogueState; signal: AbortSignal | undefined },
): Promise<void> {
  const own = await writer.settle(named);
  const reading = await readCatalogue(named, { signal });
  for (const { kind, chain } of findings) {
    if (kind !== 'rolled_back' || chain === undefined || chain === own) continue;
    const head = reading.chains.find((one) => one.chain === chain)?.head;
    if (head === undefined) await state.forget(chain);
    else await state.accept(chain, head);
  }
  for (const { kind, name } of findings) {
    if (name === undefined) continue;
    const object = reading.facts.get(name);
    if (kind === 'missing' && object === undefined) await writer.append(named, { event: 'removed', object: { name } });
    else if (ofObjects.has(kind) && object) await writer.append(named, { event: 'written', object, adopted: true });
  }
  if (findings.some(({ kind, chain }) => chain === own && ofChains.has(kind))) await beginAnew(named, writer, signal);
}

/** One record that says all: what is in the chain before it does not matter any more. */
async function beginAnew(named: NamedStorage, writer: CatalogueWriter, signal: AbortSignal | undefined): Promise<void> {
  await writer.checkpoint(named, async (origin) => {
    const { chains, facts, present } = await readCatalogue(named, { signal });
    const there = new Set(present.map(({ name }) => name));
    const claimed = new Set(
      chains.flatMap(({ last }) => [...last].flatMap(([name, { event }]) => (event === 'written' ? [name] : []))),
    );
    return {
      objects: [...facts.values()].flatMap((object) => (object === null ? [] : [{ ...object, ...origin }])),
      removals: [...claimed].filter((name) => !there.has(name)).map((name) => ({ name, ...origin })),
      removed: [],
    };
  });
}
