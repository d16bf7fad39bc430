import { stripVTControlCharacters } from 'node:util';
import type { Clock } from '../clock.ts';
import type { RunLogLine } from '../history/run-record.ts';
import { Redactor } from '../log/redact-text.ts';
import type { TextOutput } from './command-context.ts';
import { formatNumberOf } from './format-value.ts';

/** Of a run that tells much its beginning and its end are kept. */
const firstLines = 100;
const lastLines = 400;
const lineLengthLimit = 1000;

/** What a command tells on its stderr, for the history: line by line, without progress, without secrets. */
export class RunLog {
  readonly #clock: Clock;
  readonly #redactor: Redactor;
  #first: RunLogLine[] = [];
  #last: RunLogLine[] = [];
  #leftOut = 0;
  #rest = '';
  #phase: string | undefined;

  constructor(clock: Clock, environment: Readonly<Record<string, string | undefined>>) {
    this.#clock = clock;
    this.#redactor = new Redactor(environment);
  }

  /** The same output, of which a copy comes here. */
  listen(output: TextOutput): TextOutput {
    const hear = (text: string) => this.#hear(text);
    return {
      write: (text) => {
        hear(text);
        return output.write(text);
      },
      get isTTY() {
        return output.isTTY === true;
      },
      get columns() {
        return output.columns ?? 100;
      },
    };
  }

  /** A run has come to its next phase. */
  enter(phase: string): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.add(`phase: ${phase}`);
  }

  add(text: string): void {
    const clean = stripVTControlCharacters(this.#redactor.text(text)).replace(
      /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
      '\u{fffd}',
    );
    const line = { timeMs: this.#clock.nowMs(), text: clean.slice(0, lineLengthLimit) };
    if (this.#first.length < firstLines) {
      this.#first.push(line);
      return;
    }
    this.#last.push(line);
    if (this.#last.length <= lastLines) return;
    this.#last.shift();
    this.#leftOut++;
  }

  /** What was told since it was taken last: each run has its own. */
  take(): RunLogLine[] {
    const [next] = this.#last;
    const gap =
      this.#leftOut === 0 || next === undefined
        ? []
        : [{ timeMs: next.timeMs, text: `… ${formatNumberOf(this.#leftOut, 'line')} left out …` }];
    const lines = [...this.#first, ...gap, ...this.#last];
    this.#first = [];
    this.#last = [];
    this.#leftOut = 0;
    this.#phase = undefined;
    return lines;
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(-lineLengthLimit);
    for (const line of lines) {
      // A line of progress is drawn over itself; what stands behind its last erasure is a line of its own.
      const shown = line.slice(line.lastIndexOf('\x1b[K') === -1 ? 0 : line.lastIndexOf('\x1b[K') + 3);
      const isProgress = /^(\r|\{"(progress|blocks)":)/.test(shown);
      if (!isProgress && shown.trim() !== '') this.add(shown);
    }
    if (this.#rest.startsWith('\r') && this.#rest.endsWith('\x1b[K')) this.#rest = '';
  }
}
