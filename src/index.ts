/** The public API. */
export type { Codec } from './archive/header.ts';
export type { EntryMetadata, JsonValue } from './archive/json.ts';
export { type Clock, systemClock, type Wait } from './clock.ts';
export type { HoldfastConfig } from './config/config-schema.ts';
export { defineConfig, type HoldfastConfigGiven } from './config/define-config.ts';
export { type OpenStorageOptions, openStorage } from './config/open-storage.ts';
export { retentionPolicy } from './config/retention-settings.ts';
export type { StorageGiven, StorageSettings } from './config/storage-settings.ts';
export { type ErrorCode, type ErrorContext, errorTable, HoldfastError } from './errors.ts';
export { History, type OpenHistoryOptions, openHistory, type RunFilter } from './history/history.ts';
export type {
  DrillCheck,
  DrillProof,
  RecordedDelivery,
  RecordedError,
  RunArchive,
  RunArchiveState,
  RunCounts,
  RunKind,
  RunPhase,
  RunRecord,
  RunState,
} from './history/run-record.ts';
export type { Hook, HookEvent, HookFunction, HookInfo } from './hook/hooks.ts';
export {
  type Notification,
  type NotificationEvent,
  notificationEvents,
} from './notify/notification.ts';
export type { Notifier, SendContext } from './notify/notifier.ts';
export { type DeliveryReport, type SendOptions, type Subscription, sendAll } from './notify/send-all.ts';
export { verifyWebhook } from './notify/webhook.ts';
export { createBackup } from './operation/backup.ts';
export {
  type CheckStorageOptions,
  checkStorage,
  type StorageCheckReport,
  type StorageCheckStep,
} from './operation/check-storage.ts';
export { drillBackup } from './operation/drill.ts';
export type { DrilledDatabase, DrillOptions, DrillReport } from './operation/drill-options.ts';
export { inspectArchive, summarizeArchive } from './operation/inspect.ts';
export {
  joinKey,
  type KeyShare,
  type KeyShareKind,
  readKeyShare,
  type SplitKeyOptions,
  splitKey,
} from './operation/key-shares.ts';
export { addKeySlots, removeKeySlot } from './operation/keys.ts';
export { openArchive } from './operation/open.ts';
export type {
  ArchiveEntry,
  ArchiveLocation,
  ArchiveSummary,
  BackupOptions,
  BackupOutput,
  BackupReport,
  BlockHealth,
  Comparison,
  KeySlot,
  MediaDestination,
  OpenKeys,
  OutputReport,
  Progress,
  RepairOptions,
  RepairReport,
  RestoreAction,
  RestoreOptions,
  RestoreReport,
  RunOptions,
  SealKeys,
  ShardReport,
  SpreadReport,
  ValidateOptions,
  ValidationReport,
} from './operation/options.ts';
export { pinArchive, unpinArchive } from './operation/pin.ts';
export { createPlainBackup, type PlainBackupOptions, type PlainBackupReport } from './operation/plain-backup.ts';
export {
  type CheckPlainOptions,
  checkPlainBackup,
  type PlainCheckReport,
  type PlainRestoreOptions,
  type PlainRestoreReport,
  restorePlainBackup,
} from './operation/plain-restore.ts';
export {
  type PrunedArchive,
  type PruneOptions,
  type PruneReport,
  pruneStorages,
  type RetentionFacts,
} from './operation/prune.ts';
export { type PullOptions, type PushOptions, pullBackup, pushBackup, type TransferReport } from './operation/push.ts';
export { type RebuildOptions, type RebuildReport, rebuildHistory } from './operation/rebuild-history.ts';
export { type RecordRunOptions, type RunOutcome, recordRun } from './operation/record-run.ts';
export { repairArchive } from './operation/repair.ts';
export { restoreBackup } from './operation/restore.ts';
export { retentionFacts } from './operation/retention-facts.ts';
export {
  backupOutcome,
  drillOutcome,
  pruneOutcome,
  repairOutcome,
  restoreOutcome,
  scrubOutcome,
  verifyOutcome,
} from './operation/run-outcomes.ts';
export { type RunStats, runStats } from './operation/run-stats.ts';
export {
  type DueRun,
  type JobStore,
  runScheduler,
  type ScheduledJob,
  type SchedulerEvent,
  type SchedulerOptions,
} from './operation/scheduler.ts';
export {
  type NamedStorage,
  type ScrubbedArchive,
  type ScrubOptions,
  type ScrubReport,
  scrubStorages,
} from './operation/scrub.ts';
export { type SyncedArchive, type SyncOptions, type SyncReport, syncStorages } from './operation/sync.ts';
export { type UndoReport, type UndoRestoreOptions, undoRestore } from './operation/undo.ts';
export { validateBackup } from './operation/verify.ts';
export type { DumpCodec } from './plain/codec-names.ts';
export type { OpenPgpOpenKeys, OpenPgpSealKeys } from './plain/openpgp-message.ts';
export type {
  DrillContext,
  DrillFunction,
  Expectation,
  ExpectedValue,
  GivenCheck,
  SqlCheck,
} from './policy/drill-check.ts';
export type { Fall } from './policy/plausibility.ts';
export {
  judgeRetention,
  type RetentionArchive,
  type RetentionContext,
  type RetentionJudgement,
  type RetentionPolicy,
  type RetentionVerdict,
} from './policy/retention.ts';
export { nextRuns, readSchedule, type Schedule, type ScheduleTimes } from './policy/schedule.ts';
export {
  BullmqQueue,
  type BullmqQueueOptions,
  type RepeatedJob,
  type RepeatReport,
} from './queue/bullmq/bullmq-queue.ts';
export { MemoryQueue, type MemoryQueueOptions } from './queue/memory/memory-queue.ts';
export type {
  JobRun,
  JobToQueue,
  Queue,
  QueuedJob,
  QueuedProgress,
  QueuedState,
  WorkerEvent,
  WorkOptions,
} from './queue/queue.ts';
export { type Random, systemRandom } from './random.ts';
export { Secret } from './secret.ts';
export type { CommandProgram } from './source/command/command-program.ts';
export { CommandSource, type CommandSourceOptions } from './source/command/command-source.ts';
export type { DatabaseSourceOptions, DatabaseTargetOptions, RestoreMode } from './source/database-options.ts';
export { FilesSource } from './source/files/files-source.ts';
export { MediaSource, type MediaSourceOptions } from './source/media/media-source.ts';
export type { ApplicationModelSettings } from './source/model/application-models.ts';
export type { Application } from './source/model/join-models.ts';
export type { Mask, MaskContext } from './source/model/mask/mask.ts';
export {
  maskConstant,
  maskEmail,
  maskHash,
  maskName,
  maskPhone,
  maskText,
} from './source/model/mask/mask-presets.ts';
export type { ModelSettings } from './source/model/model-settings.ts';
export { ModelSource, type ModelSourceOptions } from './source/model/model-source.ts';
export type { ModelRestoreSettings } from './source/model/model-target.ts';
export {
  type BackupGiven,
  defineBackup,
  type FileRoot,
  type ModelRegistration,
} from './source/model/registry/define-backup.ts';
export {
  type ExcludedValue,
  exclude,
  type FieldKind,
  type FieldOptions,
  file,
  filePath,
  value,
} from './source/model/registry/field-kind.ts';
export type { ModelNameOf, RowOf, RowOfNamed } from './source/model/registry/model-types.ts';
export type { Comparisons, ConditionValue, Where } from './source/model/registry/row-condition.ts';
export type { OnConflict } from './source/model/restore/restore-plan.ts';
export { plainSourceFromUrl, sourceFromUrl } from './source/parse-url.ts';
export type {
  EntryKind,
  Source,
  SourceContext,
  SourceDescription,
  SourceEntry,
  SourceProblem,
} from './source/source.ts';
export { SqliteSource, type SqliteSourceOptions } from './source/sqlite/sqlite-source.ts';
export type { ModelChange, RestorableEntry, RestoreTarget, TargetChange } from './source/target.ts';
export { LocalStorage, type LocalStorageOptions } from './storage/local/local-storage.ts';
export { MemoryStorage } from './storage/memory/memory-storage.ts';
export { type RebuiltShard, SpreadStorage, type SpreadStorageOptions } from './storage/spread/spread-storage.ts';
export type {
  ForeignObject,
  ObjectDetails,
  ObjectHeaders,
  OpenedObject,
  RandomAccess,
  ReadBack,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from './storage/storage.ts';
export { type LogOptions, logStorage, type StorageCall } from './storage/wrap/log.ts';
export { prefixStorage } from './storage/wrap/prefix.ts';
export { readOnlyStorage } from './storage/wrap/read-only.ts';
export { type RetryOptions, type RetrySettings, retryStorage } from './storage/wrap/retry.ts';
export { type ThrottleOptions, type ThrottleSettings, throttleStorage } from './storage/wrap/throttle.ts';
