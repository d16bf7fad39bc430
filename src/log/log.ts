import { stripVTControlCharacters } from 'node:util';
import { type Clock, systemClock } from '../clock.ts';
import { Redactor } from './redact-text.ts';

/** How much something matters, from little to much. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
/** One of {@link logLevels}. */
export type LogLevel = (typeof logLevels)[number];

/** How lines are written. */
export const logFormats = ['text', 'json'] as const;
/** One of {@link logFormats}: a line for people, or an object of JSON on a line. */
export type LogFormat = (typeof logFormats)[number];

/** Facts beside a message. `runId` and `job` tell which lines belong together. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a process that runs for long tells what happens. What is secret is taken out of every line. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** What {@link openLog} takes. */
export interface LogOptions {
  /** Lines that matter less are not written; `info` unless set. */
  readonly level?: LogLevel | undefined;
  /** `text` unless set. */
  readonly format?: LogFormat | undefined;
  /** Takes a line, its end included. */
  write(line: string): void;
  /** The secrets that these variables hold appear in no line. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
}

type WriteLine = (level: LogLevel, message: string, fields: LogFields) => void;

/** Opens a log. pino is loaded where it writes JSON. */
export async function openLog(options: LogOptions): Promise<Log> {
  const { level = 'info', format = 'text', environment } = options;
  const redactor = new Redactor(environment);
  const writeLine = format === 'json' ? await jsonLines(options) : textLines(options);
  const tell =
    (own: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (logLevels.indexOf(own) < logLevels.indexOf(level)) return;
      writeLine(own, redactor.text(message), redactor.value(fields) as LogFields);
    };
  return { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') };
}

async function jsonLines({ write, clock = systemClock }: LogOptions): Promise<WriteLine> {
  const { pino } = await import('pino');
  const logger = pino(
    {
      level: 'debug',
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date(clock.nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return (level, message, fields) => logger[level](fields, message);
}

/** Names come from disks and servers: what could steer a terminal or break a line is shown as U+FFFD. */
function onOneLine(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '\u{fffd}');
}

function textLines({ write, clock = systemClock }: LogOptions): WriteLine {
  return (level, message, { job, runId, error }) => {
    const time = `${new Date(clock.nowMs()).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    const subject = job === undefined ? '' : `${job}: `;
    const code = typeof error === 'object' && error !== null && 'code' in error ? ` [${error.code}]` : '';
    const id = runId === undefined ? '' : `  run=${runId}`;
    write(`${onOneLine(`${time}  ${level.padEnd(5)}  ${subject}${message}${code}${id}`)}\n`);
  };
}
