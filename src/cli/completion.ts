import type { Argument, Command, Option } from 'commander';

/** What the tab key may put in the place of the last word. */
export interface Completion {
  /** Whether names of files fit as well. */
  readonly files: boolean;
  readonly candidates: readonly Candidate[];
}

/** A word, and what it means where that is known. */
export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** Names that a configuration gives to things; asked only where one is wanted. */
export interface CompletionNames {
  storages(): Promise<readonly string[]>;
  jobs(): Promise<readonly string[]>;
}

const nothing: Completion = { files: false, candidates: [] };

/** Completes the last of the words after the program's name, by the commands and options that the program has. */
export async function complete(
  program: Command,
  words: readonly string[],
  names: CompletionNames,
): Promise<Completion> {
  const { command, operands, pending, ended } = walk(program, words.slice(0, -1));
  const current = words.at(-1) ?? '';
  if (pending !== undefined) return startingWith(current, await valuesOf(pending, names));
  if (current.startsWith('-') && !ended) return await completeOption(command, current, names);
  if (command.commands.length > 0) {
    if (operands > 0) return nothing;
    return startingWith(current, { files: false, candidates: subcommandsOf(command) });
  }
  const argument = argumentAt(command, operands);
  return argument === undefined ? nothing : startingWith(current, await valuesOf(argument, names));
}

/** Where a command line stands after its words: in which command, and after an option that wants a value. */
function walk(program: Command, words: readonly string[]) {
  let command = program;
  let operands = 0;
  let ended = false;
  let pending: Option | undefined;
  for (const word of words) {
    if (pending !== undefined) pending = undefined;
    else if (!ended && word === '--') ended = true;
    else if (!ended && word.startsWith('-')) pending = word.includes('=') ? undefined : wantingValue(command, word);
    else {
      const child = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
      if (child === undefined) operands++;
      else command = child;
    }
  }
  return { command, operands, pending, ended };
}

/** A value that may be left out has to be joined to its option by `=` here: the next word may be anything. */
function wantingValue(command: Command, flag: string): Option | undefined {
  return command.options.find((option) => [option.long, option.short].includes(flag) && option.required);
}

function argumentAt({ registeredArguments: known }: Command, position: number): Argument | undefined {
  const last = known.at(-1);
  return known[position] ?? (last?.variadic ? last : undefined);
}

function subcommandsOf(command: Command): Candidate[] {
  const visible = command.createHelp().visibleCommands(command);
  return visible.map((child) => ({ value: child.name(), description: child.description() }));
}

async function completeOption(command: Command, current: string, names: CompletionNames): Promise<Completion> {
  const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(current) ?? [];
  if (flag !== undefined && value !== undefined) {
    const option = command.options.find((one) => one.long === flag);
    if (option === undefined) return nothing;
    const { files, candidates } = startingWith(value, await valuesOf(option, names));
    return { files, candidates: candidates.map((one) => ({ ...one, value: `${flag}=${one.value}` })) };
  }
  const visible = command.createHelp().visibleOptions(command);
  const candidates = visible.flatMap(({ long, description }) =>
    long === undefined || long === null ? [] : [{ value: long, description }],
  );
  return startingWith(current, { files: false, candidates });
}

/** What stands for a path in the help of options and arguments. */
const pathPlaceholder = /[<[](?:path|file|folder|archive)(?:\.\.\.)?[>\]]/;

async function valuesOf(taker: Option | Argument, names: CompletionNames): Promise<Completion> {
  const { argChoices, description } = taker;
  const shown = 'flags' in taker ? taker.flags : `<${taker.name()}>`;
  const asCandidates = (values: readonly string[]) => values.map((value) => ({ value, description: '' }));
  if (argChoices !== undefined) return { files: false, candidates: asCandidates(argChoices) };
  if (/^--storage\b/.test(shown) || /\bstorage of holdfast\.config\.ts|^the storage\b/.test(description)) {
    return { files: false, candidates: asCandidates(await names.storages()) };
  }
  if (/^--job\b/.test(shown)) return { files: false, candidates: asCandidates(await names.jobs()) };
  return { files: pathPlaceholder.test(shown), candidates: [] };
}

function startingWith(start: string, { files, candidates }: Completion): Completion {
  return { files, candidates: candidates.filter(({ value }) => value.startsWith(start)) };
}
