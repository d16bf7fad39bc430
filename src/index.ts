/** The public API. */
export type { Codec } from './archive/header.ts';
export type { EntryMetadata, JsonValue } from './archive/json.ts';
export { type Clock, systemClock } from './clock.ts';
export type { HoldfastConfig } from './config/config-schema.ts';
export { defineConfig } from './config/define-config.ts';
export { type ErrorCode, type ErrorContext, errorTable, HoldfastError } from './errors.ts';
export { createBackup } from './operation/backup.ts';
export { inspectArchive, summarizeArchive } from './operation/inspect.ts';
export { addKeySlots, removeKeySlot } from './operation/keys.ts';
export { openArchive } from './operation/open.ts';
export type {
  ArchiveEntry,
  ArchiveLocation,
  ArchiveSummary,
  BackupOptions,
  BackupReport,
  BlockHealth,
  Comparison,
  KeySlot,
  OpenKeys,
  Progress,
  RepairOptions,
  RepairReport,
  RestoreAction,
  RestoreOptions,
  RestoreReport,
  RunOptions,
  SealKeys,
  ValidateOptions,
  ValidationReport,
} from './operation/options.ts';
export { repairArchive } from './operation/repair.ts';
export { restoreBackup } from './operation/restore.ts';
export { type UndoReport, type UndoRestoreOptions, undoRestore } from './operation/undo.ts';
export { validateBackup } from './operation/verify.ts';
export type { Fall } from './policy/plausibility.ts';
export { type Random, systemRandom } from './random.ts';
export { Secret } from './secret.ts';
export type { CommandProgram } from './source/command/command-program.ts';
export { CommandSource, type CommandSourceOptions } from './source/command/command-source.ts';
export type { DatabaseSourceOptions, DatabaseTargetOptions, RestoreMode } from './source/database-options.ts';
export { FilesSource } from './source/files/files-source.ts';
export { sourceFromUrl } from './source/parse-url.ts';
export type {
  EntryKind,
  Source,
  SourceContext,
  SourceDescription,
  SourceEntry,
  SourceProblem,
} from './source/source.ts';
export { SqliteSource, type SqliteSourceOptions } from './source/sqlite/sqlite-source.ts';
export type { RestorableEntry, RestoreTarget, TargetChange } from './source/target.ts';
export { LocalStorage, type LocalStorageOptions } from './storage/local/local-storage.ts';
export { MemoryStorage } from './storage/memory/memory-storage.ts';
export type { RandomAccess, Storage, StorageWriter, StoredObject, WriterOptions } from './storage/storage.ts';
