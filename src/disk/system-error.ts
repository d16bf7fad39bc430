/** An error of a system call. */
export interface SystemError extends Error {
  /** Its errno name, such as `ENOENT`. */
  readonly code: string;
}

/** Whether the error comes from a system call: it has an errno name such as `ENOENT` as its code. */
export function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'code' in error && 'syscall' in error && typeof error.code === 'string';
}
