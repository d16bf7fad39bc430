/** Something that reads what anybody may send. */
export interface FuzzTarget {
  readonly name: string;
  /** What is changed to begin with. */
  readonly seeds: readonly Uint8Array[];
  /** Words that mean something to the reader. */
  readonly words: readonly string[];
  readonly maximumBytes: number;
  /** So much of the processor's time an input may take, in milliseconds. */
  readonly limitMs: number;
  /** Whether an input takes longer than a look at the coverage: then each is looked at by itself, and none is run twice. */
  readonly isSlow?: boolean;
  /** Makes hashes right again after a change, where without that nothing behind them would be reached. */
  readonly fix?: (bytes: Buffer) => void;
  /** Reads an input; throws where the answer is wrong. An error that is meant for such input is no wrong answer. */
  run(bytes: Uint8Array): void | Promise<void>;
  close?(): Promise<void>;
}
