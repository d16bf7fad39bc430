import { HoldfastError } from '../../errors.ts';
import { joinBytes } from '../safe-path.ts';
import type { EntryMetadata } from '../source.ts';
import { statsIfThere } from '../staging.ts';

/** Kinds of nodes; other kinds of entries are passed over. */
export type NodeKind = 'directory' | 'file' | 'symlink';

/** A file, a link or a folder that is to be restored. */
export interface TreeNode {
  readonly kind: NodeKind;
  /** The entry's path, for messages. */
  readonly path: string;
  /** Absent for a folder that is only on the way to an entry. */
  metadata?: EntryMetadata;
  /** By name, its bytes as Latin-1. */
  readonly children: Map<string, TreeNode>;
  /** Settled when it stands in the staging folder; others that are staged below it meanwhile wait for it. */
  staged?: Promise<unknown>;
}

/** A name as bytes, from the key that it has in {@link TreeNode.children}. */
export function nameOfKey(key: string): Buffer {
  return Buffer.from(key, 'latin1');
}

/** Of all that is no folder: nothing is put there. */
const noChildren: TreeNode['children'] = new Map();

function newNode(kind: NodeKind, path: string): TreeNode {
  return { kind, path, children: kind === 'directory' ? new Map() : noChildren };
}

function refuse(path: string, reason: string): never {
  throw new HoldfastError('target.unsafe', {
    message: `the entry ${JSON.stringify(path)} ${reason}`,
    context: { path },
  });
}

/** The entries of one root as a tree, in whatever order they come. Nothing in it lies below a link or a file. */
export class StagedTree {
  #root: TreeNode | undefined;

  /** The root, once there is an entry. */
  get root(): TreeNode | undefined {
    return this.#root;
  }

  /** Adds an entry and returns its nodes from the root down. Throws `target.unsafe` for one that comes twice or lies below what is no folder. */
  add(segments: readonly Buffer[], kind: NodeKind, path: string, metadata: EntryMetadata): readonly TreeNode[] {
    this.#root ??= newNode(segments.length === 0 ? kind : 'directory', path);
    const nodes: TreeNode[] = [this.#root];
    let node = this.#root;
    for (const [index, segment] of segments.entries()) {
      if (node.kind !== 'directory') refuse(path, `lies below ${JSON.stringify(node.path)}, which is no folder`);
      const key = segment.toString('latin1');
      let child = node.children.get(key);
      if (child === undefined) {
        child = newNode(index === segments.length - 1 ? kind : 'directory', path);
        node.children.set(key, child);
      }
      node = child;
      nodes.push(node);
    }
    if (node.kind !== kind || node.metadata !== undefined)
      refuse(path, 'comes twice, or as a folder and as something else');
    node.metadata = metadata;
    return nodes;
  }
}

/** Takes a node out of a tree; the folders on the way stay. */
export function leaveOut(root: TreeNode, segments: readonly Buffer[]): void {
  let node: TreeNode | undefined = root;
  for (const segment of segments.slice(0, -1)) node = node?.children.get(segment.toString('latin1'));
  const name = segments.at(-1);
  if (name !== undefined) node?.children.delete(name.toString('latin1'));
}

/** Something in the target that a node would replace: same kind, same place. */
export interface Replaced {
  readonly place: Buffer;
  readonly segments: readonly Buffer[];
  readonly kind: 'file' | 'symlink';
  /** The entry's. */
  readonly path: string;
}

/**
 * What of the target a tree would replace. Looks, and follows no link. Throws `target.exists` where the kind differs, `target.unsafe`
 * where a link stands for a folder: entries would be written through it.
 */
export async function findReplaced(root: TreeNode, rootPlace: Buffer): Promise<readonly Replaced[]> {
  const found: Replaced[] = [];
  const look = async (node: TreeNode, place: Buffer, segments: readonly Buffer[]): Promise<void> => {
    const stats = await statsIfThere(place);
    if (stats === undefined) return;
    const shown = place.toString('utf8');
    if (node.kind === 'directory') {
      if (stats.isSymbolicLink()) refuse(node.path, `would be written through the link ${shown}`);
      if (!stats.isDirectory()) throw differs(shown, 'a folder');
      for (const [key, child] of node.children) {
        const name = nameOfKey(key);
        await look(child, joinBytes(place, name), [...segments, name]);
      }
      return;
    }
    const isAlike = node.kind === 'file' ? stats.isFile() : stats.isSymbolicLink();
    if (!isAlike) throw differs(shown, node.kind === 'file' ? 'a file' : 'a link');
    found.push({ place, segments, kind: node.kind, path: node.path });
  };
  await look(root, rootPlace, []);
  return found;
}

function differs(place: string, wanted: string): HoldfastError {
  const message = `${place} is there and is not ${wanted}, as the archive has it; move it away first`;
  return new HoldfastError('target.exists', { message, context: { path: place } });
}

/** The refusal to replace, naming the first three. */
export function existsError(replaced: readonly Replaced[]): HoldfastError {
  const names = replaced.slice(0, 3).map(({ place }) => place.toString('utf8'));
  const more = replaced.length > 3 ? ` and ${replaced.length - 3} more` : '';
  const message = `${names.join(', ')}${more} ${replaced.length === 1 ? 'exists' : 'exist'}`;
  return new HoldfastError('target.exists', { message, context: { paths: names, count: replaced.length } });
}
