import { isShape, type SpreadShape } from '../../archive/spread/shard-format.ts';

/** What the name of a shard tells: `shop.holdfast.3of5.9f3a6c01.2` is the second of five, any three of which are enough. */
export interface ShardName {
  /** Of the archive. */
  readonly name: string;
  readonly shape: SpreadShape;
  /** The same for all shards that were written together, and for no others of that name. */
  readonly tag: string;
  /** From 0; `gone` is the mark that the shards are being removed. */
  readonly index: number | 'gone';
}

/** Bytes of a tag, which is random. */
export const tagSizeBytes = 4;

const pattern = /^(.+)\.(\d{1,3})of(\d{1,3})\.([0-9a-f]{8})\.(\d{1,3}|gone)$/;

/** The name of an object that holds a shard. */
export function shardName({ name, shape, tag, index }: ShardName): string {
  const end = index === 'gone' ? index : String(index + 1);
  return `${name}.${shape.data}of${shape.data + shape.parity}.${tag}.${end}`;
}

/** Undefined for a name that is none of a shard. */
export function parseShardName(object: string): ShardName | undefined {
  const [, name, data, all, tag, end] = pattern.exec(object) ?? [];
  if (name === undefined || tag === undefined) return undefined;
  const shape = { data: Number(data), parity: Number(all) - Number(data) };
  const index = end === 'gone' ? end : Number(end) - 1;
  if (!isShape(shape) || (index !== 'gone' && (index < 0 || index >= shape.data + shape.parity))) return undefined;
  return { name, shape, tag, index };
}

/** Whether an object is a shard, or the mark of those that are being removed. */
export function isShardName(object: string): boolean {
  return parseShardName(object) !== undefined;
}
