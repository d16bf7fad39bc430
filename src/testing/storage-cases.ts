import type { StorageCase } from './storage-case.ts';
import { storageReadCases } from './storage-read-cases.ts';
import { storageWriteCases } from './storage-write-cases.ts';

export type { FillStorage, StorageCase, StorageNeed } from './storage-case.ts';

/**
 * The contract of storages as cases, free of any test runner: for the adapters here, and for those of others.
 *
 * @example
 * for (const each of storageCases) test(each.name, () => each.run(async () => new MemoryStorage()));
 */
export const storageCases: readonly StorageCase[] = [...storageWriteCases, ...storageReadCases];
