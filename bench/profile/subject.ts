/** Something to back up, made, with what the command line is told of it; it runs in the folder that was given. */
export interface Subject {
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** The storage of the configuration; a file unless set. */
  readonly storage?: string;
  /** Ends its servers. */
  readonly stop?: () => Promise<void>;
}

/** Makes about so many bytes in a folder, or fewer where bytes are dear. */
export type MakeSubject = (folder: string, sizeBytes: number) => Promise<Subject>;

export const filesTo: readonly string[] = ['--files-to', 'restored'];
