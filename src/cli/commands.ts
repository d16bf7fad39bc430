import type { Command } from 'commander';
import type { CommandContext } from './command-context.ts';

/** Adds its commands to the whole one. */
type AddCommands = (program: Command, context: CommandContext) => void;

/** Commands of one module. Reading modules is most of what a short run takes, so a run reads those of its own command alone. */
interface CommandModule {
  readonly names: readonly string[];
  load(): Promise<AddCommands>;
}

/** All commands, in the order of the help. */
const commandModules: readonly CommandModule[] = [
  { names: ['init'], load: async () => (await import('./init-command.ts')).addInitCommand },
  { names: ['backup'], load: async () => (await import('./backup-command.ts')).addBackupCommand },
  { names: ['restore'], load: async () => (await import('./restore-command.ts')).addRestoreCommand },
  { names: ['undo'], load: async () => (await import('./undo-command.ts')).addUndoCommand },
  { names: ['verify'], load: async () => (await import('./verify-command.ts')).addVerifyCommand },
  { names: ['repair'], load: async () => (await import('./repair-command.ts')).addRepairCommand },
  { names: ['list'], load: async () => (await import('./list-command.ts')).addListCommand },
  { names: ['inspect'], load: async () => (await import('./inspect-command.ts')).addInspectCommand },
  { names: ['push'], load: async () => (await import('./push-command.ts')).addPushCommand },
  { names: ['pull'], load: async () => (await import('./push-command.ts')).addPullCommand },
  { names: ['sync'], load: async () => (await import('./sync-command.ts')).addSyncCommand },
  { names: ['scrub'], load: async () => (await import('./scrub-command.ts')).addScrubCommand },
  { names: ['drill'], load: async () => (await import('./drill-command.ts')).addDrillCommand },
  { names: ['delete'], load: async () => (await import('./delete-command.ts')).addDeleteCommand },
  { names: ['prune'], load: async () => (await import('./prune-command.ts')).addPruneCommand },
  { names: ['pin', 'unpin'], load: async () => (await import('./pin-command.ts')).addPinCommands },
  { names: ['catalogue'], load: async () => (await import('./catalogue-command.ts')).addCatalogueCommand },
  { names: ['storage'], load: async () => (await import('./storage-command.ts')).addStorageCommand },
  { names: ['files'], load: async () => (await import('./files-command.ts')).addFilesCommand },
  { names: ['schedule'], load: async () => (await import('./schedule-command.ts')).addScheduleCommand },
  { names: ['serve'], load: async () => (await import('./serve-command.ts')).addServeCommand },
  { names: ['worker'], load: async () => (await import('./worker-command.ts')).addWorkerCommand },
  { names: ['jobs'], load: async () => (await import('./jobs-command.ts')).addJobsCommand },
  {
    names: ['runs', 'stats', 'rebuild'],
    load: async () => (await import('./history-commands.ts')).addHistoryCommands,
  },
  { names: ['metrics'], load: async () => (await import('./metrics-command.ts')).addMetricsCommand },
  { names: ['key'], load: async () => (await import('./key-command.ts')).addKeyCommand },
  { names: ['config'], load: async () => (await import('./config-command.ts')).addConfigCommand },
  { names: ['doctor'], load: async () => (await import('./doctor-command.ts')).addDoctorCommand },
  { names: ['notify'], load: async () => (await import('./notify-command.ts')).addNotifyCommand },
  { names: ['completion'], load: async () => (await import('./completion-command.ts')).addCompletionCommand },
];

/** Commands that show or complete others. */
const namesOfAll: readonly string[] = ['completion'];

/** Adds the command of that name with those of its module, and all commands where no module has it. */
export async function addCommands(program: Command, context: CommandContext, name: string | undefined): Promise<void> {
  const ofName = commandModules.filter(({ names }) => name !== undefined && names.includes(name));
  const chosen = ofName.length === 0 || namesOfAll.includes(String(name)) ? commandModules : ofName;
  for (const add of await Promise.all(chosen.map(({ load }) => load()))) add(program, context);
}
