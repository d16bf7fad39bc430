import type { Storage } from './storage.ts';

const methods = ['writer', 'open', 'stat', 'list', 'delete', 'url', 'close'] as const satisfies (keyof Storage)[];

/** Whether a value is an object that can be used as a storage, whoever wrote it. */
export function isStorage(value: unknown): value is Storage {
  if (typeof value !== 'object' || value === null) return false;
  const members = value as Record<string, unknown>;
  const { properties } = members;
  return methods.every((name) => typeof members[name] === 'function') && typeof properties === 'object';
}
