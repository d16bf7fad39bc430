/** For tests of adapters and of what is built on Holdfast. */
export { MemoryStorage, memoryRandomAccess } from '../storage/memory/memory-storage.ts';
export { Corruptor, type Damage } from './corruptor.ts';
export { FakeClock } from './fake-clock.ts';
export { FaultyStorage, type StorageFaults } from './faulty-storage.ts';
export type { HistoryCase, HistoryUnderTest } from './history-case.ts';
export { historyCases } from './history-cases.ts';
export { type NotifierCase, type NotifierUnderTest, notifierCases, sampleNotification } from './notifier-cases.ts';
export { type QueueCase, type QueueUnderTest, queueCases } from './queue-cases.ts';
export { SeededRandom } from './seeded-random.ts';
export { type SourceCase, type SourceCaseSubject, sourceCases } from './source-cases.ts';
export { type FillStorage, type StorageCase, type StorageNeed, storageCases } from './storage-cases.ts';
