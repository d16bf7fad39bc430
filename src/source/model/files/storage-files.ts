import { HoldfastError } from '../../../errors.ts';
import type { Storage } from '../../../storage/storage.ts';
import { ObjectEntry } from '../../media/object-entry.ts';
import type { SourceEntry, SourceProblem } from '../../source.ts';
import { type FileReference, namedBy } from './file-references.ts';
import type { TreeReading } from './folder-files.ts';
import { openAhead } from './open-ahead.ts';

const objectsOpenAhead = 8;

type Problem = Pick<SourceProblem, 'code' | 'message'>;

/** The objects of a media storage that rows name. What is missing or cannot be read is reported with the row that names it. */
export async function* storageFiles(reading: TreeReading, storage: Storage): AsyncGenerator<SourceEntry> {
  const { tree, references, context, archivePath, isOpen } = reading;
  const { backend, place } = storage.properties;
  yield { path: archivePath, kind: 'directory', expectedSizeBytes: 0, metadata: { media: { backend, place } } };
  const report = (reference: FileReference, { code, message }: Problem) =>
    context.report({ code, path: `${archivePath}/${reference.path}`, message: `${message}; ${namedBy(reference)}` });
  const opened = openAhead(references.of(tree.index), {
    atOnce: objectsOpenAhead,
    open: async (reference) => {
      try {
        const object = await storage.open(reference.path);
        const modifiedMs = object.details?.modifiedMs ?? (await storage.stat(reference.path)).modifiedMs;
        const entry = new ObjectEntry({
          path: `${archivePath}/${reference.path}`,
          object,
          listed: { name: reference.path, sizeBytes: object.sizeBytes, modifiedMs },
          storage,
          context: { ...context, report: (problem) => report(reference, problem) },
          onClose: (closed) => void isOpen.delete(closed),
        });
        isOpen.add(entry);
        return { reference, entry };
      } catch (error) {
        return { reference, problem: problemOf(error) };
      }
    },
    discard: async ({ entry }) => await entry?.close(),
  });
  for await (const { reference, entry, problem } of opened) {
    if (problem !== undefined) report(reference, problem);
    if (entry === undefined) continue;
    try {
      yield entry;
    } finally {
      if (!entry.isBegun) await entry.close();
    }
  }
}

/** What concerns one object is told of it; the run ends with the rest. */
function problemOf(error: unknown): Problem {
  if (!(error instanceof HoldfastError)) throw error;
  if (error.code === 'storage.not_found') return { code: 'source.vanished', message: 'it is not there' };
  if (error.code !== 'storage.unauthorized' && error.code !== 'storage.failed') throw error;
  return { code: 'source.unreadable', message: error.message };
}
